/** Chunks: their sizes, extensions, ends and trailers (RFC 9112 §7.1). */
import { chunk, closed, controls, hidden, post, refused, served, shown, unended } from "./cases.ts";
import type { RawCase } from "./judge.ts";

export function chunkCases(host: string): RawCase[] {
  const head = `POST /c HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const whole = (body: string): ReturnType<typeof post> => post("/c", body);

  const sizes = [
    ...["5", "05", "0000000005", "5;a", "5;a=b", "5;a;b=c", "5;;a", '5;a="b"', '5;a="b\\"c"'].map((line) =>
      served(`chunk size ${shown(line)}`, `${head}${line}\r\nhello\r\n0\r\n\r\n`, whole("hello")),
    ),
    ...[
      // Spaces beside an extension are allowed (RFC 9112 §7.1.1); the parser is narrower.
      ...["5; a=b", "5 ;a", "5;a =b", "5;"],
      ...[
        "",
        " ",
        "+5",
        "-5",
        "0x5",
        "0X5",
        "5h",
        "g",
        "5g",
        "5.0",
        "5,",
        "5 5",
        "5\\",
        '"5"',
        "5=a",
        "5:a",
        "\xef\xbc\x95",
      ],
      ...[" 5", "\t5", "5\xa0", "\xa05", "5 x", "FFFFFFFFFFFFFFFFF", "10000000000000005", "100000000000000000005"],
      ...["FFFFFFFFFFFFFFFF5", "5\n", "5\n;a", "5\r", "5;a\n", "5;a\nb", "5;a\rb", "5;\0", '5;a="\n"'],
      ...controls("\t\r\n").flatMap((text) => [`${text}5`, `5${text}`, `5;${text}`]),
    ].map((line) => refused(`chunk size ${shown(line)}`, `${head}${line}\r\nhello\r\n0\r\n\r\n`)),
  ];

  const ends = [
    ...[
      "hello\n",
      "hello",
      "hello\r",
      "helloX\r\n",
      "hell\r\n",
      "hello\r\r\n",
      "hello\n\r",
      "hello \r\n",
      "hello\0\r\n",
    ].map((data) => refused(`chunk data ${shown(data)}`, `${head}5\r\n${data}0\r\n\r\n`)),
    refused("a size line that ends in LF", `${head}5\nhello\r\n0\r\n\r\n`),
    refused("a size line that ends in CR", `${head}5\rhello\r\n0\r\n\r\n`),
    refused("all lines that end in LF", `${head}5\nhello\n0\n\n`),
    refused("an extension over two lines by LF", `${head}5;a\nhidden\r\nhello\r\n0\r\n\r\n`),
    // Who takes LF for an end reads a chunk of 0x51, who does not one of 2: each sees another request.
    refused("an extension with a chunk in it", `${head}2;\nxx\r\n51\r\n0\r\n\r\n${hidden}`),
    refused("a last chunk that ends in LF", `${head}${chunk("hello")}0\n\r\n`),
    refused("a last chunk without its line", `${head}${chunk("hello")}0\r\n\n`),
    refused("a last chunk and two CR", `${head}${chunk("hello")}0\r\r\n\r\n`),
    refused("a last chunk and a bare CR", `${head}${chunk("hello")}0\r\n\r`),
    served("a last chunk 00", `${head}${chunk("hello")}00\r\n\r\n`, whole("hello")),
    served("a last chunk with an extension", `${head}${chunk("hello")}0;last\r\n\r\n`, whole("hello")),
    served("no chunk but the last", `${head}0\r\n\r\n`, whole("")),
    served("a request in a chunk", `${head}${chunk(hidden)}0\r\n\r\n`, whole(hidden)),
    served(
      "a last chunk in a chunk",
      `${head}${chunk("0\r\n\r\n")}${chunk(hidden)}0\r\n\r\n`,
      whole(`0\r\n\r\n${hidden}`),
    ),
    served("a hundred chunks of one byte", `${head}${chunk("x").repeat(100)}0\r\n\r\n`, whole("x".repeat(100))),
    closed("a request after the last chunk", `${head}${chunk("a")}0\r\n\r\n${hidden}`, whole("a"), {
      method: "GET",
      target: "/smuggled",
      body: "",
    }),
    unended("a chunk that never comes", `${head}fffff\r\nhello`),
    unended("a chunk of 9 exabytes", `${head}8000000000000005\r\nhello\r\n0\r\n\r\n`),
    unended("a last chunk that never comes", `${head}${chunk("hello")}`),
    unended("a last chunk whose end never comes", `${head}${chunk("hello")}0\r\n`),
    refused("an extension of 20,000 bytes", `${head}5;a=${"b".repeat(20_000)}\r\nhello\r\n0\r\n\r\n`),
    served(
      "thirty long extensions",
      `${head}${`1;${"b".repeat(1_000)}\r\nx\r\n`.repeat(30)}0\r\n\r\n`,
      whole("x".repeat(30)),
    ),
    served("a size of 20,000 zeros", `${head}${"0".repeat(20_000)}5\r\nhello\r\n0\r\n\r\n`, whole("hello")),
  ];

  const fields = [
    ...["X: y", "X:y", "Host: evil.localhost", "X-IP-Token: forged"],
    ...["Authorization: Bearer x", "X_Under: y", "Trailer: X", "X: y\r\nZ: w"],
  ].map((line) => served(`trailer ${shown(line)}`, `${head}${chunk("hello")}0\r\n${line}\r\n\r\n`, whole("hello")));
  const badFields = [
    ...[
      "Content-Length: 5",
      "Transfer-Encoding: chunked",
      "no colon",
      " X: y",
      "\tX: y",
      "X : y",
      ": y",
      "X\0: y",
      "X: y\nZ: w",
      "X: y\rZ: w",
      "X: \0",
      "X: y\r\n folded",
    ],
    ...["X(: y", "\xff: y", "X\t: y", "X: y\n"],
  ].map((line) => refused(`trailer ${shown(line)}`, `${head}${chunk("hello")}0\r\n${line}\r\n\r\n`));

  return [
    ...sizes,
    ...ends,
    ...fields,
    ...badFields,
    closed("trailer Connection: close", `${head}${chunk("hello")}0\r\nConnection: close\r\n\r\n`, whole("hello")),
    refused("trailers of 20,000 bytes", `${head}0\r\nX: ${"y".repeat(20_000)}\r\n\r\n`, 431),
  ];
}
