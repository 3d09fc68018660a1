/** How connections are used: pipelines, HTTP/1.0, `Expect`, upgrades (RFC 9110 §7.8, §10.1.1; RFC 9112 §9). */
import { chunk, closed, get, hidden, post, refused, served, shown, unended } from "./cases.ts";
import type { RawCase } from "./judge.ts";

export function mannerCases(host: string): RawCase[] {
  const ask = (target: string, lines = "", method = "GET", version = "1.1"): string =>
    `${method} ${target} HTTP/${version}\r\nHost: ${host}\r\n${lines}\r\n`;
  const send = (target: string, body: string, lines = ""): string =>
    ask(target, `${lines}Content-Length: ${body.length}\r\n`, "POST") + body;
  const many = Array.from({ length: 30 }, (_, n) => `/p${n}`);

  const pipelines = [
    served("two requests", ask("/p1") + ask("/p2"), get("/p1"), get("/p2")),
    served("thirty requests", many.map((target) => ask(target)).join(""), ...many.map((target) => get(target))),
    served(
      "GET, POST, GET",
      ask("/p1") + send("/p2", "body") + ask("/p3"),
      get("/p1"),
      post("/p2", "body"),
      get("/p3"),
    ),
    served("POST, POST", send("/p1", "one") + send("/p2", "two"), post("/p1", "one"), post("/p2", "two")),
    served("HEAD, GET", ask("/p1", "", "HEAD") + ask("/p2"), get("/p1", "HEAD"), get("/p2")),
    served(
      "HEAD, HEAD, GET",
      ask("/p1", "", "HEAD") + ask("/p2", "", "HEAD") + ask("/p3"),
      get("/p1", "HEAD"),
      get("/p2", "HEAD"),
      get("/p3"),
    ),
    served("an empty line between", `${ask("/p1")}\r\n${ask("/p2")}`, get("/p1"), get("/p2")),
    served("a body that looks like a request", send("/p1", hidden), post("/p1", hidden)),
    served(
      "a body that looks like an answer",
      send("/p1", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
      post("/p1", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ),
    closed("close, then another", ask("/p1", "Connection: close\r\n") + ask("/p2"), get("/p1")),
    closed("close in HTTP/1.0", ask("/p1", "", "GET", "1.0"), get("/p1")),
    closed("close with a body behind", `${ask("/p1", "Connection: close\r\n")}${hidden}`, get("/p1")),
    unended("a body that ends early", `${ask("/p1", "Content-Length: 5000\r\n", "POST")}short`),
    unended("a length as large as may be", `${ask("/p1", "Content-Length: 10737418240\r\n", "POST")}short`),
    served("keep-alive in HTTP/1.0", ask("/p1", "Connection: keep-alive\r\n", "GET", "1.0"), get("/p1")),
    served(
      "keep-alive in HTTP/1.0 with a body",
      `${ask("/p1", "Connection: keep-alive\r\nContent-Length: 2\r\n", "POST", "1.0")}hi`,
      post("/p1", "hi"),
    ),
    served(
      "keep-alive and a fold of names",
      ask("/p1", "Keep-Alive: timeout=5\r\nConnection: keep-alive, Keep-Alive\r\n"),
      get("/p1"),
    ),
    closed("Proxy-Connection", ask("/p1", "Proxy-Connection: close\r\n"), get("/p1")),
    served("TE: trailers", ask("/p1", "TE: trailers\r\nConnection: TE\r\n"), get("/p1")),
  ];

  const expects = [
    served(
      "Expect: 100-continue",
      ask("/e", "Expect: 100-continue\r\nContent-Length: 2\r\n", "POST") + "hi",
      post("/e", "hi"),
    ),
    served(
      "expect: 100-Continue",
      ask("/e", "expect: 100-Continue\r\nContent-Length: 2\r\n", "POST") + "hi",
      post("/e", "hi"),
    ),
    served(
      "Expect with chunks",
      `${ask("/e", "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", "POST")}${chunk("hi")}0\r\n\r\n`,
      post("/e", "hi"),
    ),
    served("Expect without a body", ask("/e", "Expect: 100-continue\r\n"), get("/e")),
    served(
      "Expect with a length of 0",
      ask("/e", "Expect: 100-continue\r\nContent-Length: 0\r\n", "POST"),
      post("/e", ""),
    ),
    served(
      "Expect with a request for a body",
      `${ask("/e", `Expect: 100-continue\r\nContent-Length: ${hidden.length}\r\n`, "POST")}${hidden}`,
      post("/e", hidden),
    ),
    refused(
      "Expect and both framings",
      `${ask("/e", "Expect: 100-continue\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", "POST")}0\r\n\r\n`,
    ),
    refused("Expect and two hosts", ask("/e", "Expect: 100-continue\r\nHost: localhost\r\n")),
    ...["bogus", "100-continue, bogus", "100-continu", "200-ok", "100-continue;a=b", "y 100-continue", ""].map(
      (value) =>
        refused(`Expect: ${shown(value)}`, ask("/e", `Expect: ${value}\r\nContent-Length: 2\r\n`, "POST") + "hi", 417),
    ),
    refused("Expect twice", ask("/e", "Expect: 100-continue\r\nExpect: bogus\r\n"), 417),
  ];

  const upgrade = (value: string, lines = "", connection = "Upgrade"): string =>
    `Upgrade: ${value}\r\nConnection: ${connection}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${lines}`;
  const upgrades = [
    closed("an upgrade that the app declines", ask("/u", upgrade("websocket")), get("/u")),
    closed("an upgrade with bytes behind", `${ask("/u", upgrade("websocket"))}${hidden}`, get("/u")),
    refused("an upgrade with a body", `${ask("/u", upgrade("websocket", "Content-Length: 5\r\n"))}hello`),
    refused("an upgrade with chunks", `${ask("/u", upgrade("websocket", "Transfer-Encoding: chunked\r\n"))}0\r\n\r\n`),
    refused(
      "an upgrade with both",
      `${ask("/u", upgrade("websocket", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"))}0\r\n\r\n`,
    ),
    refused("an upgrade of two hosts", ask("/u", upgrade("websocket", "Host: localhost\r\n"))),
    // Declined: the parser ends the connection after the answer, whatever follows.
    closed(
      "an upgrade to h2c",
      ask("/u", upgrade("h2c", "HTTP2-Settings: AAMAAABkAAQAAP__\r\n", "Upgrade, HTTP2-Settings")),
      get("/u"),
    ),
    closed(
      "an upgrade to h2c with a body",
      `${ask("/u", upgrade("h2c", "Content-Length: 2\r\n"), "POST")}hi`,
      post("/u", "hi"),
    ),
    closed("an upgrade to TLS", ask("/u", upgrade("TLS/1.0")), get("/u")),
    closed("an upgrade to two", ask("/u", upgrade("websocket, h2c")), get("/u")),
    closed("an upgrade without Connection", ask("/u", "Upgrade: h2c\r\n"), get("/u")),
    served("a Connection without an upgrade", ask("/u", "Connection: Upgrade\r\n"), get("/u")),
  ];
  return [...pipelines, ...expects, ...upgrades];
}
