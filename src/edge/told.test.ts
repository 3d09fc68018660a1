import assert from "node:assert/strict";
import { test } from "node:test";
import { ToldOneByOne } from "./told.ts";

test("so many are told in a minute, and as many again in the next", () => {
  const clock = { now: 5_000 };
  const told = new ToldOneByOne(3, () => clock.now);
  const take = (times: number): number => Array.from({ length: times }, () => told.take()).filter(Boolean).length;
  assert.equal(take(5), 3);
  clock.now += 59_999;
  assert.equal(take(1), 0);
  clock.now += 1;
  assert.equal(take(5), 3);
});
