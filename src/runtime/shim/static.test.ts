import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseRange } from "./static.ts";

describe("parseRange", () => {
  for (const [header, expected] of [
    [undefined, undefined],
    ["bytes=0-9", [0, 9]],
    ["bytes=90-", [90, 99]],
    ["bytes=90-500", [90, 99]],
    ["bytes=-10", [90, 99]],
    ["bytes=-500", [0, 99]],
    ["bytes=100-", "unsatisfiable"],
    ["bytes=-0", "unsatisfiable"],
    ["bytes=5-2", undefined],
    ["bytes=0-1,5-6", undefined],
    ["items=0-1", undefined],
    ["bytes=-", undefined],
  ] as const) {
    test(`${header ?? "no header"} of 100 bytes is ${JSON.stringify(expected) ?? "the whole"}`, () => {
      assert.deepEqual(parseRange(header, 100), expected);
    });
  }
});
