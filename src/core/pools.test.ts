import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { after, seconds } from "../stdx/time.ts";
import type { DurationMs } from "../stdx/time.ts";
import { newAudit, take } from "./audit.ts";
import { nextDeadline } from "./deadlines.ts";
import { card, eventOf, hello, ledger, terms, types } from "./ledger.suite.ts";
import type { Ledger } from "./ledger.suite.ts";
import type { CallTerms, Event, PoolSettings, QueuedCall, RefusedCall, SettledCall } from "./model.ts";
import type { Passed, RouteOf } from "./routes.ts";
import { lookAgainMs, movesMax, poolsMax, routePoolsMax } from "./policy.ts";
import { quoteOf } from "./quote.ts";
import { poolOfCall } from "./routing.ts";
import { spentLeft } from "./sharing.ts";
import { cloneState, encodeState, stateHashInput } from "./state.ts";
import { boardOf, placeOf, poolOf, queueOf } from "./views.ts";

const space: RouteOf = { kind: "space", space: "alice/demo" };
const account: RouteOf = { kind: "account", account: "alice" };

/** A node with one card in `main`, and one in `fast`; of one slot each. A pool `spare` has no card. */
function divided(settings: Partial<PoolSettings> = {}, slots = 1): Ledger {
  const it = ledger([card(0, slots), card(1, slots)], settings);
  for (const pool of ["fast", "spare"]) it.do({ type: "set-pool", pool, settings: {} });
  put(it, 1, "fast");
  return it;
}
const put = (it: Ledger, device: number | null, pool: string | null) =>
  it.do({ type: "set-card-pool", node: "n1", device, pool });
const route = (it: Ledger, pools: readonly string[], moveAfterMs: DurationMs | null = null, of: RouteOf = space) =>
  it.do({ type: "set-route", of, route: { pools, moveAfterMs } });
/** A call that is attached in the pool. */
function runIn(it: Ledger, pool: string, call = `in ${pool}`): void {
  const of: RouteOf = { kind: "space", space: `alice/${pool}` };
  route(it, [pool], null, of);
  it.schedule(call, { space: of.space });
  it.attach(call);
}
const pool = (it: Ledger, call: string): string => poolOfCall(it.call(call));
const passed = (it: Ledger, call: string): readonly Passed[] | undefined => {
  const known = it.call(call);
  return known.routed?.passed;
};

