import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { durationMs, seconds } from "../stdx/time.ts";
import { card, eventOf, hello, ledger } from "./ledger.suite.ts";
import type { Ledger } from "./ledger.suite.ts";
import type { CallTerms, Event, PoolSettings, TierName } from "./model.ts";
import { spentLeft } from "./sharing.ts";
import { cloneState, decodeState, encodeState } from "./state.ts";
import { placeOf, queueOf } from "./views.ts";

type Ask = Partial<CallTerms>;
const unlimited: Ask = { tier: "unlimited", account: "crowd" };

/** One slot, which `busy` has. */
function busy(settings: Partial<PoolSettings> = {}): Ledger {
  const it = ledger([card(0, 1)], { queueLimitMs: seconds(3600), ...settings });
  it.schedule("busy", { ...unlimited, task: "busy" });
  it.attach("busy");
  return it;
}

/** Ends what runs after its declared time, as often as one is next; gives who that was, in order. */
function drain(it: Ledger, running = "busy", runMs = 10_000): string[] {
  const order: string[] = [];
  for (let next: string | undefined = running; next !== undefined;) {
    it.wait(runMs);
    next = grantedIn(it.end(next, runMs));
    if (next === undefined) return order;
    order.push(next);
    it.attach(next);
  }
  return order;
}

function grantedIn(events: readonly Event[]): string | undefined {
  return events.find((event) => event.type === "call-granted")?.call;
}

describe("whose turn it is", () => {
  test("a burst does not outrun another account: its calls are next in turn, as if each had been used up", () => {
    const it = busy();
    for (const n of [1, 2, 3, 4]) it.schedule(`a${n}`, { account: "alice" });
    it.schedule("b1", { account: "bob" });
    it.schedule("b2", { account: "bob" });
    assert.deepEqual(drain(it), ["a1", "b1", "a2", "b2", "a3", "a4"]);
    it.check();
  });

  test("who has used less lately goes first", () => {
    const it = ledger([card(0, 1)], { queueLimitMs: seconds(3600) });
    it.run("before", 9_000, { account: "alice" });
    it.schedule("busy", unlimited);
    it.attach("busy");
    it.schedule("a", { account: "alice" });
    it.schedule("b", { account: "bob" });
    assert.deepEqual(drain(it), ["b", "a"]);
  });

  test("what was used long ago no longer counts", () => {
    const it = ledger([card(0, 1)], { queueLimitMs: seconds(3600), shareHalfLifeMs: seconds(60) });
    it.run("before", 9_000, { account: "alice" });
    it.wait(3_600_000);
    it.do(hello([card(0, 1)]));
    it.schedule("busy", unlimited);
    it.attach("busy");
    it.schedule("a", { account: "alice" });
    it.schedule("b", { account: "bob" });
    assert.deepEqual(drain(it), ["a", "b"]);
  });

  test("a call that was cut short counts for what was charged, not for what it held", () => {
    const it = ledger([card(0, 1)], { queueLimitMs: seconds(3600) });
    it.run("a0", 100, { account: "alice", declaredMs: seconds(100) });
    it.run("b0", 9_000, { account: "bob" });
    it.schedule("busy", unlimited);
    it.attach("busy");
    it.schedule("b", { account: "bob" });
    it.schedule("a", { account: "alice" });
    assert.deepEqual(drain(it), ["a", "b"]);
  });

  test("within an account the shorter declared goes first", () => {
    const it = busy();
    it.schedule("long", { declaredMs: seconds(100) });
    it.schedule("short", { declaredMs: seconds(10) });
    assert.deepEqual(drain(it), ["short", "long"]);
  });

  test("accounts get what their weights say, of a slot that all of them always want", () => {
    const share = (tier: TierName, weight: number): number => {
      const it = busy({ oldestEvery: 1_000_000 });
      it.do({ type: "set-tier", tier: "free", settings: { windowLimitMs: null, weight: 2 } });
      it.do({ type: "set-tier", tier, settings: { windowLimitMs: null, weight } });
      const accounts: Ask[] = [
        { account: "alice", tier: "free" },
        { account: "bob", tier },
      ];
      const served = [0, 0];
      let count = 0;
      for (const ask of accounts) for (let n = 0; n < 3; n++) it.schedule(`c${count++}`, ask);
      let running = "busy";
      for (let n = 0; n < 400; n++) {
        it.wait(5_000);
        it.do({ type: "hear-node", node: "n1" });
        running = eventOf(it.end(running, 5_000), "call-granted").call;
        it.attach(running);
        const who = accounts.findIndex(({ account }) => account === it.call(running).terms.account);
        (served[who] as number)++;
        it.schedule(`c${count++}`, accounts[who]);
      }
      it.check();
      return (served[1] as number) / 400;
    };
    for (const [tier, weight] of [
      ["pro", 8],
      ["pro", 2],
      ["enterprise", 14],
    ] as const) {
      const [got, due] = [share(tier, weight), weight / (weight + 2)];
      assert.ok(Math.abs(got - due) <= 0.02, `${got} for ${due}`);
    }
  });

  test("a half-life that is changed holds from then on, also after a snapshot", () => {
    const it = busy();
    it.schedule("a", { account: "alice" });
    it.do({ type: "set-pool", pool: "main", settings: { shareHalfLifeMs: seconds(10) } });
    it.schedule("b", { account: "bob", declaredMs: seconds(9) });
    const clock = it.state.clocks.get("main");
    assert.ok(clock && clock.from === it.now);
    assert.deepEqual(cloneState(it.state).clocks.get("main"), clock);
    assert.deepEqual(drain(it), ["b", "a"]);
    it.check();
  });

  test("a setting that can't be is refused", () => {
    const it = busy();
    for (const settings of [{ shareHalfLifeMs: durationMs(999) }, { oldestEvery: 0 }, { oldestEvery: 1.5 }])
      assert.equal(it.ask({ type: "set-pool", pool: "main", settings }), "amount-overflow");
    for (const weight of [0, 1001, 1.5])
      assert.equal(it.ask({ type: "set-tier", tier: "free", settings: { weight } }), "amount-overflow");
  });
});

