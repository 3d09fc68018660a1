/** What holds in random lives of a small ledger (life.suite.ts): after each command the audit compares the state with the log. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { durationMs, seconds } from "../stdx/time.ts";
import { attachEndsAt, dueAt, leasedOn, nextDeadline, queuedOn, settleEndsAt } from "./deadlines.ts";
import { decide } from "./decide.ts";
import { apply, evolve } from "./evolve.ts";
import { couldPay, limitInForce } from "./audit-funds.ts";
import { balanceOf, take } from "./audit.ts";
import { checkInvariants } from "./invariants.ts";
import { Ledger } from "./ledger.suite.ts";
import { begin, cardsUpTo, life, lived, nodes, play, replicas } from "./life.suite.ts";
import type { Step } from "./life.suite.ts";
import { gpuMs } from "./amounts.ts";
import type { AllowanceTerms, Event, Size } from "./model.ts";
import { tierDefaults } from "./policy.ts";
import type { LedgerRecord } from "./record.ts";
import { cloneState, decodeState, emptyState, encodeState, stateHashInput } from "./state.ts";
import type { State } from "./state.ts";
import { Replay } from "./totals.ts";
import type { Beginning } from "./totals.ts";
import { quotaOf } from "./views.ts";

const property = (name: string, runs: number, check: (run: readonly Step[]) => void): void => {
  test(name, () => fc.assert(fc.property(life, check), { numRuns: runs }));
};

describe("what must never happen, whatever is asked in whatever order", () => {
  property(
    "L1–L6, L8, L12, L18, L20, L22, L31, L35, L39, L40, L47, L49–L51: no sequence of commands makes the audit find anything",
    80,
    (run) => {
      lived(run, (it) => it.check());
    },
  );

  property("L5, L7, L30: a call that ended stays as it ended, until it is forgotten", 25, (run) => {
    const ended = new Map<string, unknown>();
    lived(run, (it) => {
      for (const [id, was] of ended) {
        const known = it.state.calls.get(id);
        if (known === undefined) ended.delete(id);
        else assert.equal(known, was);
      }
      for (const [id, known] of it.state.calls) if ("endedAt" in known) ended.set(id, known);
    });
  });

  property("L10, L11, L12: asking again at once records nothing, whether it was allowed or refused", 25, (run) => {
    lived(run, (it, step) => {
      if (step.kind !== "command") return;
      const command = step.make(it.state);
      if (command.type === "join-node") return; // each hello is a record
      it.ask(command);
      const before = stateHashInput(it.state);
      it.ask(command);
      assert.equal(stateHashInput(it.state), before);
    });
  });

  property("L14: a decision reads the state and changes nothing in it", 12, (run) => {
    lived(run, (it, step) => {
      if (step.kind !== "command") return;
      const before = stateHashInput(it.state);
      decide(it.state, step.make(it.state), it.now);
      assert.equal(stateHashInput(it.state), before);
    });
  });

  property("L25: a record gives the state that its events give one by one", 25, (run) => {
    const [whole, single] = [emptyState(), emptyState()];
    for (const record of lived(run).records) {
      apply(whole, record);
      for (const event of record.events) evolve(single, event, record);
      Object.assign(single, { index: record.index, at: record.at });
      assert.equal(stateHashInput(whole), stateHashInput(single));
    }
    assert.deepEqual(checkInvariants(whole), []);
  });

  property("L15: a tick before the next deadline records nothing", 25, (run) => {
    lived(run, (it) => {
      const due = nextDeadline(it.state);
      if (due === null || due > it.now) assert.deepEqual(it.tick(), []);
    });
  });

  property("L15: a node's next deadline is the earliest of its calls'", 25, (run) => {
    lived(run, (it) => {
      const copy = cloneState(it.state);
      for (const node of it.state.nodes.values()) {
        const ends = [
          ...queuedOn(it.state, node).map(({ deadline, moveAt = deadline }) => Math.min(deadline, moveAt)),
          ...leasedOn(it.state, node).map((call) =>
            call.stage === "granted" ? attachEndsAt(it.state, node, call) : settleEndsAt(node, call),
          ),
        ];
        const earliest = ends.length === 0 ? null : Math.min(...ends);
        assert.equal(dueAt(it.state, node), earliest);
        assert.equal(dueAt(copy, copy.nodes.get(node.name) as typeof node), earliest);
      }
    });
  });

  property("L17: right after a start nothing expires", 25, (run) => {
    lived(run, (it) => {
      if (it.state.ended.length - it.state.endedHead > 0) return; // forgetting is not expiry
      // A drain's end is an operator's word, not an expiry: it ends calls whenever it comes.
      for (const { of } of it.state.drains.values()) it.do({ type: "set-drain", of, drain: null });
      it.do({ type: "start-writer", epoch: it.state.writer.epoch + 1 });
      it.wait(49_999);
      assert.deepEqual(it.tick(), []);
    });
  });

  property("L21: a fence that is not the lease's changes nothing", 25, (run) => {
    const it = lived(run);
    for (const [id, known] of it.state.calls) {
      const before = stateHashInput(it.state);
      for (const off of [-1, 1]) {
        const fence = ("lease" in known && known.lease ? known.lease.fence : 1) + off;
        it.ask({ type: "attach", call: id, fence, pid: 1 });
        it.ask({ type: "end", call: id, fence, cause: "returned", usedMs: durationMs(1), workerAlive: false });
      }
      assert.equal(stateHashInput(it.state), before);
    }
  });

  property("L23: nothing brings back a grant that was taken away", 25, (run) => {
    const over = new Map<string, number>();
    lived(run, (it) => {
      for (const [id, known] of it.state.calls) {
        if (known.stage === "voided" && known.lease) over.set(`${id} ${known.lease.fence} ${known.lease.slots[0]}`, 1);
        if (known.stage === "attached") assert.ok(!over.has(`${id} ${known.lease.fence} ${known.lease.slots[0]}`));
      }
    });
  });

  property(
    "L34: what is shown as left is limit − used − held by the log at the index shown with it, never below 0",
    25,
    (run) => {
      lived(run, (it) => {
        const log = { ...it.audit, at: it.now };
        for (const { id, tier: name } of it.state.accounts.values()) {
          const quota = quotaOf(it.state, id, it.now) ?? assert.fail();
          const { usedMs, heldMs } = isOver(it, id) ? { usedMs: 0, heldMs: 0 } : balanceOf(it.audit, id);
          const limit = limitInForce(log, id, name);
          const left = limit === null ? null : Math.max(0, limit - usedMs - heldMs);
          assert.deepEqual(
            [quota.usedMs, quota.heldMs, quota.limitMs, quota.leftMs, quota.index],
            [usedMs, heldMs, limit, left, it.audit.index],
          );
          if (left !== null && !isOver(it, id)) assert.equal(left + quota.creditsMs, couldPay(log, id, name));
        }
      });
    },
  );
});

const isOver = (it: Ledger, account: string): boolean => it.now >= (it.audit.books.get(account)?.resetsAt ?? Infinity);

describe("what always holds in the end", () => {
  property("L9: once faults stop every hold ends within its time to live, and every slot is free again", 25, (run) => {
    const it = lived(run);
    settleDown(it);
    for (const known of it.state.calls.values()) assert.ok("endedAt" in known, `${known.terms.call} is ${known.stage}`);
    for (const [id, slot] of it.state.slots) assert.equal(slot.stage, "free", id);
    for (const { heldMs, open } of it.state.accounts.values()) assert.deepEqual([heldMs, open], [0, 0]);
    it.check();
  });

  property(
    "L25: the log replayed gives the same state, twice, and so does a snapshot with the rest of the log",
    25,
    (run) => {
      const it = lived(run);
      const whole = stateHashInput(it.state);
      assert.equal(stateHashInput(replay(emptyState(), it.records)), whole);
      assert.equal(encodeState(decodeState(encodeState(it.state))), whole);
      const half = it.records.length >> 1;
      const snapshot = cloneState(replay(emptyState(), it.records.slice(0, half)));
      assert.equal(stateHashInput(replay(snapshot, it.records.slice(half))), whole);
    },
  );

  test("L38: a log whose first records are gone, with what they came to, gives the sums of the whole log", () => {
    // Long enough for addresses that come back after they were forgotten.
    const long = fc.array(life, { minLength: 6, maxLength: 6 }).map((lives) => lives.flat());
    const check = (run: readonly Step[]): void => {
      const { records } = lived(run);
      const whole = replayed(undefined, records);
      for (let cut = 50; cut < records.length; cut += 50) {
        const first = replayed(undefined, records.slice(0, cut));
        const rest = replayed({ state: cloneState(first.state), counts: first.counts() }, records.slice(cut));
        assert.deepEqual([rest.totals(), rest.counts()], [whole.totals(), whole.counts()]);
        assert.deepEqual([...rest.differences(), ...whole.differences()], []);
      }
    };
    fc.assert(fc.property(long, check), { numRuns: 8 });
  });

  property("a state that was read back decides as the one that was written", 12, (run) => {
    const it = begin();
    for (const step of run) {
      const copy = cloneState(it.state);
      if (step.kind === "command") {
        const command = step.make(it.state);
        assert.deepEqual(decide(copy, command, it.now), decide(it.state, command, it.now));
      }
      play(it, step);
    }
  });
});

describe("L33: of calls that arrive together exactly those are let in that the policy lets in one after another", () => {
  const asked = fc.record({
    declaredMs: fc.oneof(fc.integer({ min: 1, max: 400_000 }), fc.constantFrom(1, 2, 60_000, 150_000)),
    size: fc.constantFrom<Size>("large", "xlarge"),
  });
  const setting = fc.record({
    calls: fc.array(asked, { minLength: 1, maxLength: 12 }),
    admission: fc.constantFrom("clip" as const, "strict" as const),
    usedMs: fc.integer({ min: 0, max: 300_000 }),
    creditsMs: fc.constantFrom(0, 1, 70_001),
    budget: fc.option(
      fc.record({ limitMs: fc.nat(400_000), whenOut: fc.constantFrom("visitor" as const, "refuse" as const) }),
    ),
  });
  type Setting = typeof setting extends fc.Arbitrary<infer T> ? T : never;

  /** The rule in its own words: what is held for each call, in whose name; nothing for one that is refused. */
  function byTheRule({ calls, admission, usedMs, creditsMs, budget }: Setting): string[] {
    const left = { own: 300_000 - usedMs + creditsMs, budget: budget?.limitMs ?? 0 };
    const take = (from: "own" | "budget", declaredMs: number, factor: number, mayClip: boolean): string | undefined => {
      const need = declaredMs * factor;
      const most = Math.floor(left[from] / factor) * factor;
      const isLikely = left[from] >= Math.ceil(declaredMs / 2) * factor;
      const held = need <= left[from] ? need : mayClip && most > 0 && isLikely ? most : undefined;
      if (held === undefined) return undefined;
      left[from] -= held;
      return `${from} ${held}`;
    };
    return calls.map(({ declaredMs, size }) => {
      const factor = size === "xlarge" ? 2 : 1;
      const isLast = budget?.whenOut === "refuse";
      const sponsored = budget && take("budget", declaredMs, factor, isLast && admission === "clip");
      if (sponsored !== undefined && sponsored !== null) return sponsored;
      return (isLast ? undefined : take("own", declaredMs, factor, admission === "clip")) ?? "-";
    });
  }

  test("clipped ones, credits and an owner's budget included", () => {
    const check = (wanted: Setting): void => {
      const it = new Ledger();
      it.do({ type: "start-writer", epoch: 1 });
      it.do({ type: "set-pool", pool: "main", settings: { admission: wanted.admission } });
      it.do({ type: "join-node", node: "n1", pool: "main", devices: cardsUpTo(1), replicas });
      it.run("before", wanted.usedMs, { declaredMs: durationMs(300_000), space: "a/other" });
      const given = { id: "al_1", by: "admin", reason: "asked" };
      const credits: AllowanceTerms = { kind: "credits", ms: gpuMs(wanted.creditsMs), expiresAt: null };
      if (wanted.creditsMs > 0)
        it.do({ type: "allow", account: "alice", tier: "free", allowance: { ...given, terms: credits } });
      const { limitMs, whenOut } = wanted.budget ?? {};
      if (limitMs !== undefined && whenOut !== undefined) {
        const settings = { limitMs: gpuMs(limitMs), whenOut };
        it.do({ type: "set-budget", space: "bob/demo", sponsor: "bob", tier: "pro", settings });
      }
      const held = wanted.calls.map(({ declaredMs, size }, n) => {
        const call = it.schedule(`c${n}`, { declaredMs: durationMs(declaredMs), size, space: "bob/demo" });
        if (call.stage === "refused") return "-";
        return `${call.sponsor === undefined ? "own" : "budget"} ${call.heldMs}`;
      });
      assert.deepEqual(held, byTheRule(wanted));
      it.check();
    };
    fc.assert(fc.property(setting, check), { numRuns: 300 });
  });
});

