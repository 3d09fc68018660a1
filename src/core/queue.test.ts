import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { after, seconds } from "../stdx/time.ts";
import { nextDeadline } from "./deadlines.ts";
import { card, eventOf, hello, ledger, noon, terms, types } from "./ledger.suite.ts";
import type { Ledger } from "./ledger.suite.ts";
import type { Event, GrantedCall, QueuedCall, VoidedCall } from "./model.ts";
import { cloneState, encodeState } from "./state.ts";
import { boardOf, clearingOn, openCallsOn, placeOf, poolOf, queueOf } from "./views.ts";

/** `n` slots, all of which another account's calls have; `l1`, `l2`, … */
function full(n: number, settings = {}, cards = 1): Ledger {
  const it = ledger(
    Array.from({ length: cards }, (_, index) => card(index, n / cards)),
    settings,
  );
  for (let i = 1; i <= n; i++) {
    it.schedule(`l${i}`, {
      account: "crowd",
      tier: "unlimited",
      declaredMs: seconds(60 * i),
      endpoint: `/l${i}`,
      task: `l${i}`,
    });
    it.attach(`l${i}`);
  }
  return it;
}
const hear = (it: Ledger): unknown => it.do({ type: "hear-node", node: "n1" });

const report = (it: Ledger, ...devices: number[]): readonly Event[] =>
  it.do({
    type: "report-cards",
    node: "n1",
    trouble: devices.map((device) => ({ device, cause: "device-fault", says: `card ${device} is lost` })),
  });

describe("a card in trouble", () => {
  test("L39: is not granted; calls go to the others, and wait where there is none", () => {
    const it = ledger([card(0, 1), card(1, 1)]);
    report(it, 0);
    it.schedule("a");
    assert.deepEqual(it.lease("a").slots, ["n1/1/0"]);
    const told = eventOf(it.do({ type: "schedule", terms: terms("b") }), "call-queued");
    assert.deepEqual(told.blockers, [
      { kind: "slots", leased: 1, clearing: 0, total: 2 },
      { kind: "cards", cards: 1, of: 2, says: "card 0 is lost" },
    ]);
    assert.deepEqual(
      [poolOf(it.state, "main")?.troubled, boardOf(it.state, it.now)[0]?.trouble?.says],
      [1, "card 0 is lost"],
    );
    it.check();
  });

  test("L39: comes back with the record that says that it is well, and is granted in it", () => {
    const it = ledger([card(0, 1)]);
    report(it, 0);
    it.schedule("a");
    assert.equal(it.call("a").stage, "queued");
    assert.deepEqual(types(report(it)), ["cards-changed", "call-granted"]);
    it.check();
  });

  test("L39: its idle worker is not granted either, nor a whole card of which it is", () => {
    const it = ledger([card(0, 2)]);
    it.schedule("warm");
    it.attach("warm");
    it.end("warm", 5, { workerAlive: true });
    report(it, 0);
    it.schedule("again");
    it.schedule("whole", { size: "xlarge" });
    assert.deepEqual(
      ["again", "whole"].map((id) => it.call(id).stage),
      ["queued", "queued"],
    );
    it.check();
  });

  test("the same again is no event, and what was said holds through the node's hello and a snapshot", () => {
    const it = ledger([card(0, 1)]);
    const before = encodeState(it.state);
    report(it, 0);
    assert.deepEqual(report(it, 0), []);
    it.do(hello([card(0, 1)]));
    assert.equal(it.state.nodes.get("n1")?.trouble[0]?.device, 0);
    assert.deepEqual(cloneState(it.state).nodes.get("n1")?.trouble, it.state.nodes.get("n1")?.trouble);
    report(it);
    assert.doesNotMatch(encodeState(it.state), /trouble/);
    assert.doesNotMatch(before, /trouble/);
  });

  for (const cause of ["raised", "lease-end", "worker-exit", "worker-killed", "app-exit", "app-killed"] as const) {
    test(`a call that ends as ${cause} there costs nothing, and the card is named`, () => {
      const it = ledger([card(0, 1)]);
      it.schedule("c");
      it.attach("c");
      report(it, 0);
      const { rule, chargedMs, says } = eventOf(it.end("c", 400, { cause }), "call-settled");
      assert.deepEqual([rule, chargedMs, says], ["device-fault", 0, "card 0 is lost"]);
      it.check();
    });
  }

  for (const cause of ["returned", "worker-oom", "visitor-stop"] as const) {
    test(`a call that ends as ${cause} there is metered as elsewhere`, () => {
      const it = ledger([card(0, 1)]);
      it.schedule("c");
      it.attach("c");
      report(it, 0);
      assert.equal(eventOf(it.end("c", 400, { cause }), "call-settled").chargedMs, 400);
    });
  }

  test("a call that ends badly on another card is not excused", () => {
    const it = ledger([card(0, 1), card(1, 1)]);
    it.schedule("c");
    it.attach("c");
    report(it, 1);
    assert.equal(eventOf(it.end("c", 400, { cause: "worker-exit" }), "call-settled").rule, "worker-exit");
  });

  test("a wait that ends while no well card could hold the call ends for the card; else for the queue", () => {
    const it = ledger([card(0, 2), card(1, 1)], { queueLimitMs: seconds(3) });
    report(it, 0);
    it.schedule("takes");
    it.schedule("whole", { size: "xlarge" });
    it.schedule("half");
    it.wait(3_000);
    it.tick();
    assert.deepEqual(
      ["whole", "half"].map((id) => (it.call(id) as VoidedCall).cause),
      ["device-fault", "queue-timeout"],
    );
    it.check();
  });

  test("a node that is not known, or was given up, says nothing of its cards", () => {
    const it = ledger();
    assert.equal(it.ask({ type: "report-cards", node: "n9", trouble: [] }), "unknown-node");
    it.wait(seconds(60));
    it.tick();
    assert.equal(it.ask({ type: "report-cards", node: "n1", trouble: [] }), "unknown-node");
  });
});

