import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { parseAnswer } from "./ask.ts";
import type { Asked } from "./ask.ts";
import {
  callersTrace,
  echoedRequestId,
  maySetCookie,
  passedHeaders,
  upstreamHead,
  withoutConsoleCookies,
} from "./headers.ts";
import { hopTo } from "./hop.ts";
import type { SpaceRoute } from "./ports.ts";
import { screenRequest } from "./screen.ts";
import type { Malformed, Screened } from "./screen.ts";
import { failureCode, isLineLost } from "./verdicts.ts";
import type { Cause } from "./verdicts.ts";

function screen(
  headers: readonly string[],
  given: { url?: string; method?: string; httpVersion?: string } = {},
): Screened | Malformed {
  return screenRequest(
    { method: "GET", url: "/", httpVersion: "1.1", rawHeaders: headers, ...given },
    withoutConsoleCookies,
  );
}

function screened(headers: readonly string[], given: Parameters<typeof screen>[1] = {}): Screened {
  const result = screen(["Host", "a.localhost", ...headers], given);
  assert.ok(result.ok, result.ok ? "" : result.detail);
  return result;
}

describe("screenRequest", () => {
  const refused: Record<string, { headers: string[]; given?: Parameters<typeof screen>[1]; detail: RegExp }> = {
    "no Host": { headers: [], detail: /^Host: missing/ },
    "two Hosts": { headers: ["Host", "a", "host", "a"], detail: /^Host: given twice/ },
    "a Host with user info": { headers: ["Host", "a@b"], detail: /^Host: not/ },
    "another authority in the target": {
      headers: ["Host", "a"],
      given: { url: "http://b/" },
      detail: /^request target/,
    },
    "https in the target": { headers: ["Host", "a"], given: { url: "https://a/" }, detail: /^request target/ },
    "* with GET": { headers: ["Host", "a"], given: { url: "*" }, detail: /^request target/ },
    "Transfer-Encoding in HTTP/1.0": {
      headers: ["Host", "a", "Transfer-Encoding", "chunked"],
      given: { httpVersion: "1.0" },
      detail: /HTTP\/1\.0/,
    },
    "a fragment in the target": { headers: ["Host", "a"], given: { url: "/a#b" }, detail: /^request target/ },
    "a space in the target": { headers: ["Host", "a"], given: { url: "/a b" }, detail: /^request target/ },
    "bytes beyond ASCII in the target": {
      headers: ["Host", "a"],
      given: { url: "/caf\xe9" },
      detail: /^request target/,
    },
    "another version": { headers: ["Host", "a"], given: { httpVersion: "0.9" }, detail: /^HTTP version/ },
    "another expectation": { headers: ["Host", "a", "Expect", "100-continue, x"], detail: /^Expect: only/ },
    "more lines than servers read": { headers: Array(514).fill("a"), detail: /^request head: more than 256 lines/ },
    "another coding": { headers: ["Host", "a", "Transfer-Encoding", "gzip, chunked"], detail: /only chunked/ },
    "a tab beside chunked": { headers: ["Host", "a", "Transfer-Encoding", "\u000bchunked"], detail: /only chunked/ },
    "both framings": {
      headers: ["Host", "a", "Content-Length", "1", "Transfer-Encoding", "chunked"],
      detail: /together/,
    },
    "a length that is hexadecimal": { headers: ["Host", "a", "Content-Length", "0x1"], detail: /whole number/ },
    "a Connection that names Cookie": {
      headers: ["Host", "a", "Connection", "close", "Connection", "x, Cookie"],
      detail: /must not name cookie/,
    },
    "a Connection that names x-forwarded-for": {
      headers: ["Host", "a", "Connection", "X-Forwarded-For"],
      detail: /x-forwarded-for/,
    },
    "two X-IP-Tokens": { headers: ["Host", "a", "X-IP-Token", "1", "x-ip-token", "2"], detail: /X-IP-Token/ },
  };
  for (const [name, { headers, given, detail }] of Object.entries(refused)) {
    test(`refuses ${name}`, () => {
      const result = screen(headers, given);
      assert.ok(!result.ok);
      assert.match(result.detail, detail);
    });
  }

  test("keeps what is the app's and drops what is ours, hop-by-hop, listed or underscored", () => {
    const { forwardable } = screened([
      "Accept",
      "*/*",
      "X_Forwarded_For",
      "1",
      "Keep-Alive",
      "x",
      "X-Waybill-Id",
      "q",
      "Connection",
      "x-listed",
      "X-Listed",
      "1",
      "Forwarded",
      "x",
      "Cookie",
      "waybill_s=1",
      "X-App",
      "ü",
    ]);
    assert.equal(forwardable, "Accept: */*\r\nX-App: ü\r\n");
  });

  test("never passes on a platform's access token, in any case", () => {
    for (const value of ["Bearer hf_wbabc", "bearer   HF_wbabc", "BEARER hf_x"])
      assert.equal(screened(["Authorization", value]).forwardable, "");
    assert.equal(screened(["Authorization", "Bearer other"]).forwardable, "Authorization: Bearer other\r\n");
  });

  test("takes an upgrade only where both headers ask for WebSocket", () => {
    assert.equal(screened(["Connection", "keep-alive, Upgrade", "Upgrade", "WebSocket"]).websocket, true);
    assert.equal(screened(["Upgrade", "websocket"]).websocket, false);
    assert.equal(screened(["Connection", "Upgrade", "Upgrade", "h2c"]).websocket, false);
  });

  test("turns an absolute target into a path", () => {
    const target = (url: string): string => screened([], { url }).target;
    assert.deepEqual(
      [target("http://A.localhost"), target("http://a.localhost?x"), target("/y?z")],
      ["/", "/?x", "/y?z"],
    );
  });
});

