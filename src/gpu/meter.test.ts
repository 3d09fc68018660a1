import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  granted,
  killAfterMs,
  nextTickAt,
  step,
  wordWithinMs,
  type Metered,
  type MeterEffect,
  type MeterInput,
  type Step,
  type Word,
} from "./meter.ts";

const lease = { fence: 7, leaseMs: 10_000, attachWithinMs: 30_000 };
const worker = { pid: 41, start: "100" };
const other = { pid: 42, start: "200" };
const silent: Word = { fail: false, outcome: null, exitCode: null, signal: null };
const failed: Word = { ...silent, fail: true };
const unseen = { exitCode: null, signal: null };

/** Feeds the inputs in order, each at its time, and gives the last state with all effects. */
function run(
  begin: Step,
  ...inputs: readonly (readonly [now: number, input: MeterInput])[]
): { call: Metered; effects: readonly MeterEffect[]; last: Step } {
  let last = begin;
  const effects = [...begin.effects];
  for (const [now, input] of inputs) {
    last = step(last.next, input, now);
    effects.push(...last.effects);
  }
  return { call: last.next, effects, last };
}

function endOf(effects: readonly MeterEffect[]): Extract<MeterEffect, { do: "report-ended" }>["end"] {
  const ends = effects.flatMap((effect) => (effect.do === "report-ended" ? effect.end : []));
  assert.equal(ends.length, 1, "exactly one end is reported");
  return ends[0] as (typeof ends)[0];
}

const cold = (): Step => granted(lease, null, 0);
const warm = (): Step => granted(lease, worker, 0);
const allow: MeterInput = { type: "allow", worker };
const release = (word: Word = silent, alive = true): MeterInput => ({
  type: "release",
  word,
  seen: alive ? null : { exitCode: null, signal: null },
});
const tick: MeterInput = { type: "tick" };
const gone: MeterInput = { type: "gone" };

