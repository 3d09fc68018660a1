/** Who pays, with numbers: the examples of docs/ledger.md, and what stands at their edges. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { after, durationMs, instant, seconds } from "../stdx/time.ts";
import { gpuMs, maxGpuMs } from "./amounts.ts";
import type { Ledger } from "./ledger.suite.ts";
import { card, eventOf, ledger, noon, terms, types } from "./ledger.suite.ts";
import type { AllowanceTerms, CallTerms, Command, LiftablePolicy, WhenOut } from "./model.ts";
import { allowancesMax, windowMaxMs } from "./policy.ts";
import { quoteOf } from "./quote.ts";
import { decodeState, encodeState } from "./state.ts";
import { Replay } from "./totals.ts";
import { budgetOf, quotaOf } from "./views.ts";

const given = (id: string, allowed: AllowanceTerms, account = "alice"): Command => ({
  type: "allow",
  account,
  tier: "free",
  allowance: { id, terms: allowed, by: "admin", reason: "a demo on Friday" },
});
const more = (s: number): AllowanceTerms => ({ kind: "window", ms: gpuMs(s * 1000) });
const credits = (s: number, lastsMs: number | null = null): AllowanceTerms => ({
  kind: "credits",
  ms: gpuMs(s * 1000),
  expiresAt: lastsMs === null ? null : after(noon, durationMs(lastsMs)),
});
const lift = (policy: LiftablePolicy, s: number): AllowanceTerms => ({
  kind: "lift",
  policy,
  until: after(noon, seconds(s)),
});

/** 280 of 300 s are used; four cards. */
function spent(): Ledger {
  const it = ledger([card(0), card(1), card(2), card(3)], { admission: "strict" });
  it.schedule("spent", { declaredMs: seconds(280) });
  it.attach("spent");
  it.end("spent", 280_000);
  return it;
}

function refused(it: Ledger, call: string, changes: Partial<CallTerms> = {}) {
  const made = it.schedule(call, changes);
  it.check();
  return made.stage === "refused" ? made.refusal : assert.fail(made.stage);
}

function fundingOf(it: Ledger, call: string, changes: Partial<CallTerms> = {}) {
  const event = eventOf(it.do({ type: "schedule", terms: terms(call, changes) }), "call-admitted");
  it.check();
  const { sponsor, credits: parts, overrides, counted } = event;
  return { sponsor, credits: parts, overrides, counted };
}

const own = { sponsor: undefined, credits: undefined, overrides: undefined, counted: true };
const quota = (it: Ledger, account = "alice") => quotaOf(it.state, account, it.now) ?? assert.fail(account);

describe("more for a running window", () => {
  test("L3: is named by the admission that passes the tier's own limit, and by no other", () => {
    const it = spent();
    assert.equal(refused(it, "c0", { declaredMs: seconds(30) }).code, "quota-exceeded");
    it.do(given("al_1", more(60)));
    assert.deepEqual([quota(it).limitMs, quota(it).leftMs], [360_000, 80_000]);
    assert.deepEqual(fundingOf(it, "c1", { declaredMs: seconds(20) }), own);
    assert.deepEqual(fundingOf(it, "c2", { declaredMs: seconds(60) }), { ...own, overrides: ["al_1"] });
    assert.equal(refused(it, "c3", { declaredMs: durationMs(1) }).code, "quota-exceeded");
  });

  test("ends with the window", () => {
    const it = spent();
    it.do(given("al_1", more(60)));
    it.now = after(noon, seconds(24 * 3600));
    it.do({ type: "hear-node", node: "n1" });
    assert.deepEqual([quota(it).limitMs, quota(it).allowances], [300_000, []]);
    assert.equal(refused(it, "c1", { declaredMs: seconds(301) }).code, "quota-exceeded");
  });

  test("is refused where no window runs: before the first use, and when the last one is over", () => {
    const it = ledger();
    assert.equal(it.ask(given("al_1", more(60))), "no-window");
    it.run("c1", 1);
    it.now = after(noon, seconds(24 * 3600));
    assert.equal(it.ask(given("al_1", more(60))), "no-window");
    it.now = instant(it.now - 1);
    assert.deepEqual(types(it.do(given("al_1", more(60)))), ["allowance-given"]);
    assert.equal(it.state.accounts.get("alice")?.allowances[0]?.reason, "a demo on Friday");
  });
});