describe("the audit", () => {
  const mutants: readonly [string, string, (events: readonly Event[]) => Event[]][] = [
    [
      "L2",
      "leaks the remainder",
      (events) =>
        events.map((event) =>
          event.type === "call-settled" ? { ...event, releasedMs: (event.releasedMs - 1) as never } : event,
        ),
    ],
    [
      "L5",
      "settles twice",
      (events) => events.flatMap((event): Event[] => (event.type === "call-settled" ? [event, event] : [event])),
    ],
    [
      "L18",
      "uses a fence again",
      (events) =>
        events.map((event) =>
          event.type === "call-granted" ? { ...event, lease: { ...event.lease, fence: 1 } } : event,
        ),
    ],
    [
      "L40",
      "admits a run more than the tier's",
      (events) =>
        events.flatMap((event): Event[] =>
          event.type === "call-admitted"
            ? [{ v: 1, type: "tier-set", tier: "free", settings: { ...tierDefaults.free, runsMax: 2 } }, event]
            : [event],
        ),
    ],
    [
      "L40",
      "admits a call of the Space more than the pool's",
      (events) =>
        events
          .filter((event) => event.type !== "call-settled")
          .map((event) =>
            event.type === "pool-set" ? { ...event, settings: { ...event.settings, spaceCallsMax: 2 } } : event,
          ),
    ],
    ["L8", "grants without a hold", (events) => events.filter((event) => event.type !== "call-admitted")],
  ];
  for (const [invariant, does, mutate] of mutants) {
    test(`${invariant}: finds a log that ${does}`, () => {
      const it = begin();
      for (const id of ["c0", "c1", "c2"]) it.run(id, 50, { node: "n1" });
      const audit = new Ledger().audit;
      const records = it.records.map((record) => ({ ...record, events: mutate(record.events) }));
      for (const record of records) take(audit, record);
      assert.ok(
        audit.findings.some((finding) => finding.invariant === invariant),
        JSON.stringify(audit.findings),
      );
    });
  }

  test("L1: finds a balance that the log does not give", () => {
    const it = begin();
    it.run("c0", 50, { node: "n1" });
    (it.state.accounts.get("alice") as { usedMs: number }).usedMs = 49;
    assert.deepEqual(
      checkInvariants(it.state, it.audit).map(({ invariant }) => invariant),
      ["L1"],
    );
  });
});

/** No more faults: nodes are there and heard, every order to clear is obeyed, and time passes. */
function settleDown(it: Ledger): void {
  for (const node of nodes) it.do({ type: "join-node", node, pool: "main", devices: cardsUpTo(2), replicas });
  for (let waited = 0; waited < 600; waited += 20) {
    for (const [slot, { stage, fence }] of it.state.slots) {
      if (stage === "clearing" || stage === "warm") it.ask({ type: "clear-slot", slot, fence });
    }
    for (const node of nodes) it.do({ type: "hear-node", node });
    it.tick();
    it.wait(seconds(20));
  }
}

function replay(state: State, records: readonly LedgerRecord[]): State {
  for (const record of records) apply(state, JSON.parse(JSON.stringify(record)) as LedgerRecord);
  return state;
}

function replayed(beginning: Beginning | undefined, records: readonly LedgerRecord[]): Replay {
  const all = new Replay(beginning);
  for (const record of records) all.take(record);
  return all;
}
