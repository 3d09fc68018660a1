import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { after, durationMs, seconds } from "../stdx/time.ts";
import { costOf, gpuMs, maxGpuMs, permille, timeFor } from "./amounts.ts";
import { apply } from "./evolve.ts";
import { take } from "./audit.ts";
import { Ledger, card, eventOf, ledger, noon, terms, types } from "./ledger.suite.ts";
import type { CallTerms, Refusal, TierSettings } from "./model.ts";
import { cloneState, encodeState } from "./state.ts";
import { quotaOf } from "./views.ts";

function refusal(it: Ledger, call: string, changes: Partial<CallTerms>): Refusal {
  const made = it.schedule(call, changes);
  assert.equal(made.stage, "refused");
  it.check();
  return made.stage === "refused" ? made.refusal : assert.fail();
}

describe("amounts", () => {
  test("L4: an amount that is negative, a fraction or not exact is refused", () => {
    for (const wrong of [-1, 0.5, NaN, Infinity, maxGpuMs + 1]) assert.throws(() => gpuMs(wrong), /L4/);
  });
  test("the time that an amount pays for never costs more than the amount", () => {
    for (const factor of [1000, 1500, 2000, 3333]) {
      for (let amount = 0; amount < 50; amount++) {
        assert.ok(costOf(timeFor(gpuMs(amount), permille(factor)), permille(factor)) <= amount);
      }
    }
  });
});

describe("admission", () => {
  test("the first call opens the account and its window in the record of the call", () => {
    const it = ledger();
    const events = it.do({ type: "schedule", terms: terms("c1") });
    assert.deepEqual(types(events), ["account-opened", "window-opened", "call-admitted", "call-granted"]);
    assert.equal(eventOf(events, "window-opened").resetsAt, after(noon, seconds(24 * 3600)));
  });

  test("a hold is the declared duration, doubled for a whole card", () => {
    const it = ledger([card(0), card(1)]);
    it.schedule("c1", { declaredMs: seconds(10) });
    it.schedule("c2", { declaredMs: seconds(10), size: "xlarge" });
    assert.equal(quotaOf(it.state, "alice", it.now)?.heldMs, 30_000);
  });

  test("a duration of 0, a fraction, or above the limit is not allowed; exactly the limit is", () => {
    const it = ledger();
    for (const [n, ms] of [0, -5, 0.5, 600_001].entries()) {
      assert.equal(refusal(it, `c${n}`, { declaredMs: ms as never, tier: "unlimited" }).code, "duration-not-allowed");
    }
    assert.equal(it.schedule("ok", { declaredMs: seconds(600), tier: "unlimited" }).stage, "granted");
  });

  test("a node without a card refuses at once, one without a whole card refuses xlarge", () => {
    assert.equal(refusal(ledger([]), "c", {}).code, "no-capacity");
    assert.equal(refusal(ledger([card(0, 1)]), "c", { size: "xlarge" }).code, "size-not-available");
  });

  test("a call for a node that never said hello, or for another pool than its node's, changes nothing", () => {
    const it = ledger();
    assert.equal(it.ask({ type: "schedule", terms: terms("c", { node: "n9" }) }), "unknown-node");
    assert.equal(it.ask({ type: "schedule", terms: terms("c", { pool: "other" }) }), "unknown-pool");
  });

  test("L33: of parallel calls exactly those that fit are admitted", () => {
    const it = ledger([card(0, 8)], { admission: "strict" });
    const stages = Array.from({ length: 8 }, (_, n) => it.schedule(`c${n}`, { declaredMs: seconds(70) }).stage);
    assert.deepEqual(stages.filter((stage) => stage === "granted").length, 4); // 4 × 70 s of 300 s
    it.check();
  });

  test("the queue's bound refuses the next call with both numbers, and holds nothing for it", () => {
    const it = ledger([card(0, 1)], { queueMax: 1 });
    it.schedule("c1");
    it.schedule("c2");
    assert.deepEqual(refusal(it, "c3", {}), { code: "queue-full", waiting: 1, max: 1 });
    assert.equal(quotaOf(it.state, "alice", it.now)?.heldMs, 20_000);
  });
});

