import assert from "node:assert/strict";
import { test } from "node:test";
import { nowhere, UnderWay } from "./under-way.ts";
import type { Carried } from "./under-way.ts";

const one = (): Carried => ({ place: nowhere, sweep: () => {}, breakOff: () => {} });

test("whoever is added is there until it is taken out, in whatever order, and twice is once", () => {
  const all = new UnderWay();
  const [a, b, c] = [one(), one(), one()];
  for (const each of [a, b, c]) all.add(each);
  all.delete(a);
  all.delete(a);
  assert.deepEqual([...all], [c, b]);
  all.delete(b);
  all.add(a);
  assert.deepEqual([...all], [c, a]);
  all.delete(c);
  all.delete(a);
  assert.deepEqual([[...all], all.size], [[], 0]);
});

test("those that are under way when it is asked are gone through, whatever becomes of them meanwhile", () => {
  const all = new UnderWay();
  const seen: Carried[] = [];
  const each = [one(), one(), one()];
  for (const carried of each) all.add(carried);
  for (const carried of all) {
    seen.push(carried);
    all.delete(carried);
    all.add(one());
  }
  assert.deepEqual([seen, all.size], [each, 3]);
});