describe("a node that is divided into pools", () => {
  test("L51: grants a call on cards of its pool only, whatever else is free", () => {
    const it = divided();
    it.schedule("first");
    it.schedule("second");
    assert.deepEqual([it.lease("first").slots, it.call("second").stage], [["n1/0/0"], "queued"]);
    assert.equal(pool(it, "second"), "main");
    const slots = boardOf(it.state, it.now).map((slot) => [slot.pool, slot.state.stage]);
    assert.deepEqual(slots, [
      ["main", "leased"],
      ["fast", "free"],
    ]);
    assert.deepEqual([poolOf(it.state, "main")?.waiting, poolOf(it.state, "fast")?.devices], [1, 1]);
    it.check();
  });

  test("does not join into a pool that would be one too many", () => {
    const it = divided();
    while (it.state.pools.size < poolsMax) it.do({ type: "set-pool", pool: `p${it.state.pools.size}`, settings: {} });
    const join = (into: string) =>
      it.ask({ type: "join-node", node: "n2", pool: into, devices: [card(0, 1)], replicas: [] });
    assert.equal(join("another"), "too-many");
    assert.equal(typeof join("fast"), "object");
    it.check();
  });

  test("keeps what was set when it joins again, and after a restart from a snapshot", () => {
    const it = divided();
    it.do(hello([card(0, 1), card(1, 1), card(2, 1)]));
    it.state = cloneState(it.state);
    assert.deepEqual(
      boardOf(it.state, it.now).map((slot) => slot.pool),
      ["main", "fast", "main"],
    );
    it.do(hello([card(0, 1)]));
    it.do(hello([card(0, 1), card(1, 1)]));
    assert.equal(boardOf(it.state, it.now)[1]?.pool, "fast");
    assert.equal(encodeState(cloneState(it.state)), encodeState(it.state));
  });

  test("finishes what runs on a card that is put elsewhere, and grants the card to whom it is for then", () => {
    const it = divided();
    it.schedule("runs");
    it.attach("runs");
    runIn(it, "fast");
    it.schedule("waits", { space: "alice/fast" });
    put(it, 0, "fast");
    assert.equal(it.call("waits").stage, "queued");
    it.wait(2_000);
    const events = it.end("runs", 2_000);
    assert.equal(eventOf(events, "call-settled").chargedMs, 2_000);
    assert.deepEqual(eventOf(events, "call-granted").lease.slots, ["n1/0/0"]);
    it.check();
  });

  test("as a whole in another pool serves its calls by that pool, unless a card is put elsewhere", () => {
    const it = ledger([card(0, 1), card(1, 1)]);
    it.do({ type: "set-pool", pool: "fast", settings: {} });
    put(it, null, "fast");
    put(it, 0, "main");
    const call = it.schedule("c");
    assert.deepEqual([it.lease("c").slots, call.routed?.by, pool(it, "c")], [["n1/1/0"], "node", "fast"]);
    put(it, null, null);
    assert.deepEqual([it.schedule("d").routed, it.lease("d").slots], [undefined, ["n1/0/0"]]);
    it.check();
  });

  test("ends calls for nothing that no card of their pool could hold any more, and that have no other", () => {
    const it = divided();
    it.schedule("runs");
    it.schedule("waits");
    const events = put(it, 0, "fast");
    assert.deepEqual(
      [eventOf(events, "call-voided").call, eventOf(events, "call-voided").cause],
      ["waits", "no-capacity"],
    );
    assert.equal(it.call("runs").stage, "granted");
    const refused = it.schedule("next") as RefusedCall;
    assert.deepEqual(refused.refusal, { code: "no-capacity", pool: "main" });
    it.check();
  });

  test("is told plainly what cannot be set", () => {
    const it = divided();
    const ask = (node: string, device: number | null, to: string | null) =>
      it.ask({ type: "set-card-pool", node, device, pool: to });
    assert.deepEqual(
      [ask("n9", 0, "fast"), ask("n1", 7, "fast"), ask("n1", 0, "fsat"), ask("n1", 0, "no pool")],
      ["unknown-node", "unknown-card", "unknown-pool", "malformed"],
    );
    assert.deepEqual([ask("n1", 1, "fast"), ask("n1", 0, null)], [[], []]);
  });

  test("L39: a drain of a pool keeps its cards and no others", () => {
    const it = divided();
    it.do({
      type: "set-drain",
      of: { kind: "pool", pool: "main" },
      drain: { reason: "r", by: "admin", endInMs: null },
    });
    const refused = it.schedule("a") as RefusedCall;
    assert.equal(refused.refusal.code, "pool-draining");
    runIn(it, "fast");
    assert.deepEqual([poolOf(it.state, "main")?.drained, poolOf(it.state, "fast")?.drained], [1, 0]);
    it.check();
  });
});

