import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRange } from "./ranges.ts";

const cases: readonly (readonly [asked: string | undefined, size: number, found: ReturnType<typeof parseRange>])[] = [
  [undefined, 10, undefined],
  ["bytes=0-0", 10, [0, 0]],
  ["bytes=3-", 10, [3, 9]],
  ["bytes=3-99", 10, [3, 9]],
  ["bytes=-4", 10, [6, 9]],
  ["bytes=-99", 10, [0, 9]],
  ["bytes=9-9", 10, [9, 9]],
  ["bytes=10-", 10, "beyond"],
  ["bytes=-0", 10, "beyond"],
  ["bytes=0-0", 0, "beyond"],
  ["bytes=-1", 0, "beyond"],
  // Not satisfied, and not refused (RFC 9110 §14.2: a server may ignore the field).
  ["bytes=5-2", 10, undefined],
  ["bytes=-", 10, undefined],
  ["bytes=0-1,3-4", 10, undefined],
  ["lines=0-1", 10, undefined],
  ["bytes=1e3-", 10, undefined],
  ["bytes=0x1-2", 10, undefined],
  ["bytes=99999999999999999999-", 10, undefined],
];

for (const [asked, size, found] of cases)
  test(`of a file of ${size} bytes "${asked ?? "(nothing)"}" is ${JSON.stringify(found) ?? "all of it"}`, () => {
    assert.deepEqual(parseRange(asked, size), found);
  });