describe("the clip rule", () => {
  /** 20 s of the free tier's 300 s are left. */
  const nearlySpent = (settings = {}): Ledger => {
    const it = ledger([card(0, 2)], settings);
    it.run("spent", 280_000, { declaredMs: seconds(280), endpoint: "/spend" });
    return it;
  };

  test("an unknown function is clipped to what is left, if that is half of what it declares", () => {
    const it = nearlySpent();
    const events = it.do({ type: "schedule", terms: terms("c", { declaredMs: seconds(40), endpoint: "/new" }) });
    const { heldMs, leaseMs, clipped } = eventOf(events, "call-admitted");
    assert.deepEqual({ heldMs, leaseMs, clipped }, { heldMs: 20_000, leaseMs: 20_000, clipped: true });
    it.check();
  });

  test("it is refused when less than half is left, with what was needed and why", () => {
    const said = refusal(nearlySpent(), "c", { declaredMs: seconds(41), endpoint: "/new" });
    assert.equal(said.code, "quota-exceeded");
    if (said.code !== "quota-exceeded") return;
    assert.deepEqual(said.clip, { needMs: 20_500, basis: "half of what it declares" });
    assert.deepEqual(
      [said.askedMs, said.leftMs, said.usedMs, said.heldMs, said.limitMs],
      [41_000, 20_000, 280_000, 0, 300_000],
    );
  });

  test("a known function is clipped if what is left covers 9 in 10 of its runs", () => {
    const it = ledger();
    for (let n = 0; n < 10; n++)
      it.run(`short${n}`, n === 9 ? 50_000 : 1_000, { account: "bob", declaredMs: seconds(60) });
    it.run("spent", 298_000, { declaredMs: seconds(298), endpoint: "/spend" });
    const call = it.schedule("c", { declaredMs: seconds(60) });
    assert.equal(call.stage === "granted" && call.leaseMs, 2_000);
  });

  test("a run that its lease ended counts as its whole declaration", () => {
    const it = ledger();
    it.run("long", 12_000, { account: "bob", declaredMs: seconds(30) }, "lease-end"); // its lease was clipped
    it.run("spent", 280_000, { declaredMs: seconds(280), endpoint: "/spend" });
    const said = refusal(it, "c", { declaredMs: seconds(30) });
    assert.deepEqual(said.code === "quota-exceeded" && said.clip, { needMs: 30_000, basis: "its one run so far" });
  });

  test("a whole card's lease is clipped to the time that the rest pays for at twice the price", () => {
    const it = nearlySpent();
    const call = it.schedule("c", { declaredMs: seconds(15), size: "xlarge", endpoint: "/new" });
    assert.deepEqual(call.stage === "granted" && [call.leaseMs, call.heldMs], [10_000, 20_000]);
  });

  test("with nothing left nothing is clipped, however short the runs are", () => {
    const it = ledger();
    it.run("none", 0, { account: "bob" });
    it.run("spent", 300_000, { declaredMs: seconds(300), endpoint: "/spend" });
    assert.equal(refusal(it, "c", {}).code, "quota-exceeded");
  });

  test("the strict setting refuses what is not left in full", () => {
    const said = refusal(nearlySpent({ admission: "strict" }), "c", { declaredMs: seconds(21) });
    assert.equal(said.code === "quota-exceeded" && said.clip, null);
  });

  test("without a linked request a function is its release, size and declared duration", () => {
    const it = ledger();
    it.run("a", 500, { endpoint: null, declaredMs: seconds(12) });
    assert.deepEqual([...it.state.functions.keys()], ["rel_1 large 12000"]);
  });
});