describe("a route", () => {
  test("of the Space goes before that of the account, and either before the node's pool", () => {
    const it = divided();
    route(it, ["fast"], null, account);
    const byAccount = it.schedule("a", { account: "alice" });
    assert.deepEqual([byAccount.routed?.by, pool(it, "a")], ["account", "fast"]);
    route(it, ["main"], null, space);
    const bySpace = it.schedule("b");
    assert.deepEqual([bySpace.routed?.by, pool(it, "b")], ["space", "main"]);
    assert.equal(it.schedule("c", { account: "bob", space: "bob/other" }).routed, undefined);
    it.do({ type: "set-route", of: space, route: null });
    assert.equal(it.schedule("d").routed?.by, "account");
    it.check();
  });

  const drained = { type: "set-drain", of: { kind: "pool", pool: "main" } } as const;
  const reasons: [string, (it: Ledger) => void, Partial<CallTerms>, Passed][] = [
    ["has no card there", (it) => put(it, 0, "spare"), {}, { pool: "main", code: "no-capacity" }],
    [
      "has no card of the size",
      (it) => it.do(hello([card(0, 1), card(1, 2)])),
      { size: "xlarge" },
      { pool: "main", code: "size-not-available" },
    ],
    [
      "is drained",
      (it) => it.do({ ...drained, drain: { reason: "driver", by: "admin", endInMs: null } }),
      {},
      { pool: "main", code: "pool-draining", says: "pool main is drained by admin: driver" },
    ],
    [
      "has only cards in trouble",
      (it) =>
        it.do({ type: "report-cards", node: "n1", trouble: [{ device: 0, cause: "device-fault", says: "Xid 79" }] }),
      {},
      { pool: "main", code: "device-fault", says: "Xid 79" },
    ],
    [
      "allows no such duration",
      (it) => it.do({ type: "set-pool", pool: "main", settings: { durationMaxMs: seconds(5) } }),
      {},
      { pool: "main", code: "duration-not-allowed" },
    ],
    [
      "has enough of the Space's calls",
      (it) => it.do({ type: "set-pool", pool: "main", settings: { spaceCallsMax: 0 } }),
      {},
      { pool: "main", code: "space-busy" },
    ],
    [
      "has a full queue",
      (it) => {
        it.do({ type: "set-pool", pool: "main", settings: { queueMax: 0 } });
        runIn(it, "main");
      },
      {},
      { pool: "main", code: "queue-full" },
    ],
  ];
  for (const [why, make, changes, expected] of reasons) {
    test(`passes over a pool that ${why}, and says so`, () => {
      const it = divided();
      make(it);
      route(it, ["main", "fast"]);
      const quote = quoteOf(it.state, terms("c", changes), it.now);
      it.schedule("c", changes);
      assert.deepEqual([it.call("c").stage, pool(it, "c"), passed(it, "c")], ["granted", "fast", [expected]]);
      assert.ok(quote.kind === "admitted");
      assert.deepEqual([quote.pool, quote.routed?.passed], ["fast", [expected]]);
      it.check();
    });
  }

  test("that no pool of can take a call refuses it, for what kept it from the last that has such cards", () => {
    const it = divided({ queueMax: 0 });
    runIn(it, "main");
    route(it, ["fast", "main", "spare"]);
    it.do({ type: "set-pool", pool: "fast", settings: { durationMaxMs: seconds(1) } });
    const refused = it.schedule("c") as RefusedCall;
    assert.deepEqual(refused.refusal, { code: "queue-full", waiting: 0, max: 0 });
    assert.deepEqual(
      [refused.routed?.pool, refused.routed?.passed],
      [
        "main",
        [
          { pool: "fast", code: "duration-not-allowed" },
          { pool: "spare", code: "no-capacity" },
        ],
      ],
    );
    it.check();
  });

  test("lets a call wait for cards in trouble where no other pool can take it", () => {
    const it = divided();
    it.do({ type: "report-cards", node: "n1", trouble: [{ device: 1, cause: "device-fault", says: "Xid 79" }] });
    route(it, ["fast", "spare"]);
    it.schedule("c");
    assert.deepEqual(
      [it.call("c").stage, pool(it, "c"), passed(it, "c")?.map((each) => each.pool)],
      ["queued", "fast", ["spare"]],
    );
    it.do({ type: "report-cards", node: "n1", trouble: [] });
    assert.equal(it.call("c").stage, "granted");
    it.check();
  });

  test("does not lead around what the account may not", () => {
    const it = divided();
    it.do({ type: "set-tier", tier: "free", settings: { callsMax: 0 } });
    route(it, ["main", "fast"]);
    const refused = it.schedule("c") as RefusedCall;
    assert.deepEqual([refused.refusal.code, refused.routed?.pool, passed(it, "c")], ["account-busy", "main", []]);
  });

  test("L10: the same call again has the same answer, whatever the rule is meanwhile", () => {
    const it = divided();
    route(it, ["fast"]);
    it.schedule("c");
    route(it, ["main"]);
    const before = stateHashInput(it.state);
    assert.deepEqual(it.ask({ type: "schedule", terms: terms("c") }), []);
    assert.equal(stateHashInput(it.state), before);
  });

  test("is told plainly what cannot be set", () => {
    const it = divided();
    const ask = (pools: readonly string[], moveAfterMs: number | null = null) =>
      it.ask({ type: "set-route", of: space, route: { pools, moveAfterMs: moveAfterMs as DurationMs } });
    const long = Array.from({ length: routePoolsMax + 1 }, (_, n) => `p${n}`);
    assert.deepEqual(
      [ask([]), ask(["main", "main"]), ask(long), ask(["a b"]), ask(["fsat"]), ask(["main"], 999), ask(["main"], 1e9)],
      ["malformed", "malformed", "malformed", "malformed", "unknown-pool", "amount-overflow", "amount-overflow"],
    );
    assert.deepEqual(types(ask(["fast", "main"], 5_000) as never), ["route-set"]);
    assert.deepEqual(ask(["fast", "main"], 5_000), []);
  });
});

