import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { after, durationMs, instant, seconds } from "../stdx/time.ts";
import { gpuMs } from "./amounts.ts";
import { compareSpent, minus, newClock, nothingSpent, plus, spend, spentAt, ticksAt } from "./share.ts";

const hour = seconds(3600);
const noon = instant(Date.UTC(2026, 10, 22, 12));
const used = fc.nat(200_000_000).map(gpuMs);
const weight = fc.integer({ min: 1, max: 1000 });
/** Within 60 half-lives after noon. */
const ticks = fc.nat(60 * 4096).map((late) => ticksAt(newClock, hour, noon) + late);

describe("what an account has spent", () => {
  test("counts whole when it is spent, half a half-life later, a quarter after two", () => {
    const [minute, begin] = [gpuMs(60_000), ticksAt(newClock, hour, noon)];
    for (const phase of [0, 1024, 2048, 4095]) {
      const spent = spend(minute, 1, begin + phase);
      const left = [0, 1, 2].map((halfLives) => spentAt(spent, begin + phase + halfLives * 4096));
      for (const [index, expected] of [60_000, 30_000, 15_000].entries())
        assert.ok(Math.abs((left[index] as number) - expected) <= 1, `${left} at ${phase}`);
    }
  });

  test("decays between as 2^-x does, within 6.2 % of it, and never grows", () => {
    const begin = ticksAt(newClock, hour, noon);
    const spent = spend(gpuMs(1_000_000), 1, begin);
    let before = Infinity;
    for (let late = 0; late <= 3 * 4096; late += 64) {
      const left = spentAt(spent, begin + late);
      const exact = 1_000_000 * 2 ** (-late / 4096);
      assert.ok(left <= before && left <= exact + 1 && left >= exact * 0.938, `${left} for ${exact}`);
      before = left;
    }
  });

  test("is divided by the weight", () => {
    const begin = ticksAt(newClock, hour, noon);
    assert.equal(spentAt(spend(gpuMs(60_000), 8, begin), begin), 7_500);
  });

  test("is a whole number that is exact, however much and however late", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(used, weight, ticks), { maxLength: 50 }), (uses) => {
        const sum = uses.reduce((spent, [gpu, by, at]) => plus(spent, spend(gpu, by, at)), nothingSpent);
        assert.ok(Number.isSafeInteger(sum.amount) && sum.amount >= 0);
        assert.ok(Number.isSafeInteger(spentAt(sum, ticksAt(newClock, hour, noon))));
      }),
    );
  });

  test("is given back to nothing", () => {
    fc.assert(
      fc.property(used, weight, ticks, (gpu, by, at) => {
        const spent = spend(gpu, by, at);
        assert.equal(minus(plus(nothingSpent, spent), spent).amount, 0);
      }),
    );
  });

  test("orders two accounts alike at every moment, but for what rounding takes", () => {
    fc.assert(
      fc.property(
        fc.tuple(used, weight, ticks),
        fc.tuple(used, weight, ticks),
        fc.nat(5 * 4096),
        (one, other, late) => {
          const [a, b] = [spend(...one), spend(...other)];
          const at = Math.max(one[2], other[2]) + late;
          if (spentAt(a, at) < spentAt(b, at) - 1) assert.ok(compareSpent(a, b) < 0);
          assert.equal(Math.sign(compareSpent(a, b)), -Math.sign(compareSpent(b, a)) + 0);
        },
      ),
    );
  });
});

test("a clock whose half-life changes goes on from where it stands", () => {
  const change = after(noon, durationMs(12_345_678));
  const clock = { from: change, ticks: ticksAt(newClock, hour, change) };
  assert.equal(ticksAt(clock, seconds(60), change), ticksAt(newClock, hour, change));
  assert.equal(ticksAt(clock, seconds(60), after(change, seconds(60))) - clock.ticks, 4096);
});