describe("a window", () => {
  const opened = (): Ledger => {
    const it = ledger();
    it.run("c1", 250_000, { declaredMs: seconds(250) });
    return it;
  };
  const resetsAt = after(noon, seconds(24 * 3600));

  test("L15: it is not reset a millisecond before its end, and a call is refused then", () => {
    const it = opened();
    it.now = after(resetsAt, -1 as never);
    it.do({ type: "hear-node", node: "n1" });
    assert.equal(refusal(it, "c2", { declaredMs: seconds(120) }).code, "quota-exceeded");
  });

  test("at the instant of its end a new one begins: a window is [opened, resetsAt)", () => {
    const it = opened();
    it.now = resetsAt;
    const events = it.do({ type: "schedule", terms: terms("c2", { declaredMs: seconds(300) }) });
    assert.deepEqual(types(events), ["window-reset", "window-opened", "call-admitted", "call-granted"]);
    assert.equal(quotaOf(it.state, "alice", it.now)?.usedMs, 0);
    it.check();
  });

  test("L35: a call that spans the reset is held and settled in the period that admitted it", () => {
    const it = ledger();
    it.schedule("first", { declaredMs: seconds(1) });
    it.now = after(resetsAt, -1 as never);
    it.do({ type: "hear-node", node: "n1" });
    it.end("first", 1);
    it.schedule("spans", { declaredMs: seconds(200) });
    it.attach("spans");
    it.now = resetsAt;
    it.schedule("next", { declaredMs: seconds(300) });
    assert.equal(it.call("next").stage, "granted");
    it.end("spans", 100_000);
    assert.deepEqual(
      [quotaOf(it.state, "alice", it.now)?.usedMs, quotaOf(it.state, "alice", it.now)?.heldMs],
      [0, 300_000],
    );
    it.check();
  });

  test("L34: what is shown as left is limit − used − held, and after the end a full window", () => {
    const it = opened();
    it.schedule("c2", { declaredMs: seconds(20) });
    const now = quotaOf(it.state, "alice", it.now);
    assert.deepEqual([now?.usedMs, now?.heldMs, now?.leftMs, now?.index], [250_000, 20_000, 30_000, it.state.index]);
    const then = quotaOf(it.state, "alice", resetsAt);
    assert.deepEqual([then?.usedMs, then?.heldMs, then?.leftMs, then?.resetsAt], [0, 0, 300_000, null]);
  });

  test("L34: what is left is never shown below 0, also when the tier was lowered", () => {
    const it = opened();
    it.schedule("c2", { tier: "unlimited" });
    assert.equal(quotaOf(it.state, "alice", it.now)?.leftMs, null);
    it.end("c2", 1);
    refusal(it, "c3", { tier: "anonymous", declaredMs: seconds(10) });
    it.state.accounts.get("alice")!.tier = "anonymous";
    assert.equal(quotaOf(it.state, "alice", it.now)?.leftMs, 0);
  });
});

