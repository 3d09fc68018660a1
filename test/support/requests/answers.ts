/** Answers of apps that are wrong in every way that we know of, and what the visitor is to get of each. */

export interface AnswerCase {
  readonly name: string;
  /** The request that is answered so. */
  readonly method: "GET" | "HEAD" | "POST";
  /** Latin1; written as soon as the request's head is there. */
  readonly bytes: string;
  /** Written on the same connection, but only once the next visitor's request has come to the app. */
  readonly late?: string;
  /** The app ends the connection behind them. */
  readonly ends?: boolean;
  /** `passed`: this status and body; `refused`: 502, and not a byte of it; `cut`: its head, then a broken connection. */
  readonly gets:
    | { readonly is: "passed"; readonly status: number; readonly body: string }
    | { readonly is: "refused" | "cut" };
  /** Whether another request of the same visitor may use the connection. */
  readonly reusable?: true;
}

const refusedGet = { method: "GET", gets: { is: "refused" } } as const;
const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
const ok = "HTTP/1.1 200 OK\r\n";
const short = `${ok}Content-Length: 2\r\n\r\nok`;

export function wrongAnswers(): AnswerCase[] {
  const passed = (body = "ok", status = 200): AnswerCase["gets"] => ({ is: "passed", status, body });
  const refused = (name: string, bytes: string): AnswerCase => ({ name, bytes, ...refusedGet });
  const cut = (name: string, bytes: string): AnswerCase => ({ name, bytes, method: "GET", gets: { is: "cut" } });

  const behind: AnswerCase[] = [
    { name: "right", method: "GET", bytes: short, gets: passed(), reusable: true },
    { name: "another answer behind", method: "GET", bytes: short + evil, gets: passed() },
    { name: "another answer later", method: "GET", bytes: short, late: evil, gets: passed() },
    { name: "half an answer behind", method: "GET", bytes: `${short}HTTP/1.1 200 O`, gets: passed() },
    { name: "one byte behind", method: "GET", bytes: `${short}x`, gets: passed() },
    { name: "a body longer than its length", method: "GET", bytes: `${short}longer`, gets: passed() },
    {
      name: "chunks and another answer",
      method: "GET",
      bytes: `${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n${evil}`,
      gets: passed(),
    },
    {
      name: "chunks and another answer later",
      method: "GET",
      bytes: `${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
      late: evil,
      gets: passed(),
    },
    {
      name: "a body to HEAD",
      method: "HEAD",
      bytes: `${ok}Content-Length: ${evil.length}\r\n\r\n${evil}`,
      gets: passed(""),
    },
    {
      name: "a body to HEAD later",
      method: "HEAD",
      bytes: `${ok}Content-Length: ${evil.length}\r\n\r\n`,
      late: evil,
      gets: passed(""),
    },
    {
      name: "chunks to HEAD later",
      method: "HEAD",
      bytes: `${ok}Transfer-Encoding: chunked\r\n\r\n`,
      late: `4\r\nevil\r\n0\r\n\r\n${evil}`,
      gets: passed(""),
    },
    { name: "a body of a 204", method: "GET", bytes: `HTTP/1.1 204 No Content\r\n\r\n${evil}`, gets: passed("", 204) },
    {
      name: "a body of a 204 later",
      method: "GET",
      bytes: "HTTP/1.1 204 No Content\r\nContent-Length: 50\r\n\r\n",
      late: evil,
      gets: passed("", 204),
    },
    {
      name: "a body of a 304",
      method: "GET",
      bytes: `HTTP/1.1 304 Not Modified\r\n\r\n${evil}`,
      gets: passed("", 304),
    },
    {
      name: "a body of a 304 later",
      method: "GET",
      bytes: "HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\n\r\n",
      late: evil,
      gets: passed("", 304),
    },
    { name: "an answer before the body is read", method: "POST", bytes: short, late: evil, gets: passed() },
    { name: "no length, to the end", method: "GET", bytes: `${ok}\r\nok`, ends: true, gets: passed() },
    {
      name: "HTTP/1.0",
      method: "GET",
      bytes: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
      late: evil,
      gets: passed(),
    },
    {
      name: "HTTP/1.0 and keep-alive",
      method: "GET",
      bytes: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
      gets: passed(),
      reusable: true,
    },
    {
      name: "Connection: close",
      method: "GET",
      bytes: `${ok}Connection: close\r\nContent-Length: 2\r\n\r\nok`,
      late: evil,
      gets: passed(),
    },
    {
      name: "a Connection that lists its length",
      method: "GET",
      bytes: `${ok}Connection: content-length\r\nContent-Length: 2\r\n\r\nok`,
      gets: passed(),
      reusable: true,
    },
    {
      name: "three interim answers",
      method: "GET",
      bytes: `${"HTTP/1.1 102 Processing\r\n\r\n".repeat(3)}${short}`,
      gets: passed(),
      reusable: true,
    },
    {
      name: "trailers that claim",
      method: "GET",
      bytes: `${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nContent-Length: 50\r\nSet-Cookie: a=b\r\n\r\n`,
      gets: passed(),
      reusable: true,
    },
  ];

  const heads = [
    ...[
      "HTTP/1.1 200 OK\n",
      "HTTP/1.1  200 OK\r\n",
      "HTTP/1.1 2000 OK\r\n",
      "HTTP/1.1 20 OK\r\n",
      "HTTP/1.1 099 OK\r\n",
    ],
    ...[
      "HTTP/1.1 abc OK\r\n",
      "HTTP/1.2 200 OK\r\n",
      "HTTP/2.0 200 OK\r\n",
      "HTTP/2 200\r\n",
      "HTTP/0.9 200 OK\r\n",
      "http/1.1 200 OK\r\n",
    ],
    ...[
      "ICY 200 OK\r\n",
      "HTTP 200 OK\r\n",
      " HTTP/1.1 200 OK\r\n",
      "\r\nHTTP/1.1 200 OK\r\n",
      "HTTP/1.1 200 O\0K\r\n",
      "HTTP/1.1 +200 OK\r\n",
    ],
    ...[
      "HTTP/1.1 -200 OK\r\n",
      "HTTP/1.1 200.0 OK\r\n",
      "HTTP/1.1 200 OK\rX: y\r\n",
      "<html>hello</html>\r\n",
      "GET / HTTP/1.1\r\n",
      "SSH-2.0-x\r\n",
    ],
  ].map((line) => refused(`status line ${JSON.stringify(line)}`, `${line}Content-Length: 4\r\n\r\nevil`));

  const lines = [
    ...[
      "Content-Length: 2\r\nContent-Length: 4",
      "Content-Length: 4\r\nContent-Length: 4",
      "Content-Length: 4, 4",
      "Content-Length: +4",
    ],
    ...[
      "Content-Length: -4",
      "Content-Length: 0x4",
      "Content-Length: ",
      "Content-Length: 4;",
      "Content-Length: 99999999999999999999",
    ],
    ...[
      "Content-Length: 4\r\nTransfer-Encoding: chunked",
      "Transfer-Encoding: chunked\r\nContent-Length: 4",
      "Transfer-Encoding: gzip",
    ],
    ...[
      "Transfer-Encoding: gzip, chunked",
      "Transfer-Encoding: chunked, chunked",
      "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ],
    ...[
      "Transfer-Encoding: identity",
      "Transfer-Encoding: xchunked",
      "Transfer-Encoding: \x0bchunked",
      "Transfer-Encoding: ",
    ],
    ...[
      "Content-Length : 4",
      " Content-Length: 4",
      "Content-Length: 4\r\n folded: x",
      "X: a\r\n b\r\nContent-Length: 4",
      "\tX: y\r\nContent-Length: 4",
    ],
    ...[
      "X: a\nSet-Cookie: evil=1\r\nContent-Length: 4",
      "X: a\rSet-Cookie: evil=1\r\nContent-Length: 4",
      "X: a\0b\r\nContent-Length: 4",
    ],
    ...[
      "X y: z\r\nContent-Length: 4",
      ": y\r\nContent-Length: 4",
      "no colon\r\nContent-Length: 4",
      "X\0: y\r\nContent-Length: 4",
    ],
    ...[
      "X\xe9: y\r\nContent-Length: 4",
      "X: a\x7f\r\nContent-Length: 4",
      "Content-Length: 4\nX: y",
      "(x): y\r\nContent-Length: 4",
    ],
  ].map((line) => refused(`head ${JSON.stringify(line)}`, `${ok}${line}\r\n\r\nevil`));
  const http10 = refused(
    "chunks in HTTP/1.0",
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n",
  );

  const chunks = [
    ...[
      "+4",
      "-4",
      "0x4",
      "4 ",
      " 4",
      "g",
      "",
      "4\n",
      "4;\0",
      "4;a\nb",
      "FFFFFFFFFFFFFFFF4",
      '4"',
      "4=1",
      `4;${"x".repeat(300)}`,
    ],
  ].map((size) =>
    cut(`chunk size ${JSON.stringify(size)}`, `${ok}Transfer-Encoding: chunked\r\n\r\n${size}\r\nevil\r\n0\r\n\r\n`),
  );

  const bombs: AnswerCase[] = [
    refused("a head of 70 kB", `${ok}X: ${"y".repeat(70_000)}\r\nContent-Length: 4\r\n\r\nevil`),
    refused("a head of 20,000 lines", `${ok}${"X: y\r\n".repeat(20_000)}Content-Length: 4\r\n\r\nevil`),
    refused("a head without an end", ok + "X: y\r\n".repeat(20_000)),
    refused("nine interim answers", `${"HTTP/1.1 102 Processing\r\n\r\n".repeat(9)}${evil}`),
    refused("interim answers for ever", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(1_000)),
    refused(
      "101 that nobody asked for",
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n${evil}`,
    ),
    refused(
      "a 101 behind an interim one",
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n${evil}`,
    ),
    { ...refused("an end before the head's", `${ok}Content-Le`), ends: true },
    { ...refused("nothing", ""), ends: true },
    { ...cut("a body shorter than its length", `${ok}Content-Length: 40\r\n\r\nevil`), ends: true },
    { ...cut("chunks without their last", `${ok}Transfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n`), ends: true },
    cut("a chunk longer than its size", `${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nevil\r\n0\r\n\r\n`),
    cut("a chunk and a bare LF", `${ok}Transfer-Encoding: chunked\r\n\r\n4\r\nevil\n0\r\n\r\n`),
    cut(
      "trailers of 70 kB",
      `${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n${`X: ${"y".repeat(1_000)}\r\n`.repeat(70)}\r\n`,
    ),
  ];
  return [...behind, ...heads, ...lines, http10, ...chunks, ...bombs];
}
