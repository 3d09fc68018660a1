import assert from "node:assert/strict";
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { describe, test } from "node:test";

import { proxyErrors } from "../contract/proxy-status.ts";
import type { ProxyError } from "../contract/proxy-status.ts";
import { codes } from "../evidence/codes.ts";
import type { Code } from "../evidence/codes.ts";
import {
  prefersHtml,
  parseHost,
  parseProxyStatus,
  problemOf,
  problemPage,
  rawProblem,
  readBody,
  receivedStatusValues,
  serializeProxyStatus,
} from "./index.ts";

const allCodes = Object.keys(codes) as Code[];

describe("Proxy-Status", () => {
  test("has the 32 error types of RFC 9209, and our codes use no other", () => {
    assert.equal(Object.keys(proxyErrors).length, 32);
    for (const code of allCodes) assert.ok(Object.hasOwn(proxyErrors, codes[code].proxy), code);
  });

  test("reads back every error type as it was written", () => {
    for (const error of Object.keys(proxyErrors) as ProxyError[]) {
      const members = [{ deployment: "waybill", error, receivedStatus: 503, details: "route/not-running" }];
      assert.deepEqual(parseProxyStatus(serializeProxyStatus(members)), members);
    }
  });

  test("names a deployment that is no token as a string", () => {
    assert.equal(serializeProxyStatus([{ deployment: "our lab" }]), '"our lab"');
    assert.equal(receivedStatusValues("waybill")(404), "waybill;received-status=404");
  });

  test("that is not valid is ignored whole", () => {
    for (const value of ["waybill; error=", "(a b);error=x", "waybill,,", "5"])
      assert.equal(parseProxyStatus(value), undefined, value);
  });
});

describe("a problem", () => {
  test("says for every code what its row says, with the status that is sent", () => {
    for (const code of allCodes) {
      const problem = problemOf(code, { waybill: "q_1", console: "http://c" });
      assert.deepEqual(
        [`${problem.boundary}/${problem.code}`, problem.title, problem.status, problem.type],
        [code, codes[code].says, codes[code].status, `http://c/codes/${code}`],
      );
    }
  });

  test("as raw bytes is one whole response that closes the connection", () => {
    const text = rawProblem(
      {
        problem: problemOf("route/malformed", { detail: "Host: give it once" }),
        proxy: { deployment: "waybill", error: "http_request_error" },
      },
      "Bad Request",
    );
    const [head, body] = text.split("\r\n\r\n") as [string, string];
    assert.match(head, /^HTTP\/1\.1 400 Bad Request\r\n/);
    assert.match(head, /connection: close/);
    assert.match(head, new RegExp(`content-length: ${body.length}\r\n`));
  });
});

describe("the error page", () => {
  test("escapes all that varies and stays under 10 kB whatever it quotes", () => {
    const nasty = `<script>alert("1")</script>'&${"x".repeat(100_000)}`;
    for (const code of allCodes) {
      const page = problemPage(problemOf(code, { detail: nasty, waybill: nasty, explain: nasty }), {
        stoppedAt: "edge",
      });
      assert.ok(Buffer.byteLength(page) < 10_000, `${code}: ${Buffer.byteLength(page)}`);
      assert.ok(!page.includes("<script"), code);
    }
  });

  test("shows where it stopped", () => {
    const page = problemPage(problemOf("route/reset-midway"), { stoppedAt: "app", retryAfterSeconds: 7 });
    assert.match(page, /<li>you ✓<\/li><li>edge ✓<\/li><li class="stop">app ✕ stopped here<\/li>/);
    assert.match(page, /in about 7 s/);
  });
});

describe("prefersHtml", () => {
  const cases: [string | undefined, boolean][] = [
    ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true],
    ["application/json, text/html;q=0.5", false],
    ["text/html;q=0", false],
    ["*/*", false],
    [undefined, false],
    ["text/html;q=zz", false],
  ];
  for (const [accept, html] of cases) test(`${accept}: ${html}`, () => assert.equal(prefersHtml(accept), html));
});

describe("parseHost", () => {
  test("takes names, addresses and ports", () => {
    assert.deepEqual(parseHost("Alice-Demo.localhost:7070"), { name: "alice-demo.localhost", port: 7070 });
    assert.deepEqual(parseHost("127.4.5.6"), { name: "127.4.5.6", port: undefined });
    assert.deepEqual(parseHost("[::1]:80"), { name: "[::1]", port: 80 });
  });
  for (const host of [
    "",
    "a/../b",
    "a b",
    "a@b",
    "a:0",
    "a:65536",
    "a:",
    "-a",
    "a..b",
    "a.",
    "a_b",
    "a\tb",
    "é.localhost",
    `${"a".repeat(64)}.b`,
    "a,b",
    "[::1",
    "a:80:80",
    "a".repeat(300),
  ]) {
    test(`refuses ${JSON.stringify(host.slice(0, 20))}`, () => assert.equal(parseHost(host), undefined));
  }
});

describe("readBody", () => {
  const message = (): IncomingMessage => new IncomingMessage(new Socket());
  test("gives the bytes", async () => {
    const request = message();
    const body = readBody(request, 10);
    request.push("hello");
    request.push(null);
    assert.deepEqual(await body, { ok: true, bytes: Buffer.from("hello") });
  });
  test("stops as soon as there are too many", async () => {
    const request = message();
    const body = readBody(request, 4);
    request.push("hello");
    assert.deepEqual(await body, { ok: false, refusal: "too-large" });
  });
  test("says that the client went away", async () => {
    const request = message();
    const body = readBody(request, 10);
    request.destroy();
    assert.deepEqual(await body, { ok: false, refusal: "gone" });
  });
});
