import assert from "node:assert/strict";
import { test } from "node:test";
import { giveBack } from "./give-back.ts";

test("memory is given back once, and only where nothing else lies in it", () => {
  const own = new Uint8Array(1_000);
  const [part, other] = [own.subarray(0, 500), own.subarray(500)];
  giveBack(part);
  giveBack(other);
  assert.deepEqual([part.length, other.length], [500, 500]);
  giveBack(own);
  giveBack(own);
  assert.deepEqual([own.length, own.buffer.byteLength], [0, 0]);
  giveBack(new Uint8Array(new SharedArrayBuffer(8)));
});
