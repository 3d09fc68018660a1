import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { countNewlines } from "./newlines.ts";

test("newlines are counted wherever they stand and however the bytes lie in memory", () => {
  const byte = fc.constantFrom(0, 9, 10, 11, 0x0b, 0x80, 0x8a, 0x7f, 0xff);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.array(byte, { maxLength: 40 }), fc.nat(5), (some, few, from) => {
      const bytes = Uint8Array.from([...some, ...few]).subarray(from);
      assert.equal(countNewlines(bytes), bytes.filter((one) => one === 10).length);
    }),
    { numRuns: 1_000 },
  );
});
