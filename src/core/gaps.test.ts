import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { after, seconds } from "../stdx/time.ts";
import type { DurationMs, Instant } from "../stdx/time.ts";
import { gpuMs } from "./amounts.ts";
import { apply } from "./evolve.ts";
import { take } from "./audit.ts";
import { bayOf } from "./bays.ts";
import { Ledger, card, eventOf, ledger, terms } from "./ledger.suite.ts";
import type { CallTerms, Event, GrantedCall, QueuedCall } from "./model.ts";
import { comesInto, planOn } from "./plan.ts";
import { costIn } from "./sharing.ts";
import { cloneState, nodeOf } from "./state.ts";
import { turnsOn } from "./turns.ts";
import { placeOf, queueOf } from "./views.ts";

/** One card of two slots, of which a call has one for `leaseS` from now; a whole-card call waits for both. */
function gap(leaseS: number): Ledger {
  const it = ledger([card(0, 2)], { queueLimitMs: seconds(3600) });
  for (const call of ["l1", "l2"]) {
    it.schedule(call, { account: "crowd", tier: "unlimited", declaredMs: seconds(leaseS), task: call });
    it.attach(call);
  }
  it.schedule("whole", { account: "wide", tier: "unlimited", size: "xlarge", declaredMs: seconds(1) });
  it.end("l1", 5);
  return it;
}

/** A call has one of three slots for so long; the others are free. */
function beside(runsS: number): Ledger {
  const it = ledger([card(0, 3)], { queueLimitMs: seconds(3600), oldestEvery: 2 });
  it.schedule("runs", { account: "crowd", tier: "unlimited", declaredMs: seconds(runsS) });
  it.attach("runs");
  return it;
}
const whole: Partial<CallTerms> = { account: "wide", size: "xlarge", declaredMs: seconds(1) };
const grantsIn = (events: readonly Event[]) =>
  events.flatMap((event) => (event.type === "call-granted" ? [[event.call, event.turn]] : []));

describe("a gap before a call that waits for a whole card", () => {
  test("is filled by a call that is over before the other half's lease ends, and the grant says so", () => {
    const it = gap(60);
    const events = it.do({ type: "schedule", terms: terms("short", { declaredMs: seconds(30) }) });
    assert.equal(eventOf(events, "call-granted").turn, "gap");
    it.check();
  });

  test("is not filled by one that could still run then, were it attached at the last moment", () => {
    const it = gap(60);
    const events = it.do({ type: "schedule", terms: terms("long", { declaredMs: seconds(30.001) }) });
    assert.deepEqual(eventOf(events, "call-queued").blockers, [{ kind: "kept" }, { kind: "ahead", calls: 1 }]);
    it.check();
  });

  test("is filled by the first of the waiting calls that fits, as soon as it opens", () => {
    const it = ledger([card(0, 2)], { queueLimitMs: seconds(3600) });
    for (const call of ["l1", "l2"]) {
      it.schedule(call, { account: "crowd", tier: "unlimited", declaredMs: seconds(100), task: call });
      it.attach(call);
    }
    it.schedule("whole", { account: "wide", tier: "unlimited", size: "xlarge", declaredMs: seconds(1) });
    it.schedule("long", { account: "a", declaredMs: seconds(90) });
    it.schedule("fits", { account: "b", declaredMs: seconds(50) });
    const { call, turn } = eventOf(it.end("l1", 5), "call-granted");
    assert.deepEqual([call, turn], ["fits", "gap"]);
    it.check();
  });

  test("changes whose turn is next, and that call is granted in the same record: no slot is left to nobody", () => {
    const it = beside(100);
    it.schedule("whole", whole);
    it.schedule("long", { account: "b", tier: "unlimited", declaredMs: seconds(90) });
    assert.equal(it.call("long").stage, "queued", "the whole card is next, and it would run too long");
    const events = it.do({ type: "schedule", terms: terms("fits", { account: "wide", declaredMs: seconds(30) }) });
    assert.deepEqual(grantsIn(events), [
      ["fits", "gap"],
      ["long", "share"],
    ]);
    it.check();
  });

  const ask = (size: CallTerms["size"], declaredS: readonly number[]) =>
    fc.record({
      size: fc.constant(size),
      declaredMs: fc.constantFrom(...declaredS).map(seconds),
      waitMs: fc.constantFrom(0, 1, 3_000),
    });
  // Each has an account of its own: an account pays with its later turns for the gaps that it fills.
  const asks = fc.array(
    fc.oneof(
      { weight: 3, arbitrary: ask("large", [2, 5, 20, 90]) },
      { weight: 1, arbitrary: ask("xlarge", [1, 5, 20]) },
    ),
    { minLength: 10, maxLength: 40, size: "max" },
  );

  test("L46: filling it starts no call ahead later, if everyone uses what they hold", () => {
    let filled = 0;
    fc.assert(
      fc.property(asks, fc.integer({ min: 1, max: 3 }), fc.nat(999), (run, cards, lateMs) => {
        const devices = Array.from({ length: cards }, (_, index) => card(index, 2));
        const it = new Ledger();
        it.do({ type: "start-writer", epoch: 1 });
        it.do({
          type: "set-pool",
          pool: "main",
          settings: { queueLimitMs: seconds(24 * 3600), attachWithinMs: seconds(1) },
        });
        it.do({ type: "join-node", node: "n1", pool: "main", devices, replicas: ["p_1"] });
        for (const [n, { waitMs, ...ask }] of run.entries()) {
          until(it, after(it.now, waitMs as DurationMs), lateMs);
          const asked = terms(`c${n}`, { ...ask, account: `a${n}`, task: `c${n}`, tier: "unlimited" });
          const granted = it.do({ type: "schedule", terms: asked }).find((event) => event.type === "call-granted");
          if (granted?.turn !== "gap") continue;
          filled++;
          const without = past(it, it.records.length - 1);
          const ahead = aheadOf(without, asked);
          const [starts, baseline] = [startsOf(past(it, it.records.length), lateMs), startsOf(without, lateMs)];
          for (const id of ahead)
            assert.ok((starts.get(id) as number) <= (baseline.get(id) as number), `${id} is late`);
        }
      }),
      { numRuns: 150 },
    );
    assert.ok(filled > 5, `${filled} gaps were filled`);
  });
});

