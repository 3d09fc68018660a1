/** Fair share under a day's load: a hundredth of the whole size, by the command. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { promisify } from "node:util";
import type { Capacity } from "../../sim/capacity/capacity.ts";
import type { DayOutcome } from "../../sim/capacity/day.ts";
import { idealOf } from "../../sim/capacity/ideal.ts";
import { callsOf } from "../../sim/capacity/trace.ts";

const root = join(import.meta.dirname, "../..");
const shape = { seed: 1, slots: 80, slotsPerNode: 8, users: 8_000, peak: 1.25 };

describe("the day that is played", () => {
  const calls = [...callsOf(shape)];

  test("has the published shape: most calls are those of few, half of them take seconds and some minutes, and the trough is half the peak", () => {
    const byUser = new Float64Array(shape.users);
    const byHour = new Float64Array(24);
    for (const { user, at } of calls) {
      byUser[user] = (byUser[user] as number) + 1;
      byHour[Math.floor(at / 3_600_000)] = (byHour[Math.floor(at / 3_600_000)] as number) + 1;
    }
    const fifth = byUser.toSorted().slice(-shape.users / 5);
    assert.ok(fifth.reduce((sum, n) => sum + n, 0) / calls.length > 0.99);
    const lengths = Float64Array.from(calls, ({ lengthMs }) => lengthMs).toSorted();
    const median = lengths[lengths.length >> 1] as number;
    assert.ok(median > 6_000 && median < 7_700, `${median}`);
    const night = ((byHour[0] as number) + (byHour[23] as number)) / 2;
    const noon = ((byHour[11] as number) + (byHour[12] as number)) / 2;
    assert.ok(Math.abs(night / noon - 0.5) < 0.05, `${night} ${noon}`);
  });

  test("is the same from the same seed, and in order", () => {
    assert.deepEqual(callsOf(shape).take(100).toArray(), calls.slice(0, 100));
    assert.ok(calls.every(({ at }, n) => n === 0 || at >= (calls[n - 1]?.at ?? 0)));
  });
});

test("what is due is all that was asked for, or as much for the weight as anybody has", () => {
  const due = idealOf(Float64Array.of(10, 100, 100, 0), 110, (user) => [1, 1, 3, 1][user] as number);
  assert.deepEqual([...due], [10, 25, 75, 0]);
  assert.deepEqual([...idealOf(Float64Array.of(10, 20), 100, () => 1)], [10, 20]);
});

describe("npm run sim -- --capacity", () => {
  let days: readonly DayOutcome[] = [];
  before(async () => {
    const args = ["sim/command.ts", "--capacity", "--slots", "80", "--users", "8000", "--json"];
    const run = promisify(execFile)(process.execPath, args, { cwd: root, maxBuffer: 1 << 24 });
    // It promises less of a hundredth: there one user of eight thousand is a tenth of the load.
    const { stdout } = await run.catch((error: { stdout: string }) => error);
    days = (JSON.parse(stdout) as Capacity).days;
  });

  test("by weighted fair share everybody has their turn, no slot idles, and the shares are those of the weights", () => {
    const [ours] = days;
    assert.equal(ours?.policy, "weighted fair share");
    assert.equal(ours.starved, 0);
    assert.ok(ours.utilisationPercent >= 95, `${ours.utilisationPercent}`);
    assert.ok(ours.shareErrorPercent <= 5, `${ours.shareErrorPercent}`);
    assert.ok(ours.longestWaitMs < 601_000, `${ours.longestWaitMs}`);
  });

  test("first come, first served and strict priority starve some on the same day, and miss the shares of accounts by more", () => {
    const [ours, ...others] = days;
    assert.equal(others.length, 2);
    for (const { policy, starved, accountErrorPercent } of others) {
      assert.ok(starved > 0, policy);
      assert.ok(accountErrorPercent > 2 * (ours?.accountErrorPercent ?? NaN), policy);
    }
  });
});
