import assert from "node:assert/strict";
import { test } from "node:test";

import { property, stringMatching } from "fast-check";
import * as fc from "fast-check";

import { QuickHeads } from "./head.ts";

const readQuickHead = (text: string): ReturnType<QuickHeads["read"]> => new QuickHeads().read(text);

const host = "Host: alice-demo.localhost";

test("the head of a page's request is read as it came", () => {
  const text = `GET /a/b?c=%20d HTTP/1.1\r\n${host}\r\nConnection: keep-alive\r\nX-One:  two  words\r\nx-two: 2`;
  assert.equal(readQuickHead(text), undefined, "a value with a space before it is padded");
  assert.deepEqual(readQuickHead(text.replace(":  two", ": two")), {
    method: "GET",
    url: "/a/b?c=%20d",
    length: undefined,
    upgrade: false,
    rawHeaders: [
      ...["Host", "alice-demo.localhost", "Connection", "keep-alive"],
      ...["X-One", "two  words", "x-two", "2"],
    ],
  });
});

test("on one connection a head is read for itself, whatever came before it", () => {
  const heads = new QuickHeads();
  const fields = `${host}\r\nX: 1`;
  assert.deepEqual(heads.read(`GET /a HTTP/1.1\r\n${fields}`)?.rawHeaders.slice(2), ["X", "1"]);
  assert.deepEqual(heads.read(`HEAD /b HTTP/1.1\r\n${fields}`), {
    method: "HEAD",
    url: "/b",
    length: undefined,
    upgrade: false,
    rawHeaders: ["Host", "alice-demo.localhost", "X", "1"],
  });
  assert.equal(heads.read(`GET /c HTTP/1.1\r\n${fields}\r\nContent-Length: 5`), undefined);
  assert.equal(heads.read(`POST /d HTTP/1.1\r\n${fields}`), undefined);
  assert.deepEqual(heads.read(`GET /e HTTP/1.1\r\n${fields}1`)?.rawHeaders.slice(2), ["X", "11"]);
  assert.equal(heads.read(`GET /f HTTP/1.1\r\n${fields}1`)?.url, "/f");
  const sized = `${fields}\r\nContent-Length: 5`;
  assert.equal(heads.read(`POST /g HTTP/1.1\r\n${sized}`)?.length, 5);
  assert.equal(heads.read(`GET /h HTTP/1.1\r\n${sized}`), undefined);
  assert.equal(heads.read(`PUT /i HTTP/1.1\r\n${sized}`)?.length, 5);
});

test("a head with one plain length is read, of the methods that send something", () => {
  for (const method of ["POST", "PUT", "PATCH"])
    for (const length of [0, 5, 10, 1_048_576, 999_999_999_999_999]) {
      const read = readQuickHead(`${method} /a HTTP/1.1\r\n${host}\r\ncontent-length: ${length}\r\nX: 1`);
      assert.deepEqual([read?.method, read?.url, read?.length], [method, "/a", length]);
    }
});

test("a head that asks for a WebSocket is read, as browsers and clients write it", () => {
  for (const connection of ["Upgrade", "upgrade", "keep-alive, Upgrade"]) {
    const read = readQuickHead(
      `GET /ws HTTP/1.1\r\n${host}\r\nConnection: ${connection}\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13`,
    );
    assert.deepEqual([read?.url, read?.length, read?.upgrade], ["/ws", undefined, true]);
  }
});