describe("the queue", () => {
  test("first come, first granted, as soon as a slot is free and in the record that frees it", () => {
    const it = full(2);
    it.schedule("a");
    it.schedule("b");
    const events = it.end("l2", 5);
    assert.deepEqual(types(events), ["call-settled", "slot-free", "call-granted"]);
    assert.equal(eventOf(events, "call-granted").call, "a");
    assert.equal(it.call("b").stage, "queued");
    it.check();
  });

  test("a call is told its position, all that blocks it, and when its turn is expected", () => {
    const it = full(2);
    it.schedule("a", { declaredMs: seconds(20) });
    const told = eventOf(it.do({ type: "schedule", terms: terms("b", { declaredMs: seconds(20) }) }), "call-queued");
    assert.deepEqual([told.position, told.of, told.estimateMs, told.basis], [2, 2, 80_000, "declared lengths"]);
    assert.deepEqual(told.blockers, [
      { kind: "slots", leased: 2, clearing: 0, total: 2 },
      { kind: "ahead", calls: 1 },
    ]);
  });

  test("an estimate uses the usual length of functions that ran before", () => {
    const it = ledger([card(0, 1)]);
    it.run("before", 2_000);
    it.schedule("runs");
    const told = eventOf(it.do({ type: "schedule", terms: terms("b") }), "call-queued");
    assert.deepEqual([told.estimateMs, told.basis], [2_000, "usual lengths"]);
  });

  test("a place in a long queue is estimated without walking all of it", () => {
    const it = full(1, { queueMax: 500 });
    for (let n = 0; n < 200; n++) it.schedule(`w${n}`, { tier: "unlimited", declaredMs: seconds(1) });
    const told = eventOf(it.do({ type: "schedule", terms: terms("last", { tier: "unlimited" }) }), "call-queued");
    assert.equal(told.position, 201);
    assert.ok(Math.abs((told.estimateMs ?? 0) - 260_000) < 5_000, String(told.estimateMs));
  });

  test("L15: a call waits for [admittedAt, deadline): not out a millisecond early, out at the instant", () => {
    const it = full(1, { queueLimitMs: seconds(3) });
    it.schedule("a");
    it.wait(2_999);
    assert.deepEqual(it.tick(), []);
    assert.equal(nextDeadline(it.state), after(it.now, 1 as never));
    it.wait(1);
    assert.equal(eventOf(it.tick(), "call-voided").cause, "queue-timeout");
    it.check();
  });

  test("the next in the queue is granted when the head leaves and only the head was too large", () => {
    const it = full(2);
    it.schedule("whole", { size: "xlarge" });
    it.schedule("half", { declaredMs: seconds(100) });
    it.end("l1", 5);
    assert.equal(it.call("half").stage, "queued"); // it would delay the head
    const events = it.do({ type: "leave", call: "whole" });
    assert.deepEqual(types(events), ["call-voided", "call-granted"]);
    it.check();
  });

  test("the next is granted in the tick that times out a head that was too large", () => {
    const it = full(2, { queueLimitMs: seconds(3) });
    it.schedule("whole", { size: "xlarge" });
    it.wait(1_000);
    it.schedule("half", { declaredMs: seconds(100) });
    it.end("l1", 5);
    it.wait(2_000);
    assert.deepEqual(types(it.tick()), ["call-voided", "call-granted"]);
    it.check();
  });

  test("queueOf and placeOf tell the same place, and the pool's sums add up", () => {
    const it = full(2);
    it.schedule("a");
    it.schedule("whole", { size: "xlarge" });
    it.wait(1_000);
    const waiting = queueOf(it.state, "main", it.now);
    assert.deepEqual(
      waiting.map(({ call, waitedMs, place }) => [call.terms.call, waitedMs, place.position]),
      [
        ["a", 1000, 1],
        ["whole", 1000, 2],
      ],
    );
    assert.deepEqual(placeOf(it.state, "whole", it.now), waiting[1]?.place);
    assert.deepEqual(
      waiting[1]?.place.blockers.map(({ kind }) => kind),
      ["slots", "whole-card", "ahead"],
    );
    const pool = poolOf(it.state, "main");
    assert.deepEqual([pool?.devices, pool?.slots, pool?.leased, pool?.waiting, pool?.simulated], [1, 2, 2, 2, true]);
    assert.equal(placeOf(it.state, "l1", it.now), undefined);
  });
});