describe("a call that waits", () => {
  test("L49, L50: moves on at the instant at which its rule says so, with its hold and its deadline, and is granted there", () => {
    const it = divided();
    runIn(it, "fast");
    runIn(it, "main");
    route(it, ["fast", "main"], seconds(5));
    const { heldMs, deadline } = it.schedule("c") as QueuedCall;
    it.wait(4_999);
    assert.deepEqual(it.tick(), []);
    it.wait(1);
    const events = it.tick();
    assert.deepEqual(types(events), ["call-moved", "call-queued"]);
    const moved = it.call("c") as QueuedCall;
    assert.deepEqual([moved.heldMs, moved.deadline, pool(it, "c")], [heldMs, deadline, "main"]);
    assert.deepEqual(moved.routed?.moves, [{ from: "fast", to: "main", why: "waited", at: it.now }]);
    assert.deepEqual([queueOf(it.state, "fast", it.now).length, queueOf(it.state, "main", it.now).length], [0, 1]);
    it.check();
    assert.equal(eventOf(it.end("in main", 5_000), "call-granted").call, "c");
    it.check();
  });

  test("L47: counts where it was served, and nowhere else", () => {
    const it = divided();
    runIn(it, "fast");
    route(it, ["fast", "main"], seconds(5));
    it.schedule("c", { account: "bob" });
    it.wait(5_000);
    it.tick();
    assert.equal(it.call("c").stage, "granted");
    it.attach("c");
    it.wait(3_000);
    it.end("c", 3_000);
    const left = (of: string): number => spentLeft(it.state, { pool: of, account: "bob" }, it.now);
    assert.deepEqual([left("fast"), left("main") > 1_400, left("main") <= 1_500], [0, true, true]);
    assert.equal((it.call("c") as SettledCall).routed?.pool, "main");
    it.check();
  });

  test("L50: goes forward only: from the last pool of its route it moves nowhere", () => {
    const it = divided();
    runIn(it, "fast");
    runIn(it, "main");
    route(it, ["fast", "main"], seconds(1));
    it.schedule("c");
    it.wait(1_000);
    it.tick();
    it.end("in fast", 1_000);
    it.wait(10_000);
    assert.deepEqual(it.tick(), []);
    assert.equal(pool(it, "c"), "main");
    it.check();
  });

  test("stays where no later pool can take it, says why, and is looked at again", () => {
    const it = divided();
    runIn(it, "fast");
    runIn(it, "main");
    it.do({ type: "set-pool", pool: "main", settings: { queueMax: 0 } });
    route(it, ["fast", "spare", "main"], seconds(5));
    it.schedule("c");
    it.wait(5_000);
    assert.deepEqual(eventOf(it.tick(), "call-stayed"), {
      v: 1,
      type: "call-stayed",
      call: "c",
      until: after(it.now, lookAgainMs),
      passed: [
        { pool: "spare", code: "no-capacity" },
        { pool: "main", code: "queue-full" },
      ],
    });
    it.state = cloneState(it.state);
    it.do({ type: "set-pool", pool: "main", settings: { queueMax: 5 } });
    it.wait(lookAgainMs - 1);
    it.do({ type: "hear-node", node: "n1" });
    assert.deepEqual(it.tick(), []);
    it.wait(1);
    assert.deepEqual(types(it.tick()), ["call-moved", "call-queued"]);
    it.check();
  });

  test("moves into a pool whose queue may hold none only where it starts there at once", () => {
    const it = divided();
    runIn(it, "fast");
    it.do({ type: "set-pool", pool: "main", settings: { queueMax: 0 } });
    route(it, ["fast", "main"], seconds(5));
    for (const id of ["a", "b"]) it.schedule(id);
    it.wait(5_000);
    assert.deepEqual(types(it.tick()), ["call-moved", "call-stayed", "call-granted"]);
    assert.deepEqual([it.call("a").stage, it.call("b").stage, pool(it, "b")], ["granted", "queued", "fast"]);
    it.check();
  });

  test("stays for ever in the pool that took it, where the rule gives no time", () => {
    const it = divided();
    runIn(it, "fast");
    route(it, ["fast", "main"]);
    it.schedule("c");
    it.wait(30_000);
    it.do({ type: "hear-node", node: "n1" });
    it.wait(29_999);
    assert.deepEqual(types(it.tick()), []);
    it.wait(1);
    assert.deepEqual(eventOf(it.tick(), "call-voided").cause, "queue-timeout");
  });

  test("moves on at once, whatever its rule says of time, where its pool lost the cards that could hold it", () => {
    for (const moveAfterMs of [null, seconds(60)]) {
      const it = divided();
      runIn(it, "fast");
      route(it, ["fast", "spare", "main"], moveAfterMs);
      it.schedule("c");
      const events = put(it, 1, "main");
      assert.deepEqual(eventOf(events, "call-moved").why, "no-capacity");
      assert.deepEqual(eventOf(events, "call-moved").passed, [{ pool: "spare", code: "no-capacity" }]);
      assert.deepEqual(it.lease("c").slots, ["n1/0/0"]);
      it.check();
    }
  });

  test("moves on at once where a node comes back without the cards of its pool", () => {
    const it = divided();
    runIn(it, "fast");
    route(it, ["fast", "main"]);
    it.schedule("c");
    const events = it.do(hello([card(0, 1)]));
    assert.deepEqual([eventOf(events, "call-moved").to, it.call("c").stage], ["main", "granted"]);
    it.check();
  });

  test("comes last by age into the other line, and has its turn there by what its account has spent of that pool", () => {
    const it = divided({ queueLimitMs: seconds(3600) });
    const calls = { declaredMs: seconds(2) };
    runIn(it, "main", "busy");
    route(it, ["main"], null, { kind: "space", space: "bob/own" });
    it.schedule("bob's first", { ...calls, account: "bob", space: "bob/own" });
    it.schedule("bob's second", { ...calls, account: "bob", space: "bob/own" });
    runIn(it, "fast");
    route(it, ["fast", "main"], seconds(5));
    it.schedule("carol's", { ...calls, account: "carol" });
    it.wait(5_000);
    const events = it.tick();
    const { position, of } = eventOf(events, "call-queued");
    assert.deepEqual([position, of], [2, 3]);
    assert.equal(placeOf(it.state, "bob's second", it.now)?.position, 3);
    const order: string[] = [];
    for (let running = "busy"; order.length < 3;) {
      running = eventOf(it.end(running, 2_000), "call-granted").call;
      it.attach(running);
      order.push(running);
    }
    assert.deepEqual(order, ["bob's first", "carol's", "bob's second"]);
    it.check();
  });

  test("L49: is granted once where what kept it in its old pool goes in the record in which it moves on", () => {
    const it = divided({}, 2);
    const other = { space: "bob/own", account: "bob" };
    it.schedule("runs", { ...other, declaredMs: seconds(120) });
    it.schedule("waits for a card", { ...other, account: "carol", size: "xlarge" });
    route(it, ["main", "fast"], seconds(50));
    it.wait(10_000);
    it.schedule("c", { declaredMs: seconds(120) });
    it.wait(20_000);
    it.attach("runs");
    it.do({ type: "hear-node", node: "n1" });
    it.wait(30_000);
    assert.deepEqual(types(it.tick()), ["call-voided", "call-moved", "call-granted"]);
    assert.deepEqual([pool(it, "c"), it.lease("c").slots], ["fast", ["n1/1/0"]]);
    it.check();
  });

  test("leaves the slots of its old pool to those behind it, in the record in which it moves on", () => {
    const it = divided({}, 2);
    const other = { space: "bob/own", account: "bob", declaredMs: seconds(120) };
    runIn(it, "fast");
    it.schedule("runs", other);
    route(it, ["main", "fast"], seconds(5));
    it.schedule("c", { size: "xlarge" });
    it.schedule("behind", { ...other, account: "carol" });
    it.wait(5_000);
    assert.deepEqual(types(it.tick()), ["call-moved", "call-granted", "call-queued"]);
    assert.deepEqual(it.lease("behind").slots, ["n1/0/1"]);
    it.check();
  });

  test("is one of a bounded number that move in one record; the rest is due at once", () => {
    const it = divided({ queueMax: 10_000 });
    it.do({ type: "set-tier", tier: "free", settings: { windowLimitMs: null } });
    it.do({ type: "set-pool", pool: "fast", settings: { queueMax: 10_000 } });
    runIn(it, "fast");
    runIn(it, "main");
    route(it, ["fast", "main"], seconds(5));
    for (let n = 0; n < movesMax + 3; n++) it.schedule(`c${n}`);
    it.wait(5_000);
    const count = (): number => it.tick().filter(({ type }) => type === "call-moved").length;
    assert.deepEqual([count(), count(), count()], [movesMax, 3, 0]);
    it.check();
  });

  test("L9, L50: of a pool that lost its cards leaves it in one of several records, a bounded number in each, and none is left behind", () => {
    const it = divided({ queueMax: 10_000 }, 2);
    it.do({ type: "set-tier", tier: "free", settings: { windowLimitMs: null } });
    it.do({ type: "set-pool", pool: "fast", settings: { queueMax: 10_000 } });
    for (const n of [0, 1]) for (const name of ["fast", "main"]) runIn(it, name, `${name} ${n}`);
    // Those of her other Space have nowhere to go.
    route(it, ["fast"], null, { kind: "space", space: "alice/stays" });
    route(it, ["fast", "main"], seconds(60));
    const total = 2 * movesMax + 3;
    for (let n = 0; n < total; n++)
      it.schedule(`c${n}`, { size: n % 3 === 0 ? "xlarge" : "large", ...(n % 2 === 0 && { space: "alice/stays" }) });
    const count = (events: readonly Event[]): number =>
      events.filter(({ type }) => type === "call-moved" || type === "call-voided").length;
    assert.equal(count(put(it, 1, "spare")), movesMax);
    it.check();
    it.state = cloneState(it.state);
    assert.ok((nextDeadline(it.state) ?? Infinity) <= it.now, "the rest is due at once");
    assert.deepEqual([count(it.tick()), count(it.tick()), count(it.tick())], [movesMax, 3, 0]);
    it.check();
    assert.deepEqual(
      [poolOf(it.state, "fast")?.waiting, poolOf(it.state, "main")?.waiting],
      [0, Math.floor(total / 2)],
    );
    assert.ok((nextDeadline(it.state) as number) > it.now);
    const left = [...it.state.calls.values()].filter(({ stage }) => stage === "voided");
    assert.ok(left.every((call) => "cause" in call && call.cause === "no-capacity"));
  });

  test("leaves a pool in which only smaller cards are left, and what waits for those stays", () => {
    const it = ledger([card(0, 2), card(1, 1), card(2, 2)]);
    for (const pool of ["fast", "spare"]) it.do({ type: "set-pool", pool, settings: { queueMax: 10_000 } });
    it.do({ type: "set-tier", tier: "free", settings: { windowLimitMs: null } });
    for (const device of [0, 1]) put(it, device, "fast");
    for (const n of [0, 1, 2]) runIn(it, "fast", `runs ${n}`);
    route(it, ["fast"]);
    for (let n = 0; n <= movesMax; n++) it.schedule(`whole ${n}`, { size: "xlarge" });
    it.schedule("half");
    put(it, 0, "spare");
    assert.deepEqual(
      [it.call(`whole ${movesMax - 1}`).stage, it.call(`whole ${movesMax}`).stage],
      ["voided", "queued"],
    );
    it.tick();
    assert.deepEqual([it.call(`whole ${movesMax}`).stage, it.call("half").stage], ["voided", "queued"]);
    it.check();
  });
});