describe("credits", () => {
  test("L41: are held for what the window has not left, and only then", () => {
    const it = spent();
    it.do(given("al_1", credits(100)));
    assert.deepEqual([quota(it).leftMs, quota(it).creditsMs], [20_000, 100_000]);
    assert.deepEqual(fundingOf(it, "c1", { declaredMs: seconds(15) }), own);
    const held = [{ allowance: "al_1", ms: 55_000 }];
    assert.deepEqual(fundingOf(it, "c2", { declaredMs: seconds(60) }), { ...own, credits: held });
    assert.deepEqual([quota(it).leftMs, quota(it).creditsMs, quota(it).heldMs], [0, 45_000, 20_000]);
    const said = refused(it, "c3", { declaredMs: seconds(46) });
    assert.deepEqual(said.code === "quota-exceeded" && [said.leftMs, said.creditsMs], [0, 45_000]);
  });

  test("pay at the end what the window cannot: of a charge of 30 s with 20 s left, 10 s", () => {
    const it = spent();
    it.do(given("al_1", credits(100)));
    it.schedule("c1", { declaredMs: seconds(60) });
    it.attach("c1");
    const settled = eventOf(it.end("c1", 30_000), "call-settled");
    assert.deepEqual(settled.credits, [{ allowance: "al_1", ms: 10_000 }]);
    assert.deepEqual([quota(it).usedMs, quota(it).heldMs, quota(it).creditsMs], [300_000, 0, 90_000]);
    it.check();
  });

  test("are not charged where another call has left the window room meanwhile", () => {
    const it = spent();
    it.do(given("al_1", credits(100)));
    it.schedule("long", { declaredMs: seconds(20) });
    it.schedule("c1", { declaredMs: seconds(10) }); // all of it credits
    it.attach("c1");
    it.attach("long");
    it.end("long", 5_000);
    assert.equal(eventOf(it.end("c1", 8_000), "call-settled").credits, undefined);
    assert.deepEqual([quota(it).usedMs, quota(it).creditsMs], [293_000, 100_000]);
    it.check();
  });

  test("come back in full from a call that ends without a charge", () => {
    const it = spent();
    it.do(given("al_1", credits(100)));
    it.schedule("c1", { declaredMs: seconds(60) });
    it.end("c1", 0, { cause: "app-exit" });
    assert.deepEqual([quota(it).creditsMs, quota(it).leftMs], [100_000, 20_000]);
    it.check();
  });

  test("pay for all of a call where the tier's limit was set below what is used", () => {
    const it = spent();
    it.do(given("al_1", credits(100)));
    it.do({ type: "set-tier", tier: "free", settings: { windowLimitMs: gpuMs(60_000) } });
    assert.deepEqual(fundingOf(it, "c1", { declaredMs: seconds(30) }).credits, [{ allowance: "al_1", ms: 30_000 }]);
  });

  test("that expire first are used first; at their instant they are over, and a hold keeps what it took", () => {
    const it = spent();
    it.do(given("al_ever", credits(50)));
    it.do(given("al_short", credits(50, 10_000)));
    const parts = [
      { allowance: "al_short", ms: 50_000 },
      { allowance: "al_ever", ms: 10_000 },
    ];
    assert.deepEqual(fundingOf(it, "c1", { declaredMs: seconds(80) }).credits, parts);
    it.attach("c1");
    it.now = after(noon, seconds(10));
    assert.equal(quota(it).creditsMs, 40_000);
    assert.deepEqual(eventOf(it.end("c1", 30_000), "call-settled").credits, [{ allowance: "al_short", ms: 10_000 }]);
    assert.equal(quota(it).creditsMs, 50_000); // what came back to the short ones is over
    it.check();
  });

  test("outlast the window's reset; a call that spans it pays by its hold", () => {
    const it = spent();
    it.do(given("al_1", credits(100)));
    it.now = after(noon, durationMs(24 * 3600 * 1000 - 1));
    it.do({ type: "hear-node", node: "n1" });
    it.schedule("spans", { declaredMs: seconds(60) });
    it.attach("spans");
    it.now = after(noon, seconds(24 * 3600));
    it.schedule("next", { declaredMs: seconds(5) });
    assert.deepEqual(eventOf(it.end("spans", 50_000), "call-settled").credits, [{ allowance: "al_1", ms: 30_000 }]);
    assert.deepEqual([quota(it).usedMs, quota(it).heldMs, quota(it).creditsMs], [0, 5_000, 70_000]);
    it.check();
  });

  test("count as left for the clip rule", () => {
    const it = spent();
    it.do({ type: "set-pool", pool: "main", settings: { admission: "clip" } });
    it.do(given("al_1", credits(30)));
    const call = it.schedule("c1", { declaredMs: seconds(100), endpoint: "/new" });
    assert.deepEqual(call.stage === "granted" && [call.leaseMs, call.clipped], [50_000, true]);
    it.check();
  });
});

