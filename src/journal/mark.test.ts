import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { encodeSlot, MarkFile, readMark } from "./mark.ts";

const older = { index: 7, hash: "a".repeat(64) };
const newer = { index: 9, hash: "b".repeat(64) };

function inFolder(use: (file: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "waybill-mark-"));
  try {
    use(join(folder, "journal.mark"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function markIn(file: string): unknown {
  const read = readMark(file);
  return read.state === "whole" ? read.mark : read.state;
}

test("MarkFile: says what it was made for, then what it was moved to, whoever opens it next", () => {
  inFolder((file) => {
    const first = new MarkFile(file, older);
    assert.deepEqual(markIn(file), older);
    first.moveTo(newer);
    first.close();
    assert.deepEqual(markIn(file), newer);
    const later = { index: 12, hash: "c".repeat(64) };
    new MarkFile(file, later).close();
    assert.deepEqual(markIn(file), later);
  });
});

test("MarkFile: a move leaves the mark before it in the other slot", () => {
  inFolder((file) => {
    const mark = new MarkFile(file, older);
    mark.moveTo(newer);
    mark.close();
    const read = readMark(file);
    assert.ok(read.state === "whole");
    const bytes = readFileSync(file);
    bytes.fill(0, read.slot * 512, (read.slot + 1) * 512);
    writeFileSync(file, bytes);
    assert.deepEqual(markIn(file), older);
  });
});

test("readMark: of two whole slots the newer counts, in whichever place", () => {
  inFolder((file) => {
    writeFileSync(file, Buffer.concat([encodeSlot(newer), encodeSlot(older)]));
    assert.deepEqual(readMark(file), { state: "whole", mark: newer, slot: 0 });
  });
});

test("readMark: a torn slot costs the newer mark, not both", () => {
  inFolder((file) => {
    const bytes = Buffer.concat([encodeSlot(older), encodeSlot(newer)]);
    bytes.fill(0, 512 + 30);
    writeFileSync(file, bytes);
    assert.deepEqual(readMark(file), { state: "whole", mark: older, slot: 0 });
  });
});

test("readMark: missing and bad are told apart", () => {
  inFolder((file) => {
    assert.deepEqual(readMark(file), { state: "missing" });
    writeFileSync(file, "nonsense");
    assert.deepEqual(readMark(file), { state: "bad" });
  });
});

test("readMark: a flipped digit in the index makes the slot bad", () => {
  inFolder((file) => {
    const text = encodeSlot(older).toString().replace('"index":7', '"index":8');
    writeFileSync(file, text);
    assert.deepEqual(readMark(file), { state: "bad" });
  });
});
