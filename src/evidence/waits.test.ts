import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { boundOf, bucketOf, bucketsMax, percentilesOf } from "./waits.ts";

describe("waits in buckets", () => {
  test("a bucket's bound is no less than its waits, and at most a fifth more, from five milliseconds on", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000_000 }), (ms) => {
        const bound = boundOf(bucketOf(ms));
        assert.ok(bound >= ms - 1, `${bound} holds ${ms}`);
        if (ms >= 5) assert.ok(bound <= ms * 1.2 + 1, `${bound} is near ${ms}`);
      }),
    );
  });

  test("what is longer than the longest bound is in the last bucket", () => {
    assert.equal(bucketOf(1e12), bucketsMax);
  });

  test("percentiles are those of the sorted waits, rounded up to a bound", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 100_000 }), { minLength: 1, maxLength: 200 }), (waits) => {
        const buckets = new Map<number, number>();
        for (const ms of waits) buckets.set(bucketOf(ms), (buckets.get(bucketOf(ms)) ?? 0) + 1);
        const sorted = waits.toSorted((a, b) => a - b);
        const of = (share: number) => boundOf(bucketOf(sorted[Math.ceil(waits.length * share) - 1] ?? 0));
        const told = percentilesOf(buckets);
        assert.deepEqual(told, { count: waits.length, p50Ms: of(0.5), p95Ms: of(0.95), p99Ms: of(0.99) });
      }),
    );
  });

  test("nothing waited: no percentile", () => {
    assert.deepEqual(percentilesOf(new Map()), { count: 0, p50Ms: null, p95Ms: null, p99Ms: null });
  });
});