describe("upstreamHead", () => {
  const add = {
    request: "q_1",
    requestId: "r",
    address: "127.0.0.1",
    traceparent: "t",
    ipToken: "tok",
    proto: "http",
    version: "1.1",
    deployment: "waybill",
    cdnLoop: undefined,
  } as const;
  test("has exactly one framing and one of each of ours", () => {
    for (const framing of [["Content-Length", "3"], ["Transfer-Encoding", "chunked"], []]) {
      const head = upstreamHead("POST", screened(["X-Forwarded-For", "6", "Via", "x", ...framing]), add);
      const names = head
        .trimEnd()
        .split("\r\n")
        .slice(1)
        .map((line) => line.slice(0, line.indexOf(":")).toLowerCase());
      assert.equal(new Set(names).size, names.length);
      assert.equal(names.includes("content-length") && names.includes("transfer-encoding"), false);
      assert.ok(head.endsWith("x-ip-token: tok\r\n\r\n"));
    }
  });
});

describe("passedHeaders", () => {
  test("drops what the app's Connection lists, but not what frames the message", () => {
    assert.deepEqual(
      passedHeaders(["Connection", "close, X-A, Content-Length", "X-A", "1", "Content-Length", "5"], "h"),
      ["Content-Length", "5"],
    );
  });
  test("drops what is ours in any case", () => {
    assert.deepEqual(
      passedHeaders(
        ["PROXY-STATUS", "x", "X-WAYBILL-ANY", "1", "Via", "x", "x-forwarded-host", "1", "Server", "app"],
        "h",
      ),
      ["Server", "app"],
    );
  });
});

describe("cookies", () => {
  test("of the console reach no app", () =>
    assert.equal(withoutConsoleCookies("a=1;__host-WAYBILL-x=2; waybill_s=3;b=4"), "a=1; b=4"));
  test("of an app stay on its own host", () => {
    assert.ok(maySetCookie("a=1; Path=/", "x.localhost"));
    assert.ok(maySetCookie("a=1; Domain=.X.localhost", "x.localhost"));
    for (const cookie of [
      "a=1; Domain=localhost",
      "a=1;domain = .localhost ; Domain=x.localhost",
      "waybill_s=1",
      "__Host-waybill-console=1",
    ])
      assert.ok(!maySetCookie(cookie, "x.localhost"), cookie);
  });
});

describe("what a caller names", () => {
  test("is echoed where it is harmless", () => {
    assert.equal(echoedRequestId("a-1:b", "q_1"), "a-1:b");
    for (const id of [undefined, "", "a b", "<x>", "a".repeat(129)]) assert.equal(echoedRequestId(id, "q_1"), "q_1");
  });
  test("as a trace is kept where it is valid", () => {
    const valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    assert.equal(callersTrace(valid), valid);
    for (const bad of [
      undefined,
      "x",
      valid.toUpperCase(),
      valid.replace("00-", "ff-"),
      `00-${"0".repeat(32)}-b7ad6b7169203331-01`,
    ])
      assert.equal(callersTrace(bad), undefined);
  });
});

