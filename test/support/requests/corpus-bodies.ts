/** Bodies with one plain length, which the edge counts off the visitor's socket itself, and what stands before and behind them (RFC 9112 §6.3, §9.3.2). */
import { chunk, closed, get, hidden, post, refused, served, shown, unended } from "./cases.ts";
import type { RawCase } from "./judge.ts";

/** More than two reads of a socket bring. */
const long = "a line of a long body\r\n\r\n".repeat(8_000);

export function bodyCases(host: string): RawCase[] {
  const ask = (target: string, lines = "", method = "GET"): string =>
    `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${lines}\r\n`;
  const sized = (target: string, length: string | number, method = "POST"): string =>
    ask(target, `Content-Length: ${length}\r\n`, method);
  const send = (target: string, body: string, method = "POST"): string => sized(target, body.length, method) + body;
  const chunked = (target: string): string =>
    `${ask(target, "Transfer-Encoding: chunked\r\n", "POST")}${chunk("hi")}0\r\n\r\n`;
  const many = Array.from({ length: 30 }, (_, n) => `/b${n}`);

  const behind = [
    served(
      "thirty requests with bodies",
      many.map((target, n) => send(target, "x".repeat(n))).join(""),
      ...many.map((target, n) => post(target, "x".repeat(n))),
    ),
    served(
      "each method that sends",
      ["POST", "PUT", "PATCH"].map((method) => send("/b", hidden, method)).join(""),
      ...["POST", "PUT", "PATCH"].map((method) => post("/b", hidden, method)),
    ),
    served("an empty body between two", send("/b1", "") + send("/b2", "2"), post("/b1", ""), post("/b2", "2")),
    served(
      "a body, and a request that the other parser reads",
      send("/b1", "1") + chunked("/b2") + send("/b3", "3"),
      post("/b1", "1"),
      post("/b2", "hi"),
      post("/b3", "3"),
    ),
    served(
      "a body that is a body's head",
      send("/b1", sized("/smuggled", 1_000)) + ask("/b2"),
      post("/b1", sized("/smuggled", 1_000)),
      get("/b2"),
    ),
    served("a body of line ends", send("/b1", "\r\n".repeat(500)), post("/b1", "\r\n".repeat(500))),
    served("a body of NULs", send("/b1", "\0".repeat(500)), post("/b1", "\0".repeat(500))),
    served(
      "an empty line behind a body",
      `${send("/b1", "1")}\r\n${send("/b2", "2")}`,
      post("/b1", "1"),
      post("/b2", "2"),
    ),
    closed("a request behind a shorter length", `${sized("/b1", 2)}hi${hidden}`, post("/b1", "hi"), get("/smuggled")),
    ...["x", "hello world", "\0", "0\r\n\r\n", "HTTP/1.1 200 OK\r\n"].map((text) =>
      refused(`${shown(text)} behind a body`, `${send("/b1", "1")}${text}`, 400, [post("/b1", "1")]),
    ),
    served("a long body", send("/b1", long), post("/b1", long)),
    served(
      "a long body, and others behind it",
      send("/b1", long) + send("/b2", hidden) + ask("/b3") + send("/b4", long),
      post("/b1", long),
      post("/b2", hidden),
      get("/b3"),
      post("/b4", long),
    ),
    served(
      "a long body, and a request that the other parser reads",
      send("/b1", long) + chunked("/b2") + send("/b3", long),
      post("/b1", long),
      post("/b2", "hi"),
      post("/b3", long),
    ),
    refused("no HTTP behind a long body", `${send("/b1", long)}hello world`, 400, [post("/b1", long)]),
  ];

  // On a connection on which all before was plain.
  const lengths = [
    "05",
    "+5",
    "-5",
    "5, 5",
    "5,5",
    "0x5",
    "5.0",
    "5e0",
    "",
    "1000000000000000",
    "18446744073709551621",
  ];
  const second = lengths.map((length) =>
    length === "05"
      ? served(
          `length ${length} behind a body`,
          `${send("/b1", "1")}${sized("/b2", length)}hello`,
          post("/b1", "1"),
          post("/b2", "hello"),
        )
      : refused(`length ${shown(length)} behind a body`, `${send("/b1", "1")}${sized("/b2", length)}hello`, 400, [
          post("/b1", "1"),
        ]),
  );
  const twice = ask("/b2", "Content-Length: 5\r\ncontent-length: 5\r\n", "POST");
  const both = ask("/b2", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "POST");

  const ends = [
    unended("a long body that ends early", `${sized("/b1", long.length + 1)}${long}`),
    unended("a body that does not begin", sized("/b1", 5)),
    unended("a body that lacks one byte", `${sized("/b1", 6)}hello`),
  ];
  return [
    ...behind,
    ...second,
    refused("lengths twice behind a body", `${send("/b1", "1")}${twice}hello`, 400, [post("/b1", "1")]),
    refused("a length and a coding behind a body", `${send("/b1", "1")}${both}0\r\n\r\n`, 400, [post("/b1", "1")]),
    ...ends,
  ];
}
