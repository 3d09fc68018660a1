import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seconds } from "../stdx/time.ts";
import { card, ledger, terms } from "./ledger.suite.ts";
import { quoteOf } from "./quote.ts";
import { stateHashInput } from "./state.ts";

describe("a quote", () => {
  test("of a call that a free slot would take says what it would hold, and no wait", () => {
    const it = ledger([card(0)]);
    const before = stateHashInput(it.state);
    const quote = quoteOf(it.state, terms("c1", { declaredMs: seconds(10), size: "xlarge" }), it.now);
    const cost = { heldMs: 20_000, leaseMs: 10_000, clipped: false, usual: null, paidBy: "alice", creditsMs: 0 };
    assert.deepEqual(quote, { kind: "admitted", ...cost, place: null, pool: "main", routed: null });
    assert.equal(stateHashInput(it.state), before);
  });

  test("is what the same call meets right after: its place, its clipped lease, or the policy that stops it", () => {
    const it = ledger([card(0, 1)], { spaceCallsMax: 3 });
    it.schedule("c1", { declaredMs: seconds(280) });
    const queued = quoteOf(it.state, terms("c2", { declaredMs: seconds(40), endpoint: "/new" }), it.now);
    assert.equal(queued.kind, "admitted");
    const call = it.schedule("c2", { declaredMs: seconds(40), endpoint: "/new" });
    assert.ok(queued.kind === "admitted" && call.stage === "queued");
    assert.deepEqual([queued.heldMs, queued.leaseMs, queued.clipped], [call.heldMs, call.leaseMs, true]);
    assert.deepEqual([queued.place?.position, queued.place?.of], [1, 1]);
    const spent = quoteOf(it.state, terms("c3"), it.now);
    const refused = it.schedule("c3");
    assert.ok(spent.kind === "refused" && refused.stage === "refused");
    assert.deepEqual(spent.refusal, refused.refusal);
  });

  test("of a call for a node that is not there is impossible", () => {
    const it = ledger();
    assert.deepEqual(quoteOf(it.state, terms("c", { node: "n9" }), it.now), {
      kind: "impossible",
      why: "unknown-node",
    });
  });
});
