import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { durationMs, instant, seconds } from "../../stdx/time.ts";
import { gpuMs } from "../amounts.ts";
import { card, Ledger, noon } from "../ledger.suite.ts";
import type { PoolSettings, TierSettings } from "../model.ts";
import { tryOn } from "./compare.ts";
import type { TrialOutcome } from "./compare.ts";
import { trialWorldOf } from "./world.ts";
import type { PastCall, TrialEdits } from "./world.ts";

let number = 0;
/** `at`: seconds after noon. It declared ten seconds, and used all of them. */
function past(at: number, changes: Partial<PastCall> = {}): PastCall {
  number += 1;
  return {
    ...{ call: `c_${number}`, account: "alice", tier: "free", billedBy: "token", request: null, space: "alice/demo" },
    ...{ release: "rel_1", replica: "p_1", node: "n1", declaredMs: seconds(10), size: "large" },
    ...{ at: instant(noon + at * 1_000), usedMs: 10_000, leftAfterMs: null, ...changes },
  };
}

/** A node with one card of two slots. */
function worldOf(tier: Partial<TierSettings> = {}, pool: Partial<PoolSettings> = {}, slots = 2) {
  const ledger = new Ledger();
  ledger.do({ type: "start-writer", epoch: 1 });
  ledger.do({ type: "set-pool", pool: "main", settings: pool });
  ledger.do({ type: "join-node", node: "n1", pool: "main", devices: [card(0, slots)], replicas: [] });
  if (Object.keys(tier).length > 0) ledger.do({ type: "set-tier", tier: "free", settings: tier });
  return trialWorldOf(ledger.state);
}

function tried(
  calls: readonly PastCall[],
  edits: Partial<TrialEdits>,
  { world = worldOf(), from = 0 }: { readonly world?: ReturnType<typeof worldOf>; readonly from?: number } = {},
): TrialOutcome {
  return tryOn(world, { tiers: {}, pools: {}, ...edits }, { calls, from: noon + from * 1_000 });
}
const free = (settings: Partial<TierSettings>): Partial<TrialEdits> => ({ tiers: { free: settings } });
const main = (settings: Partial<PoolSettings>): Partial<TrialEdits> => ({ pools: { main: settings } });