describe("hopTo", () => {
  const running = (ids: string[]): SpaceRoute => ({
    space: "a/b",
    owner: "a",
    state: { kind: "running", replicas: ids.map((id) => ({ id, socket: `/${id}` })) },
  });
  const decide = (route: SpaceRoute) => hopTo(route);

  test("refuses a Space that is down in its own words", () => {
    const hop = decide({ space: "a/b", owner: "a", state: { kind: "down", code: "app/crash-loop", says: "why" } });
    assert.ok(hop.kind === "refuse" && hop.code === "app/crash-loop" && hop.says === "why");
  });
  test("holds what asks for a Space that is asleep", () => {
    const hop = decide({ space: "a/b", owner: "a", state: { kind: "asleep" } });
    assert.equal(hop.kind, "wake");
  });
  test("refuses a running Space without a replica", () => {
    const hop = decide(running([]));
    assert.ok(hop.kind === "refuse" && hop.code === "route/not-running");
  });
  test("gives the replicas of one that runs", () => {
    const hop = decide(running(["r1", "r2"]));
    assert.deepEqual(hop.kind === "forward" && hop.replicas.map(({ id }) => id), ["r1", "r2"]);
  });
});

describe("failureCode", () => {
  const answer = (connected: boolean, more: { errno?: string; stopping?: true } = {}): Asked => ({
    kind: "answer",
    answer: { state: "closed", connected, acceptedBytes: 0, returnedBytes: 0, entry: null, ...more },
  });
  const unknown: Asked = { kind: "answer", answer: { state: "unknown" } };
  const gone: Asked = { kind: "unreachable", errno: "ECONNREFUSED" };
  const silent: Asked = { kind: "silent", says: "" };
  const broken: Cause = { kind: "broken", errno: null };
  const late: Cause = { kind: "response-timeout" };
  const cases: [string, Cause, Asked | undefined, string][] = [
    [
      "nobody listens at the shim's socket",
      { kind: "unreachable", errno: "ECONNREFUSED" },
      undefined,
      "runtime/shim-lost edge.connect",
    ],
    [
      "the shim accepts no more",
      { kind: "unreachable", errno: "EAGAIN" },
      undefined,
      "route/connect-timeout edge.connect",
    ],
    ["it broke after the app had accepted", broken, answer(true), "route/reset-midway app.respond"],
    ["it broke and the app never accepted", broken, answer(false), "route/connect-refused edge.connect"],
    [
      "it broke and nobody accepted in time",
      broken,
      answer(false, { errno: "ETIMEDOUT" }),
      "route/connect-timeout edge.connect",
    ],
    [
      "it broke while the platform ended the app",
      broken,
      answer(true, { stopping: true }),
      "route/control-down app.respond",
    ],
    [
      "it met an app that the platform had ended",
      broken,
      answer(false, { stopping: true }),
      "route/control-down edge.connect",
    ],
    ["it broke with its shim", broken, gone, "runtime/shim-lost app.respond"],
    ["it broke and the shim says nothing", broken, silent, "route/reset-midway app.respond"],
    ["it broke and the shim never saw it", broken, unknown, "route/reset-midway app.respond"],
    ["no answer in time", late, answer(true), "route/response-timeout app.respond"],
    ["no answer in time and never accepted", late, answer(false), "route/connect-timeout edge.connect"],
    ["no connection was free in time", { kind: "connect-timeout" }, undefined, "route/connect-timeout edge.connect"],
    ["the line to its node was lost", { kind: "node-away" }, undefined, "route/node-away edge.connect"],
    ["the answer is not HTTP", { kind: "invalid", says: "x" }, answer(true), "route/reset-midway app.respond"],
  ];
  for (const [name, cause, asked, expected] of cases) {
    test(`${name}: ${expected}`, () => {
      const { code, hop } = failureCode(cause, asked);
      assert.equal(`${code} ${hop}`, expected);
    });
  }
});

test("a line is lost when there is none, or another one; not where the replica has none any more: its end came over it", () => {
  assert.deepEqual([isLineLost(3, undefined), isLineLost(3, 4), isLineLost(undefined, undefined)], [true, true, true]);
  assert.deepEqual(
    [isLineLost(3, 3), isLineLost(0, 0), isLineLost(3, 0), isLineLost(undefined, 4)],
    [false, false, false, false],
  );
});

describe("parseAnswer", () => {
  test("takes the contract's answers and calls anything else none", () => {
    assert.deepEqual(parseAnswer('{"state":"unknown"}'), { kind: "answer", answer: { state: "unknown" } });
    const closed = {
      state: "closed",
      connected: true,
      acceptedBytes: 5,
      uncertainBytes: 2,
      errno: "EPIPE",
      stopping: true,
      returnedBytes: 0,
      entry: "s/1/2",
    };
    assert.deepEqual(parseAnswer(JSON.stringify(closed)), { kind: "answer", answer: closed });
    for (const line of ["", "null", "[]", '{"state":"open"}', "{", '{"state":"closed","connected":1}'])
      assert.equal(parseAnswer(line).kind, "silent", line);
  });
});
