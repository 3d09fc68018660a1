import assert from "node:assert/strict";
import { test } from "node:test";
import { card, ledger, terms } from "../core/ledger.suite.ts";
import { gpuMs } from "../core/amounts.ts";
import { after, durationMs, seconds } from "../stdx/time.ts";
import { callLimits, rateLimitFields } from "./quota-fields.ts";
import { quoteView } from "./quotes.ts";
import type { Payer } from "./quotes.ts";

/** Two nodes in two pools, of one slot each; the one of `fast` is busy, and a call waits there. */
function twoPools() {
  const made = ledger([card(0, 1)]);
  const node = { node: "n2", pool: "fast", replica: "p_9" };
  made.do({ type: "join-node", node: "n2", pool: "fast", devices: [card(0, 1)], replicas: ["p_9"] });
  made.do({ type: "schedule", terms: terms("c_1", node) });
  made.do({ type: "schedule", terms: terms("c_2", node) });
  return made;
}

test("a quote is of the pool where the Space's replicas are, however much shorter another one's queue is", () => {
  const { state, now } = twoPools();
  const asked = { space: "demo/app", declaredMs: durationMs(1_000) };
  const quoteOn = (...nodes: string[]) =>
    quoteView(state, new Map(nodes.map((node) => [node, "rel_1"])), { account: "alice", tier: "free" }, asked, now)
      ?.view;

  const there = quoteOn("n2");
  assert.deepEqual([there?.pool, there?.admitted, there?.waiting?.of], ["fast", true, 2]);
  const either = quoteOn("n1", "n2");
  assert.deepEqual([either?.pool, either?.waiting], ["main", null], "of several the one where fewest wait");
  assert.equal(quoteOn()?.pool, "main", "without a replica that lives any node is asked");
});

test("what limits a call is told with it: its account's, its Space's, the owner's budget, and the caps of a visitor's token", () => {
  const made = ledger([card(0), card(1)], { spaceCallsMax: 4, durationMaxMs: seconds(120), tokenMaxCalls: 3 });
  made.do({ type: "set-pool", pool: "main", settings: { tokenMaxGpuMs: gpuMs(60_000) } });
  made.do({ type: "set-tier", tier: "free", settings: { durationMaxMs: seconds(90), callsMax: 5 } });
  const budget = { limitMs: gpuMs(100_000), whenOut: "visitor" as const };
  made.do({ type: "set-budget", space: "alice/demo", sponsor: "alice", tier: "pro", settings: budget });
  made.schedule("c_1", { account: "vera", request: "q_2", root: "q_1", declaredMs: seconds(40) });
  made.wait(3_000_500);
  const asked = { space: "alice/demo", declaredMs: durationMs(1_000) };
  const told = (payer: Partial<Payer>): Record<string, string> => {
    const { limits } =
      quoteView(made.state, new Map([["n1", "rel_1"]]), { account: "vera", tier: "free", ...payer }, asked, made.now) ??
      assert.fail("a node is there");
    return rateLimitFields(callLimits(limits, made.now));
  };
  assert.deepEqual(told({ request: "q_3", root: "q_1" }), {
    "ratelimit-policy":
      '"window";q=300;qu="gpu-seconds";w=86400, "calls";q=5;qu="concurrent-requests", "duration";q=90;qu="seconds", "space-calls";q=4;qu="concurrent-requests", "budget";q=100;qu="gpu-seconds";w=86400, "token-calls";q=3;qu="requests", "token";q=60;qu="gpu-seconds"',
    ratelimit:
      '"window";r=300, "calls";r=4, "duration";r=90, "space-calls";r=3, "budget";r=60;t=83400, "token-calls";r=2, "token";r=20',
  });
  assert.doesNotMatch(told({})["ratelimit"] ?? "", /token/, "no token, no caps");
  assert.doesNotMatch(told({ account: "alice" })["ratelimit"] ?? "", /budget/, "the owner is no visitor");
  made.do({
    type: "allow",
    account: "vera",
    tier: "free",
    allowance: {
      ...{ id: "al_1", by: "admin", reason: "long" },
      terms: { kind: "lift", policy: "duration", until: after(made.now, seconds(60)) },
    },
  });
  assert.match(told({})["ratelimit"] ?? "", /"duration";r=120/, "the pool's bound stays");
});

test("a quote for a visitor's token is refused where the token's cap would refuse the call", () => {
  const made = ledger([card(0)], { tokenMaxCalls: 1 });
  made.schedule("c_1", { request: "q_1" });
  const asked = { space: "alice/demo", declaredMs: durationMs(1_000) };
  const refusedFor = (payer: Partial<Payer>): string | undefined =>
    quoteView(made.state, new Map(), { account: "alice", tier: "free", ...payer }, asked, made.now)?.view.refused?.code;
  assert.equal(refusedFor({ request: "q_1" }), "gpu/token-cap");
  assert.equal(refusedFor({ request: "q_2", root: "q_1" }), "gpu/token-cap");
  assert.equal(refusedFor({ request: "q_2" }), undefined);
});

test("a quote knows what the function's runs cost, and cuts its lease as the call's would be, by the release that runs", () => {
  const made = ledger([card(0)]);
  const declared = seconds(60);
  for (const [n, usedMs] of [9_000, 3_000, 5_000].entries()) {
    made.schedule(`c_${n}`, { declaredMs: declared, endpoint: null });
    made.attach(`c_${n}`);
    made.end(`c_${n}`, usedMs);
  }
  made.schedule("spent", { declaredMs: seconds(280) });
  made.attach("spent");
  made.end("spent", 263_000); // 20 s are left
  const quoted = (release: string, more: { readonly size?: "xlarge"; readonly endpoint?: string } = {}) => {
    const asked = { space: "demo/app", declaredMs: declared, ...more };
    const payer = { account: "alice", tier: "free" } as const;
    const { view } = quoteView(made.state, new Map([["n1", release]]), payer, asked, made.now) ?? assert.fail("a node");
    return view;
  };
  const usual = { runs: 3, medianMs: 5_000, p90Ms: 9_000 };
  const { admitted, clipped, leaseMs, usual: told } = quoted("rel_1");
  assert.deepEqual([admitted, clipped, leaseMs, told], [true, true, 20_000, usual]);
  assert.deepEqual(quoted("rel_1", { endpoint: "/run" }).usual, usual, "calls are not told apart by it");
  const unknown = quoted("rel_2");
  assert.deepEqual([unknown.refused?.code, unknown.usual], ["gpu/quota-exceeded", null], "half of 60 s is not left");
  const call = made.schedule("c_9", { declaredMs: declared, endpoint: null });
  assert.ok(call.stage === "granted" && call.clipped && call.lease.leaseMs === 20_000, JSON.stringify(call));
});
