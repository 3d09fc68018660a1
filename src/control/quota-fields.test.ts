import assert from "node:assert/strict";
import { test } from "node:test";
import { gpuMs } from "../core/amounts.ts";
import { card, ledger, noon } from "../core/ledger.suite.ts";
import { quotaOf } from "../core/views.ts";
import { after, iso, seconds } from "../stdx/time.ts";
import { hubQuota } from "./quota-fields.ts";

test("in the Hub's form credits are told apart from the window, and what was used of them is what was used beyond it", () => {
  const it = ledger([card(0)], { admission: "strict" });
  const told = () => hubQuota(quotaOf(it.state, "alice", it.now) ?? assert.fail("alice has an account"));
  it.schedule("spent", { declaredMs: seconds(280) });
  it.attach("spent");
  it.end("spent", 280_000);
  const resetsAt = iso(after(noon, seconds(86_400)));
  assert.deepEqual(told(), { base: 300, current: 20, held: 0, credits: 0, resetsAt });
  const terms = { kind: "credits", ms: gpuMs(100_000), expiresAt: null } as const;
  it.do({
    type: "allow",
    account: "alice",
    tier: "free",
    allowance: { id: "al_1", by: "admin", reason: "why", terms },
  });
  assert.deepEqual(told(), { base: 400, current: 120, held: 0, credits: 100, overquotaUsed: 0, resetsAt });
  it.schedule("c1", { declaredMs: seconds(60) });
  assert.deepEqual(told(), { base: 400, current: 60, held: 60, credits: 60, overquotaUsed: 0, resetsAt });
  it.attach("c1");
  it.end("c1", 29_500);
  assert.deepEqual(told(), { base: 390, current: 90, held: 0, credits: 90, overquotaUsed: 10, resetsAt });
});