describe("a tier", () => {
  const set = (it: Ledger, settings: Partial<TierSettings>): void => {
    it.do({ type: "set-tier", tier: "free", settings });
  };

  test("L3: is as shipped until an operator sets it, and then as set, from the next call on", () => {
    const it = ledger([card(0, 8)]);
    it.schedule("c1", { declaredMs: seconds(200) });
    set(it, { windowLimitMs: gpuMs(250_000) });
    const said = refusal(it, "c2", { declaredMs: seconds(101) });
    assert.deepEqual(said.code === "quota-exceeded" && [said.leftMs, said.limitMs], [50_000, 250_000]);
    assert.equal(it.schedule("c3", { declaredMs: seconds(101), tier: "pro" }).stage, "granted");
    set(it, { windowLimitMs: null });
    assert.equal(it.schedule("c4", { declaredMs: seconds(600) }).stage, "granted");
    it.check();
  });

  test("whose window is made shorter leaves the period that runs its end", () => {
    const it = ledger();
    it.run("c1", 1, {});
    set(it, { windowMs: seconds(60) });
    assert.equal(quotaOf(it.state, "alice", it.now)?.resetsAt, after(noon, seconds(24 * 3600)));
    it.wait(24 * 3600 * 1000);
    it.do({ type: "hear-node", node: "n1" });
    it.schedule("c2");
    assert.equal(quotaOf(it.state, "alice", it.now)?.resetsAt, after(it.now, seconds(60)));
    it.check();
  });

  test("may allow shorter calls than the pool: exactly its longest is admitted, and a refusal names it", () => {
    const it = ledger();
    set(it, { durationMaxMs: seconds(20) });
    assert.deepEqual(refusal(it, "c1", { declaredMs: durationMs(20_001) }), {
      code: "duration-not-allowed",
      declaredMs: 20_001,
      maxMs: 20_000,
      tier: "free",
    });
    assert.equal(it.schedule("c2", { declaredMs: seconds(20) }).stage, "granted");
    assert.equal(it.schedule("c3", { declaredMs: seconds(21), tier: "pro" }).stage, "granted");
    set(it, { durationMaxMs: seconds(3600) });
    const bound = refusal(it, "c4", { declaredMs: seconds(3600) });
    assert.deepEqual(bound, { code: "duration-not-allowed", declaredMs: 3_600_000, maxMs: 600_000 });
  });

  test("L4: a limit that is negative, a fraction, or not exact changes nothing; the same again is no record", () => {
    const it = ledger();
    const before = it.state.index;
    for (const wrong of [-1, 0.5, NaN, Infinity, maxGpuMs + 1]) {
      for (const key of ["windowLimitMs", "windowMs", "durationMaxMs", "runsMax", "callsMax"])
        assert.equal(it.ask({ type: "set-tier", tier: "free", settings: { [key]: wrong } }), "amount-overflow");
    }
    assert.deepEqual(it.do({ type: "set-tier", tier: "free", settings: { windowLimitMs: gpuMs(300_000) } }), []);
    assert.equal(it.state.index, before);
  });
});

describe("limits on counts", () => {
  const set = (it: Ledger, settings: Partial<TierSettings>): void => {
    it.do({ type: "set-tier", tier: "free", settings });
  };

  test("L40: the window's runs are counted at admission, and the refusal says when there are more", () => {
    const it = ledger();
    set(it, { runsMax: 2 });
    it.run("c1", 5);
    it.schedule("c2");
    assert.deepEqual(refusal(it, "c3", {}), {
      code: "runs-exceeded",
      runs: 2,
      max: 2,
      tier: "free",
      resetsAt: after(noon, seconds(24 * 3600)),
    });
    assert.equal(it.schedule("c4", { account: "bob" }).stage, "granted");
    it.end("c2", 7);
    it.now = after(noon, seconds(24 * 3600));
    it.do({ type: "hear-node", node: "n1" });
    it.run("c5", 5);
    assert.equal(quotaOf(it.state, "alice", it.now)?.runs, 1);
    it.check();
  });

  test("L40: a run that ended without a charge is given back, and one of an earlier period gives nothing to this", () => {
    const it = ledger([card(0, 1)]);
    set(it, { runsMax: 2 });
    it.schedule("c1");
    it.schedule("waits");
    it.do({ type: "leave", call: "waits" });
    assert.equal(quotaOf(it.state, "alice", it.now)?.runs, 1);
    it.attach("c1");
    it.end("c1", 500, { cause: "operator-stop" });
    assert.equal(quotaOf(it.state, "alice", it.now)?.runs, 0);

    it.now = after(noon, seconds(24 * 3600 - 1));
    it.do({ type: "hear-node", node: "n1" });
    it.schedule("spans");
    it.wait(1000);
    it.schedule("next");
    it.end("spans", 0);
    assert.deepEqual([it.call("spans").stage, quotaOf(it.state, "alice", it.now)?.runs], ["voided", 1]);
    it.check();
  });

  test("L40: so many calls of an account are open at once, waiting ones too, and one may come when one has ended", () => {
    const it = ledger([card(0, 1)]);
    set(it, { callsMax: 2 });
    it.schedule("c1");
    it.schedule("c2");
    assert.deepEqual(refusal(it, "c3", {}), { code: "account-busy", calls: 2, max: 2, tier: "free" });
    it.do({ type: "leave", call: "c2" });
    assert.equal(it.schedule("c4").stage, "queued");
    it.check();
  });

  test("L40: so many calls of a Space are open at once, whoever made them; after a snapshot too", () => {
    const it = ledger([card(0, 8)], { spaceCallsMax: 2 });
    it.schedule("c1");
    it.schedule("c2", { account: "bob" });
    it.state = cloneState(it.state);
    assert.deepEqual(refusal(it, "c3", { account: "eve" }), { code: "space-busy", calls: 2, max: 2 });
    assert.equal(it.schedule("c4", { space: "bob/other" }).stage, "granted");
    it.end("c1", 5);
    assert.equal(it.schedule("c5").stage, "granted");
    it.check();
  });

  test("L40: a limit of 0 admits nothing, and null everything", () => {
    const it = ledger([card(0, 8)]);
    set(it, { callsMax: 0 });
    assert.equal(refusal(it, "c1", {}).code, "account-busy");
    set(it, { callsMax: null, runsMax: 0 });
    assert.equal(refusal(it, "c2", {}).code, "runs-exceeded");
    set(it, { runsMax: null });
    assert.equal(it.schedule("c3").stage, "granted");
  });

  test("a call from before runs were counted is none, however it ends", () => {
    const it = ledger();
    it.schedule("c1");
    const { records } = it;
    const old = new Ledger();
    for (const record of records) {
      const events = record.events.map((event) => {
        if (event.type !== "call-admitted") return event;
        const { counted: _, ...rest } = event;
        return rest;
      });
      apply(old.state, { ...record, events });
      take(old.audit, { ...record, events });
    }
    old.now = it.now;
    assert.ok(!encodeState(old.state).includes('"runs"') && !encodeState(old.state).includes('"counted"'));
    old.end("c1", 0);
    assert.equal(quotaOf(old.state, "alice", old.now)?.runs, 0);
    old.check();
  });
});