describe("a lifted policy", () => {
  test("L3: the window's limit does not hold before the instant, and each admission beyond it names the allowance", () => {
    const it = spent();
    it.do(given("al_1", lift("window", 60)));
    assert.deepEqual([quota(it).limitMs, quota(it).leftMs], [null, null]);
    assert.deepEqual(fundingOf(it, "c1", { declaredMs: seconds(20) }), own);
    assert.deepEqual(fundingOf(it, "c2", { declaredMs: seconds(500) }), { ...own, overrides: ["al_1"] });
    it.now = after(noon, seconds(60));
    it.do({ type: "hear-node", node: "n1" });
    assert.equal(quota(it).leftMs, 0);
    assert.equal(refused(it, "c3", { declaredMs: seconds(1) }).code, "quota-exceeded");
  });

  const beyond: Readonly<Record<Exclude<LiftablePolicy, "window">, [Partial<CallTerms>, string]>> = {
    runs: [{}, "runs-exceeded"],
    calls: [{}, "account-busy"],
    duration: [{ declaredMs: seconds(20) }, "duration-not-allowed"],
  };
  for (const [policy, [changes, code]] of Object.entries(beyond)) {
    test(`L40: ${policy}`, () => {
      const it = ledger([card(0), card(1)]);
      const settings = { runs: { runsMax: 1 }, calls: { callsMax: 1 }, duration: { durationMaxMs: seconds(15) } };
      it.do({ type: "set-tier", tier: "free", settings: settings[policy as keyof typeof settings] });
      it.schedule("c0");
      assert.equal(refused(it, "c1", changes).code, code);
      const shown = () => ({ runs: quota(it).runsMax, calls: quota(it).callsMax, duration: null });
      const limited = shown();
      it.do(given("al_1", lift(policy as LiftablePolicy, 5)));
      assert.deepEqual(shown(), { ...limited, [policy]: null });
      assert.deepEqual(fundingOf(it, "c2", changes).overrides, ["al_1"]);
      it.now = after(noon, seconds(5));
      assert.deepEqual(shown(), limited);
      assert.equal(refused(it, "c3", changes).code, code);
    });
  }

  test("of a duration leaves the pool's bound, which is then named", () => {
    const it = ledger([card()], { durationMaxMs: seconds(30) });
    it.do({ type: "set-tier", tier: "free", settings: { durationMaxMs: seconds(15) } });
    it.do(given("al_1", lift("duration", 5)));
    assert.deepEqual(refused(it, "c1", { declaredMs: seconds(31) }), {
      code: "duration-not-allowed",
      declaredMs: 31_000,
      maxMs: 30_000,
    });
  });
});

