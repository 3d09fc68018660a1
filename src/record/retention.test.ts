import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { cuts } from "./retention.ts";

const sizes = fc
  .array(fc.nat({ max: 1_000 }), { minLength: 1, maxLength: 30 })
  .map((all) => all.map((records, at) => ({ space: `alice/s-${at}`, records })));

describe("cuts", () => {
  test("take from the Spaces with most records, down to one level", () => {
    const few = [
      { space: "quiet", records: 10 },
      { space: "busy", records: 100 },
      { space: "busier", records: 120 },
    ];
    assert.deepEqual(cuts(few, 15), [{ space: "busier", count: 15 }]);
    assert.deepEqual(cuts(few, 40), [
      { space: "busier", count: 30 },
      { space: "busy", count: 10 },
    ]);
  });

  test("take what is asked for, and fewer than one more of each; no Space keeps more than one that lost some", () => {
    fc.assert(
      fc.property(sizes, fc.nat({ max: 5_000 }), (all, asked) => {
        const there = all.reduce((sum, { records }) => sum + records, 0);
        const count = Math.min(asked, there);
        const lost = new Map(cuts(all, count).map((cut) => [cut.space, cut.count]));
        const sum = [...lost.values()].reduce((one, other) => one + other, 0);
        assert.ok(sum >= count && sum < count + all.length && sum <= there, `${sum} of ${there} for ${count}`);
        const kept = all.map(({ space, records }) => ({ space, left: records - (lost.get(space) ?? 0) }));
        const least = Math.min(...kept.filter(({ space }) => lost.has(space)).map(({ left }) => left));
        for (const { space, left } of kept) assert.ok(left >= 0 && (lost.has(space) || left <= least));
      }),
    );
  });
});
