import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { lineMaxChars, LineSplitter } from "./lines.ts";

const push = (splitter: LineSplitter, text: string): readonly string[] => splitter.push(Buffer.from(text));

describe("LineSplitter", () => {
  test("a line is complete at its newline, a carriage return stays, one before the newline goes", () => {
    const splitter = new LineSplitter();
    assert.deepEqual(push(splitter, "10%\r20%\r"), []);
    assert.equal(splitter.open, true);
    assert.deepEqual(push(splitter, "30%\ndone\r\n"), ["10%\r20%\r30%", "done"]);
    assert.equal(splitter.open, false);
  });

  test("a character cut in two by chunks stays one character", () => {
    const splitter = new LineSplitter();
    const bytes = Buffer.from("ä😀\n");
    const lines = [...bytes].flatMap((byte) => splitter.push(Uint8Array.of(byte)));
    assert.deepEqual(lines, ["ä😀"]);
  });

  test("the end gives what is left, with broken bytes marked", () => {
    const splitter = new LineSplitter();
    splitter.push(Buffer.from([0x61, 0xe2, 0x82]));
    assert.deepEqual(splitter.end(), ["a\ufffd"]);
    assert.deepEqual(splitter.end(), []);
  });

  test("a stream without newlines is given in bounded parts", () => {
    const splitter = new LineSplitter();
    const lines = push(splitter, "x".repeat(lineMaxChars * 2 + 5));
    assert.deepEqual(
      lines.map((line) => line.length),
      [lineMaxChars, lineMaxChars],
    );
    assert.deepEqual(splitter.end(), ["xxxxx"]);
  });

  test("however the bytes are cut, the same lines come out", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.array(fc.integer({ min: 1, max: 7 })), (text, cuts) => {
        const bytes = Buffer.from(text);
        const whole = new LineSplitter();
        const parted = new LineSplitter();
        const lines: string[] = [];
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          lines.push(...parted.push(bytes.subarray(at, at + cut)));
          at = Math.min(bytes.length, at + cut);
        }
        lines.push(...parted.push(bytes.subarray(at)), ...parted.end());
        assert.deepEqual(lines, [...whole.push(bytes), ...whole.end()]);
      }),
    );
  });
});