describe("nobody waits for ever", () => {
  test("L45: the call that waits longest is next after so many others, and its grant says why", () => {
    const it = busy({ oldestEvery: 4 });
    it.schedule("long", { account: "alice", declaredMs: seconds(300) });
    let running = "busy";
    const order: string[] = [];
    for (let n = 0; n < 8 && running !== "long"; n++) {
      it.schedule(`n${n}`, { account: `new${n}`, declaredMs: seconds(1) });
      const grant = eventOf(it.end(running, 5), "call-granted");
      running = grant.call;
      order.push(`${grant.call} ${grant.turn}`);
      it.attach(running);
    }
    assert.deepEqual(order, ["n0 share", "n1 share", "n2 share", "long oldest"]);
    it.check();
  });

  test("L45: whatever comes, a call before which n came is granted within (n + 1) × oldestEvery turns", () => {
    const asks = fc.array(
      fc.record({
        account: fc.constantFrom("a0", "a1", "a2", "a3", "a4"),
        tier: fc.constantFrom<TierName>("unlimited", "enterprise"),
        declaredMs: fc.constantFrom(1_000, 10_000, 300_000).map(durationMs),
        ends: fc.nat(2),
      }),
      { minLength: 30, maxLength: 120 },
    );
    fc.assert(
      fc.property(asks, fc.integer({ min: 1, max: 6 }), (run, oldestEvery) => {
        const it = ledger([card(0, 2)], { oldestEvery, queueLimitMs: seconds(3600) });
        it.do({ type: "set-tier", tier: "enterprise", settings: { windowLimitMs: null } });
        const turns = new Map<string, { left: number }>();
        const running: string[] = [];
        for (const [n, { ends, ...ask }] of run.entries()) {
          if (it.schedule(`c${n}`, ask).stage === "granted") running.push(`c${n}`);
          else turns.set(`c${n}`, { left: (turns.size + 1) * oldestEvery });
          for (let ended = 0; ended < ends && running.length > 0; ended++) {
            for (const event of it.end(running.shift() as string, 500)) {
              if (event.type !== "call-granted") continue;
              running.push(event.call);
              for (const waits of turns.values()) waits.left--;
              turns.delete(event.call);
            }
          }
          for (const [id, { left }] of turns) assert.ok(left > 0, `${id} has not had its turn`);
        }
        it.check();
      }),
      { numRuns: 60 },
    );
  });
});

