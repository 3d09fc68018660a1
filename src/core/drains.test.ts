import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { after, seconds, type DurationMs } from "../stdx/time.ts";
import { newAudit, take } from "./audit.ts";
import { nextDeadline } from "./deadlines.ts";
import { doomedOn, nodesWithDoomed } from "./drains.ts";
import { card, eventOf, hello, ledger, noon, terms, types, type Ledger } from "./ledger.suite.ts";
import type { DrainScope } from "./drained.ts";
import type { Command, Event, RefusedCall, VoidedCall } from "./model.ts";
import { cloneState, encodeState, stateHashInput } from "./state.ts";
import { boardOf, poolOf } from "./views.ts";

type Of<Type extends Event["type"]> = Extract<Event, { type: Type }>;

const node: DrainScope = { kind: "node", node: "n1" };
const pool: DrainScope = { kind: "pool", pool: "main" };
const cardOf = (device: number): DrainScope => ({ kind: "card", node: "n1", device });

function drained(of: DrainScope, endInMs: DurationMs | null = null): Command {
  return { type: "set-drain", of, drain: { reason: "driver", by: "admin", endInMs } };
}
const drain = (it: Ledger, of: DrainScope, endInMs: DurationMs | null = null): readonly Event[] =>
  it.do(drained(of, endInMs));
const undrain = (it: Ledger, of: DrainScope): readonly Event[] => it.do({ type: "set-drain", of, drain: null });
const doomed = (it: Ledger): string[] =>
  [...it.state.nodes.values()].flatMap((one) => doomedOn(it.state, one)).map((call) => call.terms.call);