describe("an allowance", () => {
  test("L10, L11: the same one again records nothing; another under its id is refused", () => {
    const it = spent();
    it.do(given("al_1", credits(10)));
    assert.deepEqual(it.do(given("al_1", credits(10))), []);
    assert.equal(it.ask(given("al_1", credits(11))), "other-content");
    assert.equal(it.ask(given("al_1", more(10))), "other-content");
  });

  test("L4: an amount that is none, or not exact with what was given before, is refused", () => {
    const it = spent();
    for (const ms of [0, -1, 0.5, NaN, 2 ** 53]) {
      const wrong = { kind: "credits", ms: ms as never, expiresAt: null } as const;
      assert.equal(it.ask(given("al_1", wrong)), "amount-overflow", String(ms));
    }
    it.do(given("al_1", { kind: "credits", ms: gpuMs(maxGpuMs - 1), expiresAt: null }));
    assert.equal(it.ask(given("al_2", { kind: "credits", ms: gpuMs(2), expiresAt: null })), "amount-overflow");
    it.do(given("al_2", { kind: "credits", ms: gpuMs(1), expiresAt: null }));
    assert.equal(quota(it).creditsMs, maxGpuMs);
    assert.equal(it.schedule("c1", { declaredMs: seconds(600) }).stage, "granted");
    it.check();
  });

  test("ends ahead, and not after a year", () => {
    const it = spent();
    for (const ms of [0, -1, windowMaxMs + 1, Infinity])
      assert.equal(it.ask(given("al_1", credits(1, ms))), "not-ahead", String(ms));
    assert.equal(types(it.do(given("al_1", credits(1, windowMaxMs)))).length, 1);
  });

  test("is one of at most so many that are not over", () => {
    const it = spent();
    for (let n = 0; n < allowancesMax; n++) it.do(given(`al_${n}`, lift("runs", 1 + (n % 2))));
    assert.equal(it.ask(given("al_more", lift("runs", 9))), "too-many");
    it.wait(1_000);
    it.do(given("al_more", lift("runs", 9)));
    assert.equal(it.state.accounts.get("alice")?.allowances.length, allowancesMax / 2 + 1);
  });

  test("opens an account that never called, and keeps an address from being forgotten", () => {
    const it = ledger();
    const address = { account: "address:127.0.0.1", tier: "anonymous" } as const;
    it.run("c1", 1, address);
    it.do({ ...given("al_1", credits(10)), ...address });
    it.now = after(noon, seconds(2 * 24 * 3600));
    it.do({ type: "hear-node", node: "n1" });
    it.tick();
    assert.equal(quota(it, address.account).creditsMs, 10_000);
    assert.deepEqual(types(it.do(given("al_1", credits(1), "new"))), ["account-opened", "allowance-given"]);
    it.check();
  });

  test("L25: is read back from a snapshot; a ledger without any writes what it wrote before there were any", () => {
    const it = spent();
    assert.doesNotMatch(encodeState(it.state), /allowances|budgets|credits|sponsor/);
    it.do(given("al_1", credits(10)));
    it.do(given("al_2", more(10)));
    it.schedule("c1", { declaredMs: seconds(35) });
    assert.equal(encodeState(decodeState(encodeState(it.state))), encodeState(it.state));
  });
});

describe("an allowance that is taken back", () => {
  const back = (allowance: string, reason = "a mistake", account = "alice"): Command => ({
    type: "revoke",
    account,
    allowance,
    by: "admin",
    reason,
  });

  test("L41: credits that nobody holds are gone at once; what a call holds of them pays for it, and what it gives back is over", () => {
    const it = spent();
    it.do(given("al_1", credits(100)));
    it.schedule("c1", { declaredMs: seconds(60) }); // 20 s of the window, 40 s of credits
    it.attach("c1");
    assert.deepEqual(types(it.do(back("al_1"))), ["allowance-revoked"]);
    assert.equal(quota(it).creditsMs, 0);
    assert.equal(refused(it, "c2", { declaredMs: seconds(1) }).code, "quota-exceeded");
    const [shown] = quota(it).allowances;
    assert.deepEqual(shown?.revoked, { by: "admin", reason: "a mistake", at: it.now });
    assert.deepEqual(eventOf(it.end("c1", 30_000), "call-settled").credits, [{ allowance: "al_1", ms: 10_000 }]);
    assert.deepEqual([quota(it).creditsMs, quota(it).allowances], [0, []]);
    it.check();
  });

  test("L3: more for a window no longer counts; what was admitted by it stays, and the rest is 0 and no debt", () => {
    const it = spent();
    it.do(given("al_1", more(60)));
    it.schedule("c1", { declaredMs: seconds(60) });
    it.do(back("al_1"));
    assert.deepEqual([quota(it).limitMs, quota(it).leftMs, quota(it).heldMs], [300_000, 0, 60_000]);
    assert.equal(it.call("c1").stage, "granted");
    it.attach("c1");
    assert.equal(eventOf(it.end("c1", 60_000), "call-settled").chargedMs, 60_000);
    assert.deepEqual([quota(it).usedMs, quota(it).leftMs], [340_000, 0]);
    it.check();
  });

  test("L40: a lifted policy holds again from the next call on", () => {
    const it = ledger([card(0), card(1)]);
    it.do({ type: "set-tier", tier: "free", settings: { runsMax: 1 } });
    it.do(given("al_1", lift("runs", 60)));
    it.schedule("c0");
    assert.deepEqual(fundingOf(it, "c1").overrides, ["al_1"]);
    it.do(back("al_1"));
    assert.equal(refused(it, "c2").code, "runs-exceeded");
  });

  test("L10, L11: the same command again records nothing; by another's reason it was taken back already", () => {
    const it = spent();
    it.do(given("al_1", credits(100)));
    it.do(back("al_1"));
    assert.deepEqual(it.do(back("al_1")), []);
    assert.equal(it.ask(back("al_1", "another reason")), "already-revoked");
    assert.equal(it.ask(given("al_1", credits(99))), "other-content");
  });

  test("was there, and was not over: else the command is refused", () => {
    const it = spent();
    it.do(given("al_short", credits(100, 1_000)));
    assert.equal(it.ask(back("al_none")), "unknown-allowance");
    assert.equal(it.ask(back("al_short", "a mistake", "nobody")), "unknown-allowance");
    it.wait(1_000);
    assert.equal(it.ask(back("al_short")), "unknown-allowance");
  });

  test("makes room for another, and L25: is read back from a snapshot", () => {
    const it = spent();
    for (let n = 0; n < allowancesMax; n++) it.do(given(`al_${n}`, credits(1)));
    assert.equal(it.ask(given("al_more", credits(1))), "too-many");
    it.do(back("al_7"));
    assert.equal(encodeState(decodeState(encodeState(it.state))), encodeState(it.state));
    it.do(given("al_more", credits(1)));
    assert.equal(it.state.accounts.get("alice")?.allowances.length, allowancesMax);
    it.check();
  });
});