test("L4: a hold with which an account's sum would no longer be exact is refused, never rounded", () => {
  const it = ledger();
  it.schedule("c1", { tier: "unlimited", declaredMs: seconds(10) });
  const usedMs = gpuMs(maxGpuMs - 15_000);
  it.state.accounts.get("alice")!.usedMs = usedMs;
  it.audit.books.get("alice")!.usedMs = usedMs;
  const asked = (ms: number) => ({ tier: "unlimited" as const, declaredMs: durationMs(ms) });
  assert.equal(it.ask({ type: "schedule", terms: terms("c2", asked(5_001)) }), "amount-overflow");
  assert.equal(it.schedule("c3", asked(5_000)).stage, "granted");
});

describe("a visitor's token", () => {
  const token = { request: "q_1", declaredMs: seconds(1) };

  test("admits so many calls and no more, however short they were; another token is another", () => {
    const it = ledger([card()], { tokenMaxCalls: 3 });
    for (const call of ["c1", "c2", "c3"]) it.run(call, 1, token);
    assert.deepEqual(refusal(it, "c4", token), {
      code: "token-cap",
      calls: 3,
      maxCalls: 3,
      gpuMs: 3,
      maxGpuMs: maxGpuMs,
    });
    assert.equal(it.schedule("c5", { ...token, request: "q_2" }).stage, "granted");
  });

  test("that Spaces pass on to each other admits as much as it would have for one", () => {
    const it = ledger([card()], { tokenMaxCalls: 2 });
    it.run("c1", 1, token);
    it.run("c2", 1, { ...token, request: "q_callee", root: "q_1" });
    assert.equal(refusal(it, "c3", { ...token, request: "q_another", root: "q_1" }).code, "token-cap");
    assert.equal(refusal(it, "c4", token).code, "token-cap");
    assert.equal(it.schedule("c5", { ...token, request: "q_callee" }).stage, "granted");
  });

  test("admits so much GPU time: held by open calls, charged by ended ones", () => {
    const it = ledger([card(0, 8)], { tokenMaxGpuMs: gpuMs(2_500) });
    it.schedule("c1", token);
    it.schedule("c2", token);
    assert.equal(refusal(it, "c3", token).code, "token-cap");
    it.end("c1", 500);
    assert.equal(it.schedule("c4", token).stage, "granted");
  });
});