describe("a drain", () => {
  test("L39: of a card sends new calls to the others, and what runs there finishes, metered", () => {
    const it = ledger([card(0, 1), card(1, 1)]);
    it.schedule("runs");
    it.attach("runs");
    drain(it, cardOf(0));
    it.schedule("next");
    assert.deepEqual([it.lease("runs").slots, it.lease("next").slots], [["n1/0/0"], ["n1/1/0"]]);
    assert.equal(eventOf(it.end("runs", 400), "call-settled").chargedMs, 400);
    it.check();
  });

  for (const [what, of] of [["node", node] as const, ["pool", pool] as const]) {
    test(`of a ${what} refuses new calls with its reason, and they cost nothing`, () => {
      const it = ledger();
      drain(it, of);
      const refused = it.schedule("c") as RefusedCall;
      const named = what === "node" ? "node n1" : "pool main";
      assert.deepEqual(refused.refusal, {
        code: "pool-draining",
        pool: "main",
        says: `${named} is drained by admin: driver`,
      });
      assert.equal(it.state.accounts.size, 0);
      it.check();
    });
  }

  test("keeps a call that waits, names itself among what keeps it, and is why its wait ended", () => {
    const it = ledger([card(0, 1)], { queueLimitMs: seconds(3) });
    it.schedule("runs");
    it.schedule("waits");
    drain(it, node);
    it.end("runs", 0, { unused: true });
    assert.equal(it.call("waits").stage, "queued");
    it.wait(3_000);
    const { cause, says } = eventOf(it.tick(), "call-voided");
    assert.deepEqual([cause, says], ["pool-draining", "node n1 is drained by admin: driver"]);
    assert.equal((it.call("waits") as VoidedCall).rule, "pool-draining");
    it.check();
  });

  test("is that of a card which is put into its pool too: what idles there is ended, and what runs where its time is over", () => {
    const it = ledger([card(0, 1), card(1, 1), card(2, 1)]);
    it.do({ type: "set-pool", pool: "off", settings: {} });
    it.do({ type: "set-card-pool", node: "n1", device: 2, pool: "off" });
    drain(it, { kind: "pool", pool: "off" }, seconds(1));
    it.wait(1_000);
    it.tick();
    it.schedule("idles", { task: "2" });
    it.attach("idles");
    it.end("idles", 0, { workerAlive: true, cause: "returned" });
    it.schedule("runs");
    const put = (device: number) => it.do({ type: "set-card-pool", node: "n1", device, pool: "off" });
    assert.deepEqual(types(put(0)), ["card-pool-set", "slot-clearing"]);
    const events = put(1);
    assert.deepEqual([doomed(it), nodesWithDoomed(it.state, events).map(({ name }) => name)], [["runs"], ["n1"]]);
    it.check();
  });

  test("is told to an arriving call that other cards could hold, once they are full", () => {
    const it = ledger([card(0, 1), card(1, 1)]);
    drain(it, cardOf(1));
    it.schedule("runs");
    const told = eventOf(it.do({ type: "schedule", terms: terms("waits") }), "call-queued");
    assert.deepEqual(told.blockers.at(1), {
      kind: "draining",
      cards: 1,
      of: 2,
      says: "card 1 of node n1 is drained by admin: driver",
    });
  });

  test("ends idle workers at once, so that nothing keeps the driver in use", () => {
    const it = ledger([card(0, 1)]);
    it.schedule("warm");
    it.attach("warm");
    it.end("warm", 5, { workerAlive: true });
    assert.deepEqual(types(drain(it, node)), ["drain-set", "slot-clearing"]);
    it.check();
  });

  test("lifted grants what waits in the same record", () => {
    const it = ledger([card(0, 1)]);
    it.schedule("runs");
    it.schedule("waits");
    drain(it, node);
    it.end("runs", 0, { unused: true });
    assert.deepEqual(types(undrain(it, node)), ["drain-set", "call-granted"]);
    it.check();
  });

  test("of a card stays while its node's is lifted", () => {
    const it = ledger([card(0, 1)]);
    drain(it, cardOf(0));
    drain(it, node);
    undrain(it, node);
    assert.equal(it.schedule("c").stage, "refused");
    undrain(it, cardOf(0));
    assert.equal(it.schedule("d").stage, "granted");
  });

  test("with an end dooms what runs there at that instant and not before, for nothing", () => {
    const it = ledger([card(0, 1)]);
    it.schedule("runs", { declaredMs: seconds(60) });
    it.attach("runs");
    drain(it, pool, seconds(10));
    it.wait(9_999);
    assert.deepEqual([it.tick(), doomed(it)], [[], []]);
    assert.equal(nextDeadline(it.state), it.now + 1);
    it.wait(1);
    assert.deepEqual(types(it.tick()), ["drain-due"]);
    assert.deepEqual([doomed(it), it.tick()], [["runs"], []]);
    const { rule, chargedMs, says } = eventOf(it.end("runs", 10_000, { cause: "operator-stop" }), "call-settled");
    assert.deepEqual([rule, chargedMs, says], ["operator-stop", 0, "pool main is drained by admin: driver"]);
    it.check();
  });

  test("with an end dooms what runs there also under a wider one that has none", () => {
    const it = ledger([card(0, 1)]);
    it.schedule("runs", { declaredMs: seconds(60) });
    it.attach("runs");
    drain(it, pool);
    drain(it, node, seconds(10));
    it.wait(10_000);
    assert.deepEqual([types(it.tick()), doomed(it)], [["drain-due"], ["runs"]]);
    const { says } = eventOf(it.end("runs", 10_000, { cause: "operator-stop" }), "call-settled");
    assert.equal(says, "node n1 is drained by admin: driver");
    it.check();
  });

  for (const [what, changed] of [
    ["early", (event: Of<"drain-set">) => event.drain && { ...event.drain, endAt: after(noon, seconds(11)) }],
    ["which has no end", (event: Of<"drain-set">) => event.drain && { ...event.drain, endAt: null }],
    ["which is not there", () => null],
  ] as const)
    test(`L15: the audit finds a log that ends what runs for a drain ${what}`, () => {
      const it = ledger([card(0, 1)]);
      drain(it, cardOf(0), seconds(10));
      it.wait(10_000);
      it.tick();
      const audit = newAudit();
      for (const record of it.records) {
        const events = record.events.map((event) =>
          event.type === "drain-set" ? { ...event, drain: changed(event) } : event,
        );
        take(audit, { ...record, events });
      }
      assert.deepEqual(
        audit.findings.map(({ invariant }) => invariant),
        ["L15"],
      );
    });

  test("the same again is no event; another reason is, and keeps since when", () => {
    const it = ledger();
    drain(it, node);
    const since = it.state.drains.get("node/n1")?.drain.since;
    it.wait(5_000);
    assert.deepEqual(drain(it, node), []);
    it.do({ type: "set-drain", of: node, drain: { reason: "fan", by: "bob", endInMs: null } });
    const { drain: now } = it.state.drains.get("node/n1") ?? {};
    assert.deepEqual([now?.reason, now?.by, now?.since], ["fan", "bob", since]);
    assert.deepEqual(undrain(it, cardOf(0)), []);
  });

  test("holds through the node's hello, a writer's start and a snapshot; without one a snapshot is as before there were any", () => {
    const it = ledger();
    assert.doesNotMatch(encodeState(it.state), /drain/);
    drain(it, node, seconds(60));
    it.do({ type: "start-writer", epoch: 2 });
    it.do(hello());
    assert.equal(it.schedule("c").stage, "refused");
    const copy = cloneState(it.state);
    assert.equal(stateHashInput(copy), stateHashInput(it.state));
    assert.deepEqual([...copy.drains], [...it.state.drains]);
  });

  test("of what is not there is refused", () => {
    const it = ledger();
    const before = stateHashInput(it.state);
    assert.equal(it.ask(drained({ kind: "pool", pool: "other" })), "unknown-pool");
    assert.equal(it.ask(drained({ kind: "node", node: "n9" })), "unknown-node");
    assert.equal(it.ask(drained(cardOf(7))), "unknown-card");
    assert.equal(it.ask(drained(node, -1 as DurationMs)), "amount-overflow");
    assert.equal(it.ask(drained(node, (2 ** 53) as DurationMs)), "amount-overflow");
    assert.equal(stateHashInput(it.state), before);
  });

  test("is counted and shown", () => {
    const it = ledger([card(0, 1), card(1, 1)]);
    drain(it, cardOf(1));
    assert.equal(poolOf(it.state, "main")?.drained, 1);
    assert.deepEqual(
      boardOf(it.state, it.now).map(({ slot, drain: found }) => [slot, found?.drain.reason]),
      [
        ["n1/0/0", undefined],
        ["n1/1/0", "driver"],
      ],
    );
  });
});