test("L47: once nothing is held, an account has spent what was charged to it, whatever became of its calls", () => {
  const asks = fc.array(
    fc.record({
      account: fc.constantFrom("a0", "a1", "a2"),
      declaredMs: fc.constantFrom(1_000, 10_000, 60_000).map(durationMs),
      usedMs: fc.nat(60_000),
      becomes: fc.constantFrom("ends", "ends", "leaves", "is lost"),
    }),
    { minLength: 1, maxLength: 40 },
  );
  fc.assert(
    fc.property(asks, (run) => {
      const it = busy();
      for (const [n, { account, declaredMs }] of run.entries())
        it.schedule(`c${n}`, { account, declaredMs, tier: "pro" });
      run.forEach(({ becomes }, n) => becomes === "leaves" && it.do({ type: "leave", call: `c${n}` }));
      it.end("busy", 10);
      let running = [...it.state.calls.values()].find(({ stage }) => stage === "granted")?.terms.call;
      while (running !== undefined) {
        const { usedMs, becomes } = run[Number(running.slice(1))] as (typeof run)[number];
        if (becomes === "ends") it.attach(running);
        running = grantedIn(it.end(running, becomes === "ends" ? usedMs : 0));
      }
      const charged = new Map<string, number>();
      for (const call of it.state.calls.values()) {
        if (call.stage !== "settled") continue;
        const { account } = call.terms;
        charged.set(account, (charged.get(account) ?? 0) + call.chargedMs);
      }
      for (const account of ["a0", "a1", "a2"]) {
        // No half-life passes meanwhile, so nothing is rounded but each charge by its weight of 8.
        const left = spentLeft(it.state, { pool: "main", account }, it.now);
        assert.ok(Math.abs(left - (charged.get(account) ?? 0) / 8) <= 1, `${account}: ${left}`);
      }
      it.check();
    }),
    { numRuns: 60 },
  );
});

test("the places that are told are the order of the grants, where nobody else comes", () => {
  const asks = fc.array(
    fc.record({
      account: fc.constantFrom("a0", "a1", "a2"),
      tier: fc.constantFrom<TierName>("unlimited", "enterprise"),
      declaredMs: fc.constantFrom(1_000, 10_000, 60_000).map(durationMs),
    }),
    { minLength: 1, maxLength: 30 },
  );
  fc.assert(
    fc.property(asks, fc.integer({ min: 1, max: 5 }), (run, oldestEvery) => {
      const it = busy({ oldestEvery });
      for (const [n, ask] of run.entries()) it.schedule(`c${n}`, ask);
      const told = queueOf(it.state, "main", it.now)
        .sort((a, b) => a.place.position - b.place.position)
        .map(({ call }) => call.terms.call);
      const given: string[] = [];
      // Each call uses all that it holds, and at once, so that nothing is given back and nothing decays.
      let running: string | undefined = "busy";
      while ((running = grantedIn(it.end(running, it.lease(running).leaseMs))) !== undefined) {
        given.push(running);
        it.attach(running);
      }
      assert.deepEqual(given, told);
      it.check();
    }),
    { numRuns: 60 },
  );
});

test("a call with thousands before it is told that it is the last, and no time", () => {
  const it = busy({ queueMax: 3_000 });
  for (let n = 0; n < 2_002; n++)
    it.schedule(`c${n}`, { ...unlimited, declaredMs: seconds(1 + (n === 2_001 ? 9 : 0)) });
  const place = placeOf(it.state, "c2001", it.now);
  assert.deepEqual([place?.position, place?.of, place?.estimateMs], [2_002, 2_002, null]);
  assert.equal(placeOf(it.state, "c0", it.now)?.position, 1);
});

test("a call that a snapshot from before there were shares holds has its turn, and keeps its form", () => {
  const it = busy();
  it.schedule("old");
  const older = encodeState(it.state).replaceAll(/"entry":\{[^}]*\},|"shares":\[.*?\]\],/g, "");
  assert.doesNotMatch(older, /entry|shares/);
  it.state = decodeState(older);
  assert.equal(encodeState(it.state), older);
  it.schedule("new", { account: "bob" });
  assert.deepEqual(drain(it), ["old", "new"]);
  it.check();
});
