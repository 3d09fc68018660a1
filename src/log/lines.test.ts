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

  test("of a line of a megabyte its beginning is kept, and a mark says how much is left out", () => {
    const splitter = new LineSplitter();
    const [line = "", after] = push(splitter, `${"x".repeat(1_000_000)}\nafter\n`);
    assert.equal(
      line,
      `${"x".repeat(lineMaxChars)} … ${(1_000_000 - lineMaxChars).toLocaleString("en")} more characters of this line are left out`,
    );
    assert.equal(after, "after");
  });

  test("a stream without newlines holds no more than a line, and says at its end what is left out", () => {
    const splitter = new LineSplitter();
    for (let i = 0; i < 64; i++) assert.deepEqual(push(splitter, "x".repeat(65_536)), []);
    assert.match(splitter.flush().join(), /^x{16384} … 4,177,920 more characters of this line so far are left out$/);
    assert.deepEqual(push(splitter, "y".repeat(100)), []);
    assert.deepEqual(splitter.flush(), []);
    assert.deepEqual(splitter.end(), [" … 100 more characters of this line are left out"]);
  });

  test("a progress bar that is never ended shows its newest state, and not all that it overwrote", () => {
    const splitter = new LineSplitter();
    for (let percent = 0; percent <= 100; percent++) push(splitter, `\r${percent}% ${"#".repeat(400)}`);
    const [line = ""] = push(splitter, "\n");
    assert.match(line, /\r100% #+ … [\d,]+ more characters of this line are left out$/);
    assert.ok(line.length <= lineMaxChars + 60);
  });

  test("binary output is lines too: what is no text is U+FFFD, control characters stay", () => {
    const splitter = new LineSplitter();
    assert.deepEqual(splitter.push(Uint8Array.of(0, 27, 0x5b, 0x33, 0x31, 0x6d, 0xff, 0xfe, 10)), [
      "\0\u001b[31m\ufffd\ufffd",
    ]);
  });

  test("a surrogate pair at the cut stays whole", () => {
    const [line = ""] = push(new LineSplitter(), `x${"😀".repeat(lineMaxChars)}\n`);
    assert.ok(line.isWellFormed());
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