describe("a card with a fault of its own", () => {
  const trouble = (cause: "device-fault" | "nvml-lost"): Command => ({
    type: "report-cards",
    node: "n1",
    trouble: [{ device: 0, cause, says: "Xid 79" }],
  });

  test("dooms what runs on it and nothing else; nobody answering for it dooms nothing", () => {
    const it = ledger([card(0, 1), card(1, 1)]);
    for (const id of ["a", "b"]) {
      it.schedule(id);
      it.attach(id);
    }
    it.do(trouble("nvml-lost"));
    assert.deepEqual(doomed(it), []);
    it.do(trouble("device-fault"));
    assert.deepEqual(doomed(it), ["a"]);
  });

  test("L32: a call that was ended for it costs nothing and names it, attached or not", () => {
    const it = ledger([card(0, 2)]);
    it.schedule("attached");
    it.attach("attached");
    it.schedule("granted");
    it.do(trouble("device-fault"));
    const { rule, chargedMs, says } = eventOf(it.end("attached", 900, { cause: "operator-stop" }), "call-settled");
    assert.deepEqual([rule, chargedMs, says], ["device-fault", 0, "Xid 79"]);
    const voided = eventOf(it.end("granted", 0, { cause: "operator-stop" }), "call-voided");
    assert.deepEqual([voided.cause, voided.says], ["device-fault", "Xid 79"]);
    it.check();
  });
});