describe("slots", () => {
  test("a function's own warm worker is preferred over a free slot, and the grant says so", () => {
    const it = ledger([card(0, 2)]);
    it.schedule("a");
    it.schedule("b", { task: "2" });
    it.end("b", 5, { workerAlive: true });
    it.end("a", 5);
    const { lease } = it.schedule("c", { task: "2" }) as GrantedCall;
    assert.deepEqual([lease.warm, lease.slots], [true, ["n1/0/1"]]);
    it.check();
  });

  test("L22: a slot with another function's idle worker is cleared first and granted when that worker is gone", () => {
    const it = ledger([card(0, 1)]);
    it.schedule("a");
    it.end("a", 5, { workerAlive: true });
    const events = it.do({ type: "schedule", terms: terms("b", { replica: "p_2" }) });
    assert.deepEqual(types(events), ["call-admitted", "slot-clearing", "call-queued"]);
    assert.deepEqual(eventOf(events, "call-queued").blockers, [{ kind: "slots", leased: 0, clearing: 1, total: 1 }]);
    assert.deepEqual(clearingOn(it.state, "n1"), [{ slot: "n1/0/0", fence: 1, replica: "p_1" }]);
    const cleared = it.do({ type: "clear-slot", slot: "n1/0/0", fence: 1 });
    assert.deepEqual(types(cleared), ["slot-free", "call-granted"]);
    assert.equal((it.call("b") as GrantedCall).lease.warm, false);
    it.check();
  });

  test("one waiting call clears one idle worker, the one that idles longest", () => {
    const it = ledger([card(0, 3)]);
    for (const call of ["a", "b", "c"]) it.schedule(call, { task: call });
    for (const call of ["b", "a", "c"]) {
      it.wait(10);
      it.end(call, 5, { workerAlive: true });
    }
    it.schedule("d", { task: "d" });
    assert.deepEqual(
      [0, 1, 2].map((n) => it.slot(n).stage),
      ["warm", "clearing", "warm"],
    );
  });

  test("a waiting call's own idle worker is left to it while the head waits for another", () => {
    const it = ledger([card(0, 2)]);
    for (const task of ["other", "mine"]) it.schedule(task, { task });
    for (const task of ["other", "mine"]) {
      it.wait(10);
      it.end(task, 5, { workerAlive: true });
    }
    it.schedule("head", { task: "new" });
    it.schedule("again", { task: "mine", declaredMs: seconds(20) });
    assert.deepEqual([it.slot(0).stage, it.slot(1).stage], ["clearing", "warm"]);
    it.do({ type: "clear-slot", slot: "n1/0/0", fence: it.slot(0).fence });
    assert.deepEqual([it.lease("head").warm, it.lease("again").warm], [false, true]);
    it.check();
  });

  test("two waiting calls clear one whole card's idle worker, and no further one", () => {
    const it = ledger([card(0, 2), card(1, 2)]);
    for (const task of ["w1", "w2"]) it.schedule(task, { task, size: "xlarge" });
    for (const task of ["w1", "w2"]) {
      it.wait(10);
      it.end(task, 5, { workerAlive: true });
    }
    it.schedule("a", { task: "a" });
    it.schedule("b", { task: "b" });
    assert.deepEqual(
      [0, 1].map((device) => it.slot(0, device).stage),
      ["clearing", "warm"],
    );
    it.check();
  });

  test("L18, L21: fences grow by the card, and an answer with an old one changes nothing", () => {
    const it = ledger([card(0, 1)]);
    it.run("a", 5);
    const second = it.schedule("b") as GrantedCall;
    assert.equal(second.lease.fence, 2);
    for (const wrong of [1, 3]) assert.equal(it.ask({ type: "attach", call: "b", fence: wrong, pid: 1 }), "not-holder");
    assert.equal(it.ask({ type: "clear-slot", slot: "n1/0/0", fence: 2 }), "not-holder"); // leased
    assert.equal(it.ask({ type: "clear-slot", slot: "n1/0/9", fence: 2 }), "unknown-slot");
  });

  test("L20: a whole card is leased as one, and only where all of it is free", () => {
    const it = ledger([card(0, 2), card(1, 2)]);
    it.schedule("half");
    const { lease } = it.schedule("whole", { size: "xlarge" }) as GrantedCall;
    assert.deepEqual(lease.slots, ["n1/1/0", "n1/1/1"]);
    it.schedule("whole2", { size: "xlarge" });
    assert.equal(it.call("whole2").stage, "queued");
    it.end("half", 5);
    assert.equal(it.call("whole2").stage, "granted");
    it.check();
  });

  test("halves go to the fullest card, so that whole ones stay whole", () => {
    const it = ledger([card(0, 2), card(1, 2)]);
    it.schedule("a");
    it.schedule("b", { task: "2" });
    assert.deepEqual(it.lease("b").slots, ["n1/0/1"]);
  });

  test("L22: the idle worker of a whole card is one: it is cleared as one and gone as one", () => {
    const it = ledger([card(0, 2)]);
    it.schedule("whole", { size: "xlarge" });
    it.end("whole", 5, { workerAlive: true });
    it.schedule("half"); // the same function, but half a card: not that worker's
    assert.deepEqual([it.slot(0).stage, it.slot(1).stage], ["clearing", "clearing"]);
    const events = it.do({ type: "clear-slot", slot: "n1/0/1", fence: 1 });
    assert.deepEqual(types(events), ["slot-free", "slot-free", "call-granted"]);
    it.check();
  });

  test("a whole card's own warm worker serves the next whole call", () => {
    const it = ledger([card(0, 2)]);
    it.schedule("w1", { size: "xlarge" });
    it.end("w1", 5, { workerAlive: true });
    assert.equal((it.schedule("w2", { size: "xlarge" }) as GrantedCall).lease.warm, true);
    it.check();
  });

  test("the board shows every slot with its call", () => {
    const it = full(2);
    it.wait(500);
    assert.deepEqual(
      boardOf(it.state, it.now).map(({ slot, call, forMs }) => [slot, call?.terms.call, forMs]),
      [
        ["n1/0/0", "l1", 500],
        ["n1/0/1", "l2", 500],
      ],
    );
  });
});