describe("meter", () => {
  test("a cold grant is metered from /allow to /release, in whole milliseconds", () => {
    const { effects } = run(cold(), [1_000, allow], [3_500.9, release()]);
    assert.deepEqual(effects[0], { do: "report-attached", pid: 41 });
    assert.deepEqual(endOf(effects), {
      cause: "returned",
      says: "The function returned.",
      usedMs: 2_500,
      workerAlive: true,
      unused: false,
    });
  });

  test("a warm grant is metered from the grant", () => {
    const { effects } = run(warm(), [2_000, release()]);
    assert.equal(endOf(effects).usedMs, 2_000);
  });

  test("a warm grant whose app forks another worker is metered from that /allow, and the replaced worker is ended", () => {
    const { effects } = run(warm(), [500, { type: "allow", worker: other }], [2_000, release()]);
    assert.equal(endOf(effects).usedMs, 1_500);
    assert.ok(effects.some((effect) => effect.do === "end-replaced" && effect.worker === worker));
  });

  test("a warm grant given back as unused costs nothing and leaves the worker warm", () => {
    const { effects } = run(warm(), [2_000, release({ ...failed, outcome: "unused" })]);
    const end = endOf(effects);
    assert.deepEqual([end.unused, end.usedMs, end.workerAlive], [true, 0, true]);
  });

  test("a warm grant that is never heard of until its lease's end is ended and costs nothing", () => {
    const until = 10_000 + killAfterMs;
    const { effects, call } = run(warm(), [10_000, tick], [until, tick], [until + 5, gone]);
    assert.equal(call.stage, "ending");
    const later = run({ next: call, effects: [] }, [until + wordWithinMs, tick]);
    assert.deepEqual([endOf(later.effects).unused, endOf(later.effects).usedMs], [true, 0]);
    assert.deepEqual(
      effects.map((effect) => effect.do),
      ["report-attached", "term", "end"],
    );
  });

  test("a warm worker that is ended by its lease and then released is metered for the whole lease", () => {
    const until = 10_000 + killAfterMs;
    const { effects } = run(
      warm(),
      [10_000, tick],
      [until, tick],
      [until + 5, gone],
      [until + 50, release(failed, false)],
    );
    assert.deepEqual([endOf(effects).cause, endOf(effects).usedMs], ["lease-end", 10_000]);
  });

  test("a grant that nobody attaches to is unused at the instant of its deadline, not before", () => {
    assert.equal(run(cold(), [29_999, tick]).call.stage, "granted");
    const { effects, last } = run(cold(), [30_000, allow]);
    assert.equal(last.refused, "ended");
    assert.deepEqual([endOf(effects).unused, endOf(effects).usedMs], [true, 0]);
  });

  test("the lease counts from the meter's start and ends at its last instant: TERM, then KILL, then one report", () => {
    const begun = run(cold(), [5_000, allow], [14_999, tick]);
    assert.equal(begun.call.stage, "running");
    const killed: readonly (readonly [number, MeterInput])[] = [
      [15_000, tick],
      [15_000 + killAfterMs, tick],
      [15_600, gone],
    ];
    const over = run({ next: begun.call, effects: [] }, ...killed, [15_650, release(failed, false)]);
    assert.deepEqual(
      over.effects.map((effect) => effect.do),
      ["term", "end", "report-ended"],
    );
    const silentApp = run({ next: begun.call, effects: [] }, ...killed, [15_500 + wordWithinMs, tick]);
    assert.deepEqual(endOf(silentApp.effects), endOf(over.effects));
    assert.deepEqual(
      [endOf(over.effects).cause, endOf(over.effects).usedMs, endOf(over.effects).workerAlive],
      ["lease-end", 10_000, false],
    );
  });

  test("a result that comes between TERM and KILL is a return, charged for the whole lease, and its worker is still ended", () => {
    const { effects } = run(cold(), [0, allow], [10_000, tick], [10_200, release()], [10_210, gone]);
    assert.deepEqual(
      [endOf(effects).cause, endOf(effects).usedMs, endOf(effects).workerAlive],
      ["returned", 10_000, false],
    );
  });

  test("so it is where its worker has ended before its parent says so", () => {
    const died: MeterInput = { type: "died", seen: { exitCode: 0, signal: null } };
    const { effects } = run(cold(), [0, allow], [10_000, tick], [10_200, died], [10_205, gone], [10_220, release()]);
    assert.deepEqual([endOf(effects).cause, endOf(effects).usedMs], ["returned", 10_000]);
  });

  test("L22: a lease's end is not reported while the process may live", () => {
    const { effects } = run(cold(), [0, allow], [10_000, tick], [10_500, tick], [99_000, tick]);
    assert.equal(
      effects.some((effect) => effect.do === "report-ended"),
      false,
    );
  });

  for (const [what, word, seen, cause] of [
    ["nobody saw how", failed, unseen, "worker-killed"],
    ["the app saw SIGKILL", { ...failed, signal: "SIGKILL" }, unseen, "worker-killed"],
    ["the app saw an exit code", { ...failed, exitCode: 3 }, unseen, "worker-exit"],
    ["the app saw a segmentation fault", { ...failed, signal: "SIGSEGV" }, unseen, "worker-exit"],
    [
      "the kernel showed an exit code, whatever the app says",
      { ...failed, signal: "SIGKILL" },
      { exitCode: 0, signal: null },
      "worker-exit",
    ],
    [
      "the kernel killed it when the app's memory was used up",
      failed,
      { exitCode: null, signal: "SIGKILL", outOfMemory: true },
      "worker-oom",
    ],
    ["the app ended it for a visitor who left", { ...failed, outcome: "aborted" }, unseen, "visitor-stop"],
    [
      "the app ended it for a visitor whom a restart of the platform cut off",
      { ...failed, outcome: "cut-off" },
      unseen,
      "operator-stop",
    ],
  ] as const) {
    test(`a worker that died is ${cause} where ${what}`, () => {
      const { effects } = run(
        cold(),
        [0, allow],
        [1_000, { type: "died", seen }],
        [1_010, gone],
        [1_100, release(word, false)],
      );
      assert.deepEqual([endOf(effects).cause, endOf(effects).usedMs], [cause, 1_000]);
    });
  }

  test("an app that speaks before anyone looked is believed about the failure, and the kernel about how", () => {
    const word: MeterInput = { type: "release", word: failed, seen: { exitCode: null, signal: "SIGSEGV" } };
    const { effects } = run(cold(), [0, allow], [1_000, word], [1_010, gone]);
    assert.deepEqual([endOf(effects).cause, endOf(effects).usedMs], ["worker-exit", 1_000]);
    assert.match(endOf(effects).says, /SIGSEGV/);
  });

  test("a dead worker of which the app says nothing is settled after the wait, without evidence by whom", () => {
    const dead = run(
      cold(),
      [0, allow],
      [1_000, { type: "died", seen: unseen }],
      [1_010, gone],
      [1_000 + wordWithinMs - 1, tick],
    );
    assert.equal(dead.call.stage, "ending");
    const { effects } = run({ next: dead.call, effects: [] }, [1_000 + wordWithinMs, tick]);
    assert.equal(endOf(effects).cause, "worker-killed");
    assert.match(endOf(effects).says, /no evidence by whom/);
  });

  test("a failure of a client that forgets its worker ends that worker; one of our SDK keeps it warm", () => {
    const plain = run(cold(), [0, allow], [1_000, release(failed)], [1_010, gone]);
    assert.deepEqual([endOf(plain.effects).cause, endOf(plain.effects).workerAlive], ["raised", false]);
    const ours = run(cold(), [0, allow], [1_000, release({ ...failed, outcome: "raised" })]);
    assert.deepEqual([endOf(ours.effects).cause, endOf(ours.effects).workerAlive], ["raised", true]);
  });

  test("a function that stopped because its visitor had left is the visitor's leave, not the app's error", () => {
    const { effects } = run(cold(), [0, allow], [1_000, release({ ...failed, outcome: "aborted" })], [1_010, gone]);
    const { cause, usedMs, workerAlive } = endOf(effects);
    assert.deepEqual([cause, usedMs, workerAlive], ["visitor-stop", 1_000, false]);
  });

  test("a release without /allow is an unused grant", () => {
    assert.equal(endOf(run(cold(), [1_000, release()]).effects).unused, true);
  });

  test("a second /allow of the same process changes nothing, one of another is refused", () => {
    const twice = run(cold(), [0, allow], [50, allow]);
    assert.deepEqual([twice.last.refused, twice.last.effects.length], [undefined, 0]);
    assert.equal(run(cold(), [0, allow], [50, { type: "allow", worker: other }]).last.refused, "other-worker");
  });

  test("the app's end ends every stage, and what is being ended keeps the cause it has", () => {
    const exit: MeterInput = { type: "app-ended", cause: "app-exit" };
    assert.equal(endOf(run(cold(), [100, exit]).effects).unused, true);
    assert.deepEqual(endOf(run(cold(), [0, allow], [100, exit]).effects).usedMs, 100);
    assert.equal(
      endOf(run(cold(), [0, allow], [100, { type: "died", seen: unseen }], [120, exit]).effects).cause,
      "app-exit",
    );
    assert.equal(
      endOf(run(cold(), [0, allow], [10_000, tick], [10_500, tick], [10_510, exit]).effects).cause,
      "lease-end",
    );
  });

  test("a grant that is taken back is unused before /allow, and ends its worker after it", () => {
    const withdraw: MeterInput = { type: "withdraw", cause: "operator-stop" };
    assert.equal(endOf(run(cold(), [100, withdraw]).effects).unused, true);
    const { effects } = run(cold(), [0, allow], [100, withdraw], [110, gone]);
    assert.deepEqual([endOf(effects).cause, endOf(effects).usedMs], ["operator-stop", 100]);
  });

  test("L30, L31: in any order of inputs one end is reported, after which nothing happens, and no more than the lease is used", () => {
    const anyInput = fc.oneof(
      fc.constantFrom<MeterInput>(allow, { type: "allow", worker: other }, tick, gone, { type: "died", seen: unseen }),
      fc.constantFrom<MeterInput>(
        { type: "withdraw", cause: "grant-unused" },
        { type: "app-ended", cause: "app-killed" },
      ),
      fc
        .record({ fail: fc.boolean(), alive: fc.boolean() })
        .map(({ fail, alive }): MeterInput => release({ ...silent, fail }, alive)),
    );
    fc.assert(
      fc.property(fc.boolean(), fc.array(fc.tuple(fc.nat(9_000), anyInput), { maxLength: 30 }), (isWarm, inputs) => {
        let now = 0;
        let state = isWarm ? warm() : cold();
        const effects = [...state.effects];
        for (const [passed, input] of inputs) {
          now += passed;
          const before = state.next.stage;
          state = step(state.next, input, now);
          if (before === "ended") assert.deepEqual(state.effects, []);
          effects.push(...state.effects);
        }
        const ends = effects.filter((effect) => effect.do === "report-ended");
        assert.equal(ends.length, state.next.stage === "ended" ? 1 : 0);
        assert.ok(ends.every(({ end }) => end.usedMs <= lease.leaseMs));
        assert.equal(nextTickAt(state.next) === null, state.next.stage === "ended");
      }),
    );
  });

  test("L9: whatever came before, ticks and the process's end lead to an end", () => {
    fc.assert(
      fc.property(fc.boolean(), fc.boolean(), (isWarm, attaches) => {
        const inputs: [number, MeterInput][] = attaches ? [[10, allow]] : [];
        const late = [40_000, 41_000, 42_000].flatMap((now): [number, MeterInput][] => [
          [now, tick],
          [now + 1, gone],
        ]);
        assert.equal(run(isWarm ? warm() : cold(), ...inputs, ...late, [50_000, tick]).call.stage, "ended");
      }),
    );
  });
});