const upgrade = "Connection: Upgrade\r\nUpgrade: websocket";
const others: Readonly<Record<string, string>> = {
  "another method": `DELETE / HTTP/1.1\r\n${host}\r\nContent-Length: 5`,
  "a method for which no length is said": `POST / HTTP/1.1\r\n${host}`,
  "a method in lower case": `get / HTTP/1.1\r\n${host}`,
  "an older version": `GET / HTTP/1.0\r\n${host}`,
  "an absolute target": `GET http://alice-demo.localhost/ HTTP/1.1\r\n${host}`,
  "an asterisk": `GET * HTTP/1.1\r\n${host}`,
  "a fragment": `GET /#a HTTP/1.1\r\n${host}`,
  "two spaces": `GET  / HTTP/1.1\r\n${host}`,
  "a space in the target": `GET /a b HTTP/1.1\r\n${host}`,
  "no header": "GET / HTTP/1.1",
  "an empty line at the start": `\r\nGET / HTTP/1.1\r\n${host}`,
  "a bare line feed": `GET / HTTP/1.1\r\n${host}\nX: a`,
  "a bare line feed in a value": `GET / HTTP/1.1\r\n${host}\r\nX: a\nTransfer-Encoding: chunked`,
  "a bare carriage return": `GET / HTTP/1.1\r\n${host}\r\nX: a\rTransfer-Encoding: chunked`,
  "a NUL": `GET / HTTP/1.1\r\n${host}\r\nX: a\0b`,
  "a tab": `GET / HTTP/1.1\r\n${host}\r\nX: a\tb`,
  "a character beyond ASCII": `GET / HTTP/1.1\r\n${host}\r\nX: \u00e9`,
  "a folded line": `GET / HTTP/1.1\r\n${host}\r\nX: a\r\n b`,
  "a space before the colon": `GET / HTTP/1.1\r\n${host}\r\nX : a`,
  "no space after the colon": `GET / HTTP/1.1\r\n${host}\r\nX:a`,
  "a space behind a value": `GET / HTTP/1.1\r\n${host}\r\nX: a \r\nY: b`,
  "an empty value": `GET / HTTP/1.1\r\n${host}\r\nX: \r\nY: b`,
  "a line without a colon": `GET / HTTP/1.1\r\n${host}\r\nX`,
  "an underscore in a name": `GET / HTTP/1.1\r\n${host}\r\nContent_Length: 5`,
  "a length": `GET / HTTP/1.1\r\n${host}\r\nContent-Length: 0`,
  "a length of HEAD": `HEAD / HTTP/1.1\r\n${host}\r\nContent-Length: 5`,
  "a length twice": `POST / HTTP/1.1\r\n${host}\r\nContent-Length: 5\r\ncontent-length: 5`,
  "a list of lengths": `POST / HTTP/1.1\r\n${host}\r\nContent-Length: 5, 5`,
  "a length with a sign": `POST / HTTP/1.1\r\n${host}\r\nContent-Length: +5`,
  "a length with a zero before it": `POST / HTTP/1.1\r\n${host}\r\nContent-Length: 05`,
  "a length in hexadecimal": `POST / HTTP/1.1\r\n${host}\r\nContent-Length: 0x5`,
  "a length with a fraction": `POST / HTTP/1.1\r\n${host}\r\nContent-Length: 5.0`,
  "a length of sixteen digits": `POST / HTTP/1.1\r\n${host}\r\nContent-Length: 1000000000000000`,
  "a length and a coding": `POST / HTTP/1.1\r\n${host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked`,
  "a length and an expectation": `POST / HTTP/1.1\r\n${host}\r\nContent-Length: 5\r\nExpect: 100-continue`,
  "a length and trailers": `POST / HTTP/1.1\r\n${host}\r\nContent-Length: 5\r\nTrailer: x`,
  "a length by another name": `POST / HTTP/1.1\r\n${host}\r\nContent_Length: 5`,
  "a length in capitals": `GET / HTTP/1.1\r\n${host}\r\nCONTENT-LENGTH: 5`,
  "a coding": `GET / HTTP/1.1\r\n${host}\r\nTransfer-Encoding: chunked`,
  "a coding in mixed case": `GET / HTTP/1.1\r\n${host}\r\ntRANSFER-eNCODING: identity`,
  "an upgrade": `GET / HTTP/1.1\r\n${host}\r\nUpgrade: websocket`,
  "an upgrade to something else": `GET / HTTP/1.1\r\n${host}\r\nConnection: Upgrade\r\nUpgrade: h2c`,
  "an upgrade to two": `GET / HTTP/1.1\r\n${host}\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c`,
  "an upgrade twice": `GET / HTTP/1.1\r\n${host}\r\n${upgrade}\r\nUpgrade: websocket`,
  "an upgrade for which Connection stands twice": `GET / HTTP/1.1\r\n${host}\r\nConnection: keep-alive\r\n${upgrade}`,
  "an upgrade whose Connection names a header": `GET / HTTP/1.1\r\n${host}\r\nConnection: Upgrade, Host\r\nUpgrade: websocket`,
  "a Connection of an upgrade alone": `GET / HTTP/1.1\r\n${host}\r\nConnection: Upgrade`,
  "an upgrade of HEAD": `HEAD / HTTP/1.1\r\n${host}\r\n${upgrade}`,
  "an upgrade of POST": `POST / HTTP/1.1\r\n${host}\r\n${upgrade}\r\nContent-Length: 5`,
  "an upgrade with a length": `GET / HTTP/1.1\r\n${host}\r\n${upgrade}\r\nContent-Length: 0`,
  "an expectation": `GET / HTTP/1.1\r\n${host}\r\nExpect: 100-continue`,
  TE: `GET / HTTP/1.1\r\n${host}\r\nTE: trailers`,
  Trailer: `GET / HTTP/1.1\r\n${host}\r\nTrailer: x`,
  "Connection: close": `GET / HTTP/1.1\r\n${host}\r\nConnection: close`,
  "Connection that names a header": `GET / HTTP/1.1\r\n${host}\r\nConnection: keep-alive, X-IP-Token`,
  "Keep-Alive": `GET / HTTP/1.1\r\n${host}\r\nKeep-Alive: timeout=5`,
  "Proxy-Connection": `GET / HTTP/1.1\r\n${host}\r\nProxy-Connection: keep-alive`,
  "HTTP2-Settings": `GET / HTTP/1.1\r\n${host}\r\nHTTP2-Settings: AAMAAABkAAQAAP__`,
};
for (const [what, text] of Object.entries(others))
  test(`${what}: the other parser reads it`, () => assert.equal(readQuickHead(text), undefined));