describe("a grant", () => {
  test("L15, L22: it is taken back at attachBy and not before; its slot waits for the shim's word", () => {
    const it = ledger([card(0, 1)]);
    it.schedule("a");
    it.schedule("b");
    it.wait(29_999);
    assert.deepEqual(it.tick(), []);
    it.wait(1);
    assert.deepEqual(types(it.tick()), ["call-voided", "slot-clearing"]);
    assert.equal((it.call("a") as VoidedCall).cause, "grant-unused");
    assert.equal(it.call("b").stage, "queued");
    it.do({ type: "clear-slot", slot: "n1/0/0", fence: 1 });
    assert.equal(it.call("b").stage, "granted");
    it.check();
  });

  test("grants to a node are numbered without a hole", () => {
    const it = ledger([card(0, 2)]);
    const numbers = ["a", "b"].map(
      (call) => eventOf(it.do({ type: "schedule", terms: terms(call) }), "call-granted").number,
    );
    it.schedule("c");
    numbers.push(eventOf(it.end("a", 5), "call-granted").number);
    assert.deepEqual(numbers, [1, 2, 3]);
  });
});

describe("nodes", () => {
  test("L15: a node is lost after 45 s without a heartbeat, and what a heartbeat's record may lag", () => {
    const it = ledger();
    assert.equal(nextDeadline(it.state), after(noon, seconds(50)));
    it.wait(49_999);
    assert.deepEqual(it.tick(), []);
    it.wait(1);
    assert.deepEqual(types(it.tick()), ["node-lost"]);
    assert.equal(it.ask({ type: "hear-node", node: "n1" }), "unknown-node"); // it has to say hello
    assert.equal(it.ask({ type: "schedule", terms: terms("c") }), "unknown-node");
    it.do(hello());
    assert.equal(it.schedule("c").stage, "granted");
  });

  test("heartbeats are recorded every 5 s at most", () => {
    const it = ledger();
    it.wait(4_999);
    assert.deepEqual(hear(it), []);
    it.wait(1);
    assert.deepEqual(hear(it), [{ v: 1, type: "node-heard", node: "n1" }]);
  });

  test("L22: a lost node's slots wait for their workers' end when it is back; of replicas that are gone they are free", () => {
    const it = ledger([card(0, 2)]);
    it.schedule("a");
    it.attach("a");
    it.schedule("b", { replica: "p_2" });
    it.wait(50_000);
    assert.deepEqual(types(it.tick()), ["node-lost", "call-settled", "slot-clearing", "call-voided", "slot-clearing"]);
    it.do(hello([card(0, 2)], ["p_1"]));
    assert.deepEqual([it.slot(0).stage, it.slot(1).stage], ["clearing", "free"]);
    const { lease } = it.schedule("c") as GrantedCall;
    assert.deepEqual([lease.slots, lease.fence], [["n1/0/1"], 3]); // L18: fences go on
    it.check();
  });

  test("a hello keeps the leases of replicas that it names and settles the others free of charge", () => {
    const it = ledger([card(0, 2)]);
    it.schedule("a");
    it.attach("a");
    it.schedule("b", { replica: "p_2" });
    it.attach("b");
    it.schedule("waits", { replica: "p_1" });
    const events = it.do(hello([card(0, 2)], ["p_1"]));
    assert.deepEqual(types(events), ["node-joined", "call-settled", "slot-free", "call-granted"]);
    assert.equal(eventOf(events, "call-settled").rule, "shim-lost");
    assert.deepEqual(
      openCallsOn(it.state, "n1").map(({ terms: { call }, stage }) => [call, stage]),
      [
        ["a", "attached"],
        ["waits", "granted"],
      ],
    );
    it.check();
  });

  test("a card that is gone ends its calls free of charge, and waiting calls that no card can hold", () => {
    const it = ledger([card(0, 1), card(1, 2)]);
    it.schedule("w", { size: "xlarge" });
    it.schedule("w2", { size: "xlarge" });
    const events = it.do(hello([card(0, 1)]));
    assert.equal(it.call("w").stage, "voided");
    assert.equal((it.call("w2") as VoidedCall).cause, "no-capacity");
    assert.equal(events.length, 5);
    it.check();
  });

  test("L17: after a start nothing expires until its node was heard, then its overdue calls do", () => {
    const it = full(1, { queueLimitMs: seconds(3) });
    it.schedule("a");
    it.wait(10_000); // the server was away
    it.do({ type: "start-writer", epoch: 2 });
    assert.deepEqual(it.tick(), []);
    it.wait(49_999);
    assert.deepEqual(it.tick(), []);
    it.do(hello([card(0, 1)]));
    assert.equal(eventOf(it.tick(), "call-voided").cause, "queue-timeout");
  });

  test("L17: a silent node is lost a full time to live after the new writer's start", () => {
    const it = full(1);
    it.schedule("a");
    it.wait(49_000);
    it.do({ type: "start-writer", epoch: 2 });
    assert.equal(nextDeadline(it.state), after(it.now, seconds(50)));
    it.wait(50_000);
    assert.deepEqual(types(it.tick()), ["node-lost", "call-settled", "slot-clearing", "call-voided"]);
    it.check();
  });

  test("L17: a call that attached while the server was away is not taken back before its shim can report it", () => {
    const it = ledger();
    it.schedule("a");
    it.wait(40_000);
    it.do({ type: "start-writer", epoch: 2 });
    it.do(hello());
    assert.deepEqual(it.tick(), []);
    it.attach("a");
    assert.equal(it.call("a").stage, "attached");
  });

  test("a call's deadline is what the pool's setting was when it came", () => {
    const it = full(1, { queueLimitMs: seconds(60) });
    it.schedule("a");
    it.do({ type: "set-pool", pool: "main", settings: { queueLimitMs: seconds(3) } });
    it.schedule("b");
    assert.deepEqual(
      [(it.call("a") as QueuedCall).deadline, (it.call("b") as QueuedCall).deadline],
      [after(noon, seconds(60)), after(noon, seconds(3))],
    );
    assert.deepEqual(it.do({ type: "set-pool", pool: "main", settings: { queueLimitMs: seconds(3) } }), []);
    assert.equal(it.ask({ type: "set-pool", pool: "main", settings: { queueMax: -1 } }), "amount-overflow");
  });

  test("an account is opened once, and not again with another tier", () => {
    const it = ledger();
    assert.equal(it.do({ type: "open-account", account: "alice", tier: "free" }).length, 1);
    assert.deepEqual(it.do({ type: "open-account", account: "alice", tier: "free" }), []);
    assert.equal(it.ask({ type: "open-account", account: "alice", tier: "pro" }), "account-exists-otherwise");
  });
});