describe("a warm worker", () => {
  /** Its slot's worker idles; a call of another function is head, then one of the worker's own comes. */
  const idle = (used: number): readonly Event[] => {
    const it = ledger([card(0, 1)], { queueLimitMs: seconds(3600) });
    it.run("used", used, { account: "bob" });
    it.schedule("mine", { account: "crowd", tier: "unlimited", task: "mine" });
    it.attach("mine");
    it.schedule("head", { account: "alice", task: "other" });
    it.schedule("again", { account: "bob", task: "mine" });
    return it.end("mine", 5, { workerAlive: true });
  };

  test("is preferred among equals: its function's call goes before the head", () => {
    const { call, lease, turn } = eventOf(idle(1_900), "call-granted");
    assert.deepEqual([call, lease.warm, turn], ["again", true, "warm"]);
  });

  test("is not where the head's account has used less by more than a start takes", () => {
    assert.ok(!idle(2_100).some((event) => event.type === "call-granted"));
  });
});

describe("an estimate", () => {
  test("is told with its error so far: by how much the turn moved since the call came", () => {
    const it = ledger([card(0, 1)], { queueLimitMs: seconds(3600) });
    it.schedule("runs", { account: "crowd", tier: "unlimited", declaredMs: seconds(60) });
    it.attach("runs");
    it.schedule("a", { account: "alice" });
    it.wait(20_000);
    assert.equal(placeOf(it.state, "a", it.now)?.errorMs, 0);
    it.schedule("b", { account: "bob", declaredMs: seconds(5) }); // shorter, and so before it
    assert.equal(placeOf(it.state, "a", it.now)?.errorMs, 5_000);
    it.state = cloneState(it.state);
    assert.deepEqual(
      queueOf(it.state, "main", it.now).map(({ call, place }) => [call.terms.call, place.position, place.errorMs]),
      [
        ["a", 2, 5_000],
        ["b", 1, 0],
      ],
    );
    assert.equal((it.call("a") as QueuedCall).estimateMs, 60_000);
  });
});

/** A ledger of its own in which the first `count` records happened, and it is as late. */
function past(it: Ledger, count: number): Ledger {
  const past = new Ledger();
  for (const record of it.records.slice(0, count)) {
    apply(past.state, record);
    take(past.audit, record);
    past.records.push(record);
  }
  past.now = it.now;
  return past;
}

/** Waiting calls whose turn would be before this one's. */
function aheadOf({ state, now }: Ledger, asked: CallTerms): string[] {
  const plan = planOn(state, now);
  comesInto(plan, {
    terms: asked,
    leaseMs: asked.declaredMs,
    entry: costIn(state, asked, gpuMs(asked.declaredMs), now),
  });
  const turns = [...turnsOn(plan, bayOf(nodeOf(state, "n1"), "main"))];
  const at = turns.findIndex((turn) => turn.terms.call === asked.call);
  return turns.slice(0, at).map((turn) => turn.terms.call);
}

/** When each call that waits starts, if all attach `lateMs` after their grant and use their whole lease. */
function startsOf(it: Ledger, lateMs: number): Map<string, Instant> {
  const waiting = [...it.state.calls.values()].filter(({ stage }) => stage === "queued").map((call) => call.terms.call);
  until(it, after(it.now, seconds(24 * 3600)), lateMs);
  return new Map(waiting.map((id) => [id, (it.call(id) as GrantedCall).grantedAt]));
}

/** Lets time pass up to `at`; whatever is due to attach or to end does. */
function until(it: Ledger, at: Instant, lateMs: number): void {
  for (;;) {
    const next = [...it.state.calls.values()]
      .flatMap((call): { at: number; does: () => void }[] => {
        const { call: id } = call.terms;
        if (call.stage === "granted") return [{ at: call.grantedAt + lateMs, does: () => void it.attach(id) }];
        if (call.stage !== "attached") return [];
        return [{ at: call.attachedAt + call.leaseMs, does: () => void it.end(id, call.leaseMs) }];
      })
      .sort((a, b) => a.at - b.at)[0];
    if (next === undefined || next.at > at) break;
    it.now = Math.max(it.now, next.at) as Instant;
    next.does();
  }
  it.now = at;
}

test("a warm worker's call that passes the head is a turn: that of who waits longest comes in the same record, where it is due", () => {
  const it = beside(20);
  const own: Partial<CallTerms> = { account: "b", task: "warm", declaredMs: seconds(3) };
  for (const [call, of] of [
    ["before", own],
    ["beside", {}],
  ] as const) {
    it.schedule(call, of);
    it.attach(call);
  }
  it.schedule("oldest", { account: "c", declaredMs: seconds(90) });
  it.schedule("whole", whole);
  it.end("before", 5, { workerAlive: true });
  it.end("beside", 5);
  assert.equal(it.call("oldest").stage, "queued", "the whole card is next");
  const events = it.do({ type: "schedule", terms: terms("again", own) });
  assert.deepEqual(grantsIn(events), [
    ["again", "warm"],
    ["oldest", "oldest"],
  ]);
  it.check();
});