test("L38: a log whose first records were removed sums up to the same, wherever it begins, and counts for who paid", () => {
  const it = spent();
  it.do(given("al_1", credits(100)));
  const settings = { limitMs: gpuMs(60_000), whenOut: "refuse" as const };
  it.do({ type: "set-budget", space: "bob/demo", sponsor: "bob", tier: "pro", settings });
  it.run("mine", 25_000, { declaredMs: seconds(40) });
  it.run("visitor's", 12_000, { declaredMs: seconds(40), space: "bob/demo" });
  const whole = new Replay();
  for (const record of it.records) whole.take(record);
  assert.deepEqual(
    whole.counts().map(({ account, chargedMs }) => [account, chargedMs]),
    [
      ["alice", 305_000],
      ["bob", 12_000],
    ],
  );
  for (const { index } of it.records) {
    const first = new Replay();
    for (const record of it.records.slice(0, index)) first.take(record);
    const rest = new Replay({ state: decodeState(encodeState(first.state)), counts: first.counts() });
    for (const record of it.records.slice(index)) rest.take(record);
    assert.deepEqual([rest.totals(), rest.counts(), rest.differences()], [whole.totals(), whole.counts(), []]);
  }
});

describe("a Space's budget", () => {
  const owner = "alice"; // of alice/demo
  const visitor = { account: "vera", declaredMs: seconds(40) };
  const sponsored = (limitS: number | null, whenOut: WhenOut = "visitor"): Ledger => {
    const it = ledger([card(0), card(1), card(2), card(3)]);
    setBudget(it, limitS, whenOut);
    return it;
  };
  const setBudget = (it: Ledger, limitS: number | null, whenOut: WhenOut): void => {
    const limitMs = limitS === null ? null : gpuMs(limitS * 1000);
    const settings = { limitMs, whenOut };
    it.do({ type: "set-budget", space: "alice/demo", sponsor: owner, tier: "pro", settings });
  };
  const budget = (it: Ledger) => budgetOf(it.state, "alice/demo", it.now);

  test("L42: the owner's window holds and pays; the visitor's is untouched and counts no run", () => {
    const it = sponsored(100);
    const { sponsor, counted } = fundingOf(it, "c1", visitor);
    assert.deepEqual([sponsor, counted], [owner, undefined]);
    assert.deepEqual([budget(it).heldMs, quota(it, owner).heldMs, quota(it, "vera").heldMs], [40_000, 40_000, 0]);
    assert.deepEqual([quota(it, "vera").resetsAt, quota(it, "vera").runs, quota(it, "vera").calls], [null, 0, 1]);
    it.attach("c1");
    it.end("c1", 12_000);
    assert.deepEqual([budget(it).usedMs, budget(it).leftMs, quota(it, owner).usedMs], [12_000, 88_000, 12_000]);
    assert.deepEqual([quota(it, "vera").usedMs, quota(it, "vera").calls], [0, 0]);
    it.check();
  });

  test("is for visitors: the owner's own call is not counted in it", () => {
    const it = sponsored(100);
    assert.deepEqual(fundingOf(it, "c1", { account: owner, tier: "pro" }), own);
    assert.equal(budget(it).heldMs, 0);
  });

  test("that is out: running calls finish, and new ones are the visitor's", () => {
    const it = sponsored(60);
    it.schedule("c1", visitor);
    it.attach("c1");
    assert.deepEqual(fundingOf(it, "c2", visitor), own);
    it.end("c1", 40_000);
    assert.deepEqual([budget(it).usedMs, quota(it, "vera").heldMs], [40_000, 40_000]);
    it.check();
  });

  test("that is out, where the Space refuses then: the refusal says whose budget, with its numbers", () => {
    const it = sponsored(60, "refuse");
    it.schedule("c1", visitor);
    const { resetsAt } = quota(it, owner);
    assert.deepEqual(refused(it, "c2", { ...visitor, declaredMs: seconds(50) }), {
      ...{ code: "budget-exceeded", sponsor: owner, askedMs: 50_000, leftMs: 20_000 },
      ...{ usedMs: 0, heldMs: 40_000, limitMs: 60_000, resetsAt },
      clip: { needMs: 25_000, basis: "half of what it declares" },
    });
    const clipped = it.schedule("c3", visitor);
    assert.deepEqual(clipped.stage === "granted" && [clipped.leaseMs, clipped.sponsor], [20_000, owner]);
    it.check();
  });

  test("has no more left than the owner's own window and credits", () => {
    const it = sponsored(10_000, "refuse");
    it.do({ type: "set-tier", tier: "pro", settings: { windowLimitMs: gpuMs(30_000) } });
    const said = refused(it, "c1", { ...visitor, declaredMs: seconds(70) });
    assert.deepEqual(said.code === "budget-exceeded" && [said.leftMs, said.limitMs], [30_000, 10_000_000]);
    it.do({ ...given("al_1", credits(20), owner), tier: "pro" } as Command);
    const { sponsor, credits: parts } = fundingOf(it, "c2", visitor);
    assert.deepEqual([sponsor, parts], [owner, [{ allowance: "al_1", ms: 10_000 }]]);
  });

  test("L35: begins anew with the owner's window", () => {
    const it = sponsored(60);
    it.run("c1", 40_000, visitor);
    it.now = after(noon, seconds(24 * 3600));
    it.do({ type: "hear-node", node: "n1" });
    assert.deepEqual([budget(it).usedMs, budget(it).leftMs], [0, 60_000]);
    assert.deepEqual(types(it.do({ type: "schedule", terms: terms("c2", visitor) })).slice(0, 3), [
      "window-reset",
      "window-opened",
      "call-admitted",
    ]);
    assert.equal(budget(it).heldMs, 40_000);
    it.check();
  });

  test("counts from the next call on when it is changed, and stays its Space's owner's", () => {
    const it = sponsored(100);
    it.schedule("c1", visitor);
    setBudget(it, null, "visitor");
    assert.deepEqual(fundingOf(it, "c2", visitor), own);
    it.end("c1", 0);
    setBudget(it, 30, "visitor");
    assert.deepEqual(fundingOf(it, "c3", visitor), own);
    const settings = { limitMs: gpuMs(1) };
    const other: Command = { type: "set-budget", space: "alice/demo", sponsor: "bob", tier: "free", settings };
    assert.equal(it.ask(other), "other-content");
    assert.equal(it.ask({ ...other, sponsor: owner, settings: { limitMs: (2 ** 53) as never } }), "amount-overflow");
    it.check();
  });

  test("is what a quote says", () => {
    const it = sponsored(100);
    const said = quoteOf(it.state, terms("c1", visitor), it.now);
    assert.deepEqual(said.kind === "admitted" && [said.paidBy, said.heldMs], [owner, 40_000]);
  });

  test("lets in visitors whose own windows are used up", () => {
    const it = sponsored(100);
    it.do({ type: "set-tier", tier: "free", settings: { windowLimitMs: gpuMs(0), runsMax: 0 } });
    assert.equal(fundingOf(it, "c1", visitor).sponsor, owner);
    assert.equal(refused(it, "c2", { ...visitor, declaredMs: seconds(61) }).code, "runs-exceeded");
  });
});