describe("the audit", () => {
  const mutants: readonly [string, string, (event: Event) => Event][] = [
    [
      "L51",
      "grants a card of another pool",
      (event) =>
        event.type === "call-granted" && event.call === "c"
          ? { ...event, lease: { ...event.lease, slots: ["n1/1/0"] } }
          : event,
    ],
    [
      "L51",
      "goes by no rule",
      (event) => {
        if (event.type !== "call-admitted") return event;
        const { routed: _none, ...rest } = event;
        return rest;
      },
    ],
    [
      "L51",
      "passes over a pool and does not say so",
      (event) =>
        event.type === "call-admitted" && event.routed && event.terms.call === "d"
          ? { ...event, routed: { ...event.routed, passed: [] } }
          : event,
    ],
    [
      "L49",
      "leaves a pool in which it does not wait",
      (event) => (isMove(event) ? { ...event, from: "spare" } : event),
    ],
    ["L50", "returns", (event) => (isMove(event) ? { ...event, to: "fast" } : event)],
    [
      "L50",
      "moves for want of cards that are there",
      (event) => (isMove(event) ? { ...event, why: "no-capacity" } : event),
    ],
    [
      "L50",
      "moves before its time",
      (event) =>
        event.type === "route-set" && event.route
          ? { ...event, route: { ...event.route, moveAfterMs: seconds(6) } }
          : event.type === "call-admitted" && event.routed
            ? { ...event, routed: { ...event.routed, moveAfterMs: seconds(6) } }
            : event,
    ],
  ];
  for (const [invariant, does, mutate] of mutants) {
    test(`${invariant}: finds a log that ${does}`, () => {
      const it = divided();
      runIn(it, "fast");
      route(it, ["fast", "main"], seconds(5));
      it.schedule("c");
      it.wait(5_000);
      it.tick();
      it.do({ type: "set-pool", pool: "fast", settings: { queueMax: 0 } });
      it.schedule("d");
      it.check();
      const audit = newAudit();
      for (const record of it.records) take(audit, { ...record, events: record.events.map(mutate) });
      assert.ok(
        audit.findings.some((finding) => finding.invariant === invariant),
        JSON.stringify(audit.findings),
      );
    });
  }
});

function isMove(event: Event): event is Extract<Event, { type: "call-moved" }> {
  return event.type === "call-moved";
}
