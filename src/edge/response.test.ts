import assert from "node:assert/strict";
import { describe, test } from "node:test";

import fc from "fast-check";

import { ResponseParser } from "./response.ts";

interface Seen {
  status: number | undefined;
  keepAlive: boolean | undefined;
  body: string;
  ended: number;
  interim: number[];
  taken: number[];
  fault: string | undefined;
  finished: boolean;
}

/** Parses the pieces in turn, then ends the connection. */
function parse(pieces: readonly string[], method = "GET", upgrade = false): Seen {
  const seen: Seen = {
    status: undefined,
    keepAlive: undefined,
    body: "",
    ended: 0,
    interim: [],
    taken: [],
    fault: undefined,
    finished: false,
  };
  const parser = new ResponseParser({
    onInterim: (status) => seen.interim.push(status),
    onHead: ({ status, keepAlive }) => Object.assign(seen, { status, keepAlive }),
    onBody: (bytes) => {
      seen.body += bytes.toString("latin1");
    },
    onEnd: () => {
      seen.ended += 1;
    },
  });
  parser.begin({ method, upgrade });
  for (const piece of pieces) {
    const taken = parser.push(Buffer.from(piece, "latin1"));
    seen.taken.push(taken);
    if (taken < 0) break;
  }
  seen.fault = parser.fault;
  if (parser.fault === undefined) seen.finished = parser.finish();
  return seen;
}

const ok = "HTTP/1.1 200 OK\r\n";

describe("an answer", () => {
  const whole: Record<string, { text: string; body: string; method?: string; keepAlive: boolean }> = {
    "of a length": { text: `${ok}Content-Length: 5\r\n\r\nhello`, body: "hello", keepAlive: true },
    "of no length": { text: `${ok}Content-Length: 0\r\n\r\n`, body: "", keepAlive: true },
    "in chunks": {
      text: `${ok}Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nTrailer: x\r\n\r\n`,
      body: "hello",
      keepAlive: true,
    },
    "that says close": {
      text: `${ok}Connection: close\r\nContent-Length: 5\r\n\r\nhello`,
      body: "hello",
      keepAlive: false,
    },
    "of HTTP/1.0": { text: "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", body: "hello", keepAlive: false },
    "of status 204": { text: "HTTP/1.1 204 No Content\r\n\r\n", body: "", keepAlive: true },
    "of status 304 with a length": {
      text: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
      body: "",
      keepAlive: false,
    },
    "of status 304": { text: "HTTP/1.1 304 Not Modified\r\n\r\n", body: "", keepAlive: true },
    "to HEAD": { text: `${ok}Content-Length: 5\r\n\r\n`, body: "", method: "HEAD", keepAlive: true },
    "after interim ones": {
      text: `HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${ok}Content-Length: 5\r\n\r\nhello`,
      body: "hello",
      keepAlive: true,
    },
    "without a reason": { text: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", body: "", keepAlive: true },
  };
  for (const [name, { text, body, method, keepAlive }] of Object.entries(whole)) {
    test(`${name} is whole, whatever the pieces it comes in`, () => {
      fc.assert(
        fc.property(fc.array(fc.integer({ min: 1, max: text.length }), { maxLength: 6 }), (cuts) => {
          const at = [0, ...cuts.toSorted((a, b) => a - b), text.length];
          const pieces = at
            .slice(1)
            .map((end, i) => text.slice(at[i], end))
            .filter((piece) => piece !== "");
          const seen = parse(pieces, method);
          assert.deepEqual([seen.fault, seen.body, seen.ended, seen.keepAlive], [undefined, body, 1, keepAlive]);
        }),
        { numRuns: 60 },
      );
    });
    test(`${name} leaves the bytes after it alone`, () => {
      const extra = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
      const seen = parse([text + extra], method);
      assert.deepEqual([seen.taken, seen.body, seen.ended], [[text.length], body, 1]);
    });
  }

  test("without a length ends with the connection", () => {
    const seen = parse([`${ok}\r\nhello`, " world"]);
    assert.deepEqual([seen.body, seen.finished, seen.ended, seen.keepAlive], ["hello world", true, 1, false]);
  });

  test("cut short is not finished", () => {
    for (const text of [
      "",
      "HTTP/1.1 2",
      `${ok}Content-Length: 5\r\n\r\nhell`,
      `${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`,
    ]) {
      assert.equal(parse([text]).finished, false, text);
    }
  });

  test("of status 101 leaves what follows to the tunnel, and is a fault where nobody asked", () => {
    const text = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    assert.deepEqual(parse([`${text}frame`], "GET", true).taken, [text.length]);
    assert.match(parse([text]).fault ?? "", /101/);
  });
});

describe("a fault", () => {
  const faults: Record<string, string> = {
    "bare line feeds": "HTTP/1.1 200 OK\nContent-Length: 2\n\nok\r\n\r\n",
    "no status line": "hello\r\n\r\n",
    "HTTP/2": "HTTP/2 200 OK\r\n\r\n",
    "a folded header": `${ok}X: a\r\n b\r\n\r\n`,
    "a space before the colon": `${ok}X : a\r\n\r\n`,
    "a NUL": `${ok}X: a\0\r\n\r\n`,
    "two lengths": `${ok}Content-Length: 2\r\nContent-Length: 2\r\n\r\nok`,
    "a list of lengths": `${ok}Content-Length: 2, 2\r\n\r\nok`,
    "a negative length": `${ok}Content-Length: -2\r\n\r\nok`,
    "a length and chunks": `${ok}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    "gzip, chunked": `${ok}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    "chunks in HTTP/1.0": "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk size that is no number": `${ok}Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n`,
    "a chunk longer than its size": `${ok}Transfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n`,
    "a head without end": `${ok}X: ${"a".repeat(70_000)}`,
    "interim answers without end": "HTTP/1.1 100 Continue\r\n\r\n".repeat(20),
  };
  for (const [name, text] of Object.entries(faults)) {
    test(`${name} ends it`, () => {
      const seen = parse([text]);
      assert.equal(seen.taken.at(-1), -1);
      assert.ok(seen.fault !== undefined && seen.ended === 0);
    });
  }

  test("never comes with more bytes than were given, whatever is sent", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.string({
            unit: fc.constantFrom(
              "\r",
              "\n",
              ":",
              " ",
              "0",
              "5",
              "a",
              "HTTP/1.1 200 OK\r\n",
              "Transfer-Encoding: chunked\r\n",
              "Content-Length: 3\r\n",
            ),
          }),
          { maxLength: 8 },
        ),
        (pieces) => {
          const seen = parse(pieces.filter((piece) => piece !== ""));
          assert.ok(seen.body.length <= pieces.join("").length && seen.ended <= 1);
        },
      ),
      { numRuns: 300 },
    );
  });
});