describe("a trial", () => {
  test("gives each call its GPU for as long as the record has it; what is not changed comes to the same", () => {
    const {
      before,
      after: edited,
      accounts,
      newlyRefused,
    } = tried([past(0), past(5), past(3_600)], free({ weight: 9 }));
    assert.deepEqual(before, edited);
    assert.deepEqual([before.calls, before.served, before.gpuMs, before.refused], [3, 3, 30_000, []]);
    assert.deepEqual([accounts, newlyRefused], [[], []]);
  });

  test("says whom a smaller window would refuse, by what, and how much less GPU time that is", () => {
    const calls = [past(0), past(100), past(200), past(200, { account: "bob" })];
    const outcome = tried(calls, free({ windowLimitMs: gpuMs(20_000) }), {
      world: worldOf({ windowLimitMs: gpuMs(90_000) }),
    });
    assert.deepEqual([outcome.before.served, outcome.after.served], [4, 3]);
    assert.deepEqual(outcome.newlyRefused, [{ code: "quota-exceeded", calls: 1 }]);
    assert.deepEqual(outcome.after.refused, outcome.newlyRefused);
    assert.deepEqual(
      outcome.accounts.map(({ account, tier, before, after: then }) => [account, tier, before.gpuMs, then.gpuMs]),
      [["alice", "free", 30_000, 20_000]],
    );
    assert.deepEqual(
      outcome.tiers.map(({ tier, before }) => [tier, before.calls]),
      [["free", 4]],
    );
  });

  test("counts what a larger one would serve, and what keeps those calls from it now", () => {
    const world = worldOf({ windowLimitMs: gpuMs(15_000) });
    const outcome = tried([past(0), past(100), past(200)], free({ windowLimitMs: null }), { world });
    assert.deepEqual([outcome.newlyServed, outcome.newlyRefused], [[{ code: "quota-exceeded", calls: 2 }], []]);
  });

  test("fills the windows with the calls before its span, and does not count those", () => {
    const calls = [past(-7_200), past(-3_600), past(100)];
    const outcome = tried(calls, free({ windowLimitMs: gpuMs(20_000) }));
    assert.deepEqual([outcome.before.calls, outcome.newlyRefused], [1, [{ code: "quota-exceeded", calls: 1 }]]);
    const shorter = tried(calls, free({ windowLimitMs: gpuMs(20_000), windowMs: durationMs(3_600_000) }));
    assert.deepEqual(shorter.newlyRefused, [], "the second call opened a window of its own");
  });

  test("has the policies of durations, runs and calls at once, and those of a pool", () => {
    const calls = [past(0), past(1), past(2)];
    const codes = (edits: Partial<TrialEdits>) => tried(calls, edits).newlyRefused;
    assert.deepEqual(codes(free({ durationMaxMs: seconds(5) })), [{ code: "duration-not-allowed", calls: 3 }]);
    assert.deepEqual(codes(free({ runsMax: 1 })), [{ code: "runs-exceeded", calls: 2 }]);
    assert.deepEqual(codes(free({ callsMax: 2 })), [{ code: "account-busy", calls: 1 }]);
    assert.deepEqual(codes(main({ queueMax: 0 })), [{ code: "queue-full", calls: 1 }]);
    assert.deepEqual(codes(main({ queueLimitMs: seconds(7) })), [{ code: "queue-timeout", calls: 1 }]);
    assert.deepEqual(codes(main({ queueLimitMs: seconds(9) })), [], "it comes at 2 s, and a slot is free at 10 s");
  });

  test("tells how long calls wait, and by weights for whom it is shorter", () => {
    const world = worldOf({}, { queueLimitMs: seconds(600), oldestEvery: 1_000 }, 1);
    const burst = Array.from({ length: 10 }, (_, at) =>
      past(at / 100, at % 2 === 0 ? {} : { account: "pia", tier: "pro" }),
    );
    const outcome = tried(burst, { tiers: { free: { weight: 100 } } }, { world });
    const waits = (tier: string) => {
      const one = outcome.tiers.find((each) => each.tier === tier);
      return [one?.before.waitMs.median ?? 0, one?.after.waitMs.median ?? 0] as const;
    };
    assert.ok(waits("pro")[0] < waits("free")[0], `as they are: ${waits("pro")[0]} and ${waits("free")[0]}`);
    assert.ok(waits("free")[1] < waits("free")[0] && waits("pro")[1] > waits("pro")[0], "the other way round");
    assert.ok(outcome.before.waitMs.most >= 89_900, "the tenth waits for nine");
    assert.equal(outcome.before.gpuMs, outcome.after.gpuMs);
  });

  test("ends a call with its lease where that is shorter than the record has it", () => {
    // Of a function that takes seconds, and once took long: with less left than declared its lease is clipped.
    const short = Array.from({ length: 8 }, (_, at) => past(at * 100, { declaredMs: seconds(60), usedMs: 1_000 }));
    const long = past(1_000, { declaredMs: seconds(60), usedMs: 40_000 });
    const outcome = tried([...short, long], free({ windowLimitMs: gpuMs(40_000) }));
    assert.deepEqual([outcome.before.gpuMs, outcome.before.clipped, outcome.before.cut], [48_000, 0, 0]);
    assert.deepEqual([outcome.after.gpuMs, outcome.after.clipped, outcome.after.cut], [40_000, 9, 1]);
    assert.deepEqual(outcome.newlyRefused, []);
  });

  test("takes one that never had a GPU to need what half of its Space's did that declared as much, else all that it declared", () => {
    const unknown = { usedMs: null };
    const known = [past(0, { usedMs: 4_000 }), past(100, { usedMs: 6_000 }), past(200, { usedMs: 9_000 })];
    assert.equal(tried([...known, past(300, unknown)], {}).before.gpuMs, 25_000);
    const other = past(300, { ...unknown, declaredMs: seconds(20) });
    assert.equal(tried([...known, other], {}).before.gpuMs, 25_000, "of its Space, where none declared as much");
    assert.equal(tried([other], {}).before.gpuMs, 20_000);
  });

  test("has a visitor leave the queue who left it in the record, if the call still waits then", () => {
    const world = worldOf({}, { queueLimitMs: seconds(600) }, 1);
    const left = past(1, { usedMs: null, leftAfterMs: 3_000 });
    assert.deepEqual(tried([past(0), left], {}, { world }).before.refused, [{ code: "visitor-left", calls: 1 }]);
    assert.deepEqual(tried([left], {}, { world }).before.refused, []);
  });

  test("leaves out calls of nodes that are there no more, and counts them", () => {
    const outcome = tried([past(0), past(1, { node: "gone" })], {});
    assert.deepEqual([outcome.before.calls, outcome.leftOut], [1, 1]);
  });

  test("names the ten accounts that change most, most first", () => {
    const calls = Array.from({ length: 12 }, (_, at) => [
      ...Array.from({ length: at + 1 }, (__, run) => past(at * 1_000 + run * 20, { account: `a${at}` })),
    ]).flat();
    const { accounts } = tried(calls, free({ windowLimitMs: gpuMs(0) }));
    assert.deepEqual(
      accounts.map(({ account }) => account),
      Array.from({ length: 10 }, (_, at) => `a${11 - at}`),
    );
  });

  test("runs an empty span, and a call without a node", () => {
    assert.equal(tried([], {}).before.calls, 0);
    assert.equal(tried([past(0, { node: "gone" })], {}).leftOut, 1);
  });

  test("runs where a card's pool is set and the card is gone", () => {
    const ledger = new Ledger();
    ledger.do({ type: "start-writer", epoch: 1 });
    for (const pool of ["main", "fast"]) ledger.do({ type: "set-pool", pool, settings: {} });
    const joins = (...devices: number[]): void => {
      const cards = devices.map((index) => card(index));
      ledger.do({ type: "join-node", node: "n1", pool: "main", devices: cards, replicas: [] });
    };
    joins(0, 1, 2);
    for (const device of [1, 2]) ledger.do({ type: "set-card-pool", node: "n1", device, pool: "fast" });
    joins(0, 1);
    const world = trialWorldOf(ledger.state);
    assert.deepEqual(world.nodes[0]?.cardPools, [{ device: 1, pool: "fast" }]);
    assert.equal(tried([past(0)], {}, { world }).before.served, 1);
  });
});
