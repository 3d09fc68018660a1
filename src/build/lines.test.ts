import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { LastLines, LineSplitter, lineMaxLength } from "./lines.ts";

function split(chunks: readonly Uint8Array[]): readonly string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line));
  for (const chunk of chunks) splitter.push(chunk);
  splitter.end();
  return lines;
}

describe("LineSplitter", () => {
  test("however the bytes are cut, the lines are the same", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme", maxLength: 20 })), fc.array(fc.nat(40)), (texts, cuts) => {
        const lines = texts.map((text) => text.replace(/[\r\n]/g, ""));
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
        const chunks: Uint8Array[] = [];
        let from = 0;
        for (const cut of cuts) chunks.push(bytes.subarray(from, (from += cut)));
        assert.deepEqual(split([...chunks, bytes.subarray(from)]), lines);
      }),
      { numRuns: 200 },
    );
  });

  test("a last line without an end counts, and a lone \\r stays", () => {
    assert.deepEqual(split([Buffer.from("a\r\n10%\r20%\rdone\nlast")]), ["a", "10%\r20%\rdone", "last"]);
  });

  test("a line without end is cut, never held whole", () => {
    const lines = split([Buffer.from("x".repeat(lineMaxLength * 2 + 1))]);
    assert.deepEqual(
      lines.map(({ length }) => length),
      [lineMaxLength, lineMaxLength, 1],
    );
  });
});

describe("LastLines", () => {
  test("keeps what says something, without colours and npm's own pointers", () => {
    const last = new LastLines();
    for (const line of [
      "1%\r100%",
      "",
      "\u001b[31mboom\u001b[0m",
      "npm error A complete log of this run can be found in: /x",
      "npm notice hi",
    ])
      last.take(line);
    assert.deepEqual(last.all(), ["100%", "boom"]);
  });
});