test("whatever is read has no more lines than the text, no character that ends one, and one length at most, if it is a body's", () => {
  const part = fc.constantFrom(
    "GET /",
    "HEAD /x",
    "POST /",
    " HTTP/1.1",
    "\r\n",
    "\n",
    "\r",
    ":",
    ": ",
    " ",
    "a",
    "Host",
    "Content-Length",
    "transfer-encoding",
    "chunked",
    "5",
    "\0",
    "\t",
  );
  const begin = fc.constantFrom(
    "GET /",
    "GET / HTTP/1.1\r\nHost: a\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ",
    "PUT / HTTP/1.1\r\nContent-Length: 5\r\n",
  );
  fc.assert(
    property(begin, fc.array(part, { maxLength: 20 }), stringMatching(/^[ -~\r\n]{0,40}$/), (first, parts, tail) => {
      const text = `${first}${parts.join("")}${tail}`;
      const read = readQuickHead(text);
      if (read === undefined) return;
      const again = [`${read.method} ${read.url} HTTP/1.1`];
      for (let i = 0; i < read.rawHeaders.length; i += 2)
        again.push(`${read.rawHeaders[i]}: ${read.rawHeaders[i + 1]}`);
      assert.equal(again.join("\r\n"), text);
      for (const line of again) assert.match(line, /^[ -~]+$/);
      assert.doesNotMatch(text, /^transfer-encoding:/im);
      const lengths = [...text.matchAll(/^content-length: (.*)$/gim)].map(([, value]) => value);
      assert.deepEqual(lengths, read.length === undefined ? [] : [String(read.length)]);
      assert.equal(read.length === undefined, read.method === "GET" || read.method === "HEAD");
    }),
    { numRuns: 5_000 },
  );
});
