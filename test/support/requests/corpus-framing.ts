/** Where a request ends: `Content-Length` and `Transfer-Encoding` in every spelling, alone, twice, together (RFC 9112 §6). */
import { chunk, closed, controls, hidden, octets, post, refused, served, shown } from "./cases.ts";
import type { RawCase } from "./judge.ts";

export function framingCases(host: string): RawCase[] {
  const head = (lines: string, version = "1.1"): string => `POST /f HTTP/${version}\r\nHost: ${host}\r\n${lines}\r\n`;
  const chunked = `${chunk("hello")}0\r\n\r\n`;
  /** Whoever overlooks the coding takes the chunks for the next request. */
  const trap = `0\r\n\r\n${hidden}`;

  const codings = codingValues().flatMap(({ value, fine }) => {
    const line = `Transfer-Encoding: ${value}\r\n`;
    return [
      fine
        ? served(`coding ${shown(value)}`, head(line) + chunked, post("/f", "hello"))
        : refused(`coding ${shown(value)}`, head(line) + trap),
      refused(`coding ${shown(value)} behind a length`, head(`Content-Length: ${trap.length}\r\n${line}`) + trap),
      refused(`coding ${shown(value)} before a length`, head(`${line}Content-Length: ${trap.length}\r\n`) + trap),
    ];
  });

  const names = codingNames().map(({ text, outcome }) => {
    const line = `${text}\r\n`;
    const name = `coding as ${shown(text)}`;
    if (outcome === "coding") return served(name, head(line) + chunked, post("/f", "hello"));
    const whole = head(`Content-Length: ${trap.length}\r\n${line}`) + trap;
    // It is some other field, or none that goes on: the length counts.
    return outcome === "other" ? served(name, whole, post("/f", trap)) : refused(name, whole);
  });

  const lengths = lengthValues().map(({ value, fine }) => {
    const bytes = `${head(`Content-Length: ${value}\r\n`)}hello`;
    return fine
      ? served(`length ${shown(value)}`, bytes, post("/f", "hello"))
      : refused(`length ${shown(value)}`, bytes);
  });

  const twice = [
    ["5", "5"],
    ["5", "6"],
    ["0", "5"],
    ["5", "0"],
    ["5", ""],
    ["5", "+5"],
    ["5", "5, 5"],
    ["5", "05"],
  ].flatMap(([one = "", two = ""]) => [
    refused(`lengths ${one} and ${two}`, `${head(`Content-Length: ${one}\r\nContent-Length: ${two}\r\n`)}hello`),
    refused(
      `lengths ${one} and ${two} apart`,
      `${head(`Content-Length: ${one}\r\nX-Between: 1\r\ncontent-length: ${two}\r\n`)}hello`,
    ),
  ]);

  const codingsTwice = [
    ["chunked", "chunked"],
    ["chunked", "identity"],
    ["identity", "chunked"],
    ["gzip", "chunked"],
    ["chunked", ""],
    ["", "chunked"],
    ["chunked", "cow"],
  ].map(([one = "", two = ""]) =>
    refused(
      `codings ${shown(one)} and ${shown(two)}`,
      head(`Transfer-Encoding: ${one}\r\nTransfer-Encoding: ${two}\r\n`) + trap,
    ),
  );

  return [
    ...codings,
    ...names,
    ...lengths,
    ...twice,
    ...codingsTwice,
    refused("chunks in HTTP/1.0", head("Transfer-Encoding: chunked\r\n", "1.0") + trap),
    refused(
      "chunks and a length in HTTP/1.0",
      head(`Content-Length: 5\r\nTransfer-Encoding: chunked\r\n`, "1.0") + trap,
    ),
    refused("a body without a length", `${head("")}hello world`, 400, [post("/f", "")]),
    refused("a length of 0 with a body", `${head("Content-Length: 0\r\n")}hello world`, 400, [post("/f", "")]),
    closed("a length of 0 before another request", `${head("Content-Length: 0\r\n")}${hidden}`, post("/f", ""), {
      method: "GET",
      target: "/smuggled",
      body: "",
    }),
    ...["GET", "HEAD", "OPTIONS", "DELETE", "PATCH", "PUT"].map((method) =>
      served(
        `${method} with a request for a body`,
        `${method} /f HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
        post("/f", hidden, method),
      ),
    ),
    ...["GET", "DELETE"].map((method) =>
      served(
        `${method} with a request in chunks`,
        `${method} /f HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n${chunk(hidden)}0\r\n\r\n`,
        post("/f", hidden, method),
      ),
    ),
  ];
}

function codingValues(): { readonly value: string; readonly fine: boolean }[] {
  const fine = ["chunked", "Chunked", "CHUNKED", "cHuNkEd", " chunked", "\tchunked", "chunked "];
  const bad = [
    // A tab behind it is allowed (RFC 9110 §5.5); the parser is narrower.
    ...["chunked\t", "\t chunked \t"],
    ...["", "identity", "gzip", "deflate", "compress", "br", "trailers", "cow", "null", "true", "1", "chunk", "chunke"],
    ...["xchunked", "chunkedx", "x-chunked", "chunked-x", "chu nked", "chunked chunked", "c\\hunked", "%63hunked"],
    ...["chunked%00", "chunked%20", "chunked\\r", '"chunked"', "'chunked'", "(chunked)", "<chunked>", "=chunked"],
    ...["chunked,", ",chunked", ", chunked", "chunked, chunked", "chunked,chunked", "identity, chunked"],
    ...["chunked, identity", "gzip, chunked", "chunked, gzip", "gzip,chunked", "chunked;q=1", "chunked; q=0.5"],
    ...["chunked;a=b", "chunked;", ";chunked", 'chunked;a="b"', "chunked q=1", "chunked/1.0", "chunked#", "chunked:"],
    ...["\xef\xbd\x83hunked", "chun\xc2\xadked", "\xe2\x84\xaahunked", "\xa0chunked", "chunked\xa0", "\x85chunked"],
    ...[" \r\n chunked", "\r\n\tchunked", "chunked\r\n ", "chunked\r\n , identity", "identity,\r\n chunked"],
    ...controls("\t").flatMap((text) => [`${text}chunked`, `chunked${text}`]),
  ];
  return [...fine.map((value) => ({ value, fine: true })), ...bad.map((value) => ({ value, fine: false }))];
}

/** `coding`: it is that field; `other`: another one, harmless; `bad`: no field at all. */
function codingNames(): { readonly text: string; readonly outcome: "coding" | "other" | "bad" }[] {
  const inName = new Set("!#$%&'*+.^_`|~-");
  const fine = ["TRANSFER-ENCODING", "transfer-encoding", "tRANSFER-eNCODING"].map((name) => `${name}: chunked`);
  const other = [
    ...["Transfer_Encoding", "transfer_encoding", "X-Transfer-Encoding", "Transfer-Encoding-", "Transfer--Encoding"],
    ...["TransferEncoding", "Transfer.Encoding", "Content-Encoding", "Transfer-Coding", "TE", "Trailer"],
  ].map((name) => `${name}: chunked`);
  const bad = [
    ...[" Transfer-Encoding: chunked", "\tTransfer-Encoding: chunked", "Transfer-Encoding chunked", ": chunked"],
    ...["Transfer-Encoding\r\n: chunked", "Transfer-Encoding\r\n : chunked", "Transfer-\r\n Encoding: chunked"],
    ...["Transfer-Encoding\n: chunked", "Transfer-Encoding: chunked\rX: y", "\rTransfer-Encoding: chunked"],
    ...["X: y\rTransfer-Encoding: chunked", "X: y\nTransfer-Encoding: chunked", "X: y\n\rTransfer-Encoding: chunked"],
    ...["Transfer-Encoding:: chunked", "Transfer-Encoding:chunked:", "Transfer-Encoding: chunked\n"],
    ...["\nTransfer-Encoding: chunked", "X: y\r\r\nTransfer-Encoding: chunked"],
  ];
  // A line of its own would begin, or the field be another one.
  const odd = octets("\r\n:").flatMap((text) =>
    [`Transfer-Encoding${text}: chunked`, `${text}Transfer-Encoding: chunked`, `Transfer${text}Encoding: chunked`].map(
      (line) => ({
        text: line,
        outcome:
          line === "Transfer-Encoding: chunked"
            ? ("both" as const)
            : inName.has(text)
              ? ("other" as const)
              : ("bad" as const),
      }),
    ),
  );
  return [
    ...fine.map((text) => ({ text, outcome: "coding" as const })),
    ...other.map((text) => ({ text, outcome: "other" as const })),
    ...bad.map((text) => ({ text, outcome: "bad" as const })),
    ...odd.map(({ text, outcome }) => ({ text, outcome: outcome === "both" ? ("bad" as const) : outcome })),
  ];
}

function lengthValues(): { readonly value: string; readonly fine: boolean }[] {
  const fine = ["5", " 5", "\t5", "5 ", "5\t", "05", "0000000005"];
  const bad = [
    ...[
      "",
      " ",
      "+5",
      "-5",
      "-0",
      "- 5",
      "5,5",
      "5, 5",
      "5,6",
      ",5",
      "5,",
      "5;",
      "5;a=b",
      "5.0",
      "5.",
      ".5",
      "5e0",
      "0x5",
    ],
    ...[
      "0X5",
      "0o5",
      "0b101",
      "5h",
      "h5",
      "5 5",
      "5\t5",
      "5_0",
      "1_0",
      "five",
      "NaN",
      "null",
      "'5'",
      '"5"',
      "(5)",
      "5%00",
    ],
    ...["%35", "\\5", "\xef\xbc\x95", "\xd9\xa5", "\xb2", "5\xa0", "\xa05", "\x855", "1e1", "0x10", "Infinity"],
    ...["\r\n 5", "5\r\n 5", "5\r\n ", "99999999999999999999", "18446744073709551616", "18446744073709551621"],
    ...["9223372036854775808", "340282366920938463463374607431768211461", `5${"0".repeat(400)}`],
    ...controls("\t").flatMap((text) => [`${text}5`, `5${text}`]),
  ];
  const values = new Set(bad);
  return [...fine.map((value) => ({ value, fine: true })), ...[...values].map((value) => ({ value, fine: false }))];
}
