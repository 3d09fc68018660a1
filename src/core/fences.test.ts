import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { card, hello, ledger } from "./ledger.suite.ts";
import { cloneState, encodeState } from "./state.ts";

describe("L18: after a restore no fence comes again", () => {
  test("the next lease of a free slot, of a warm worker and of a new card is above all that may have been given", () => {
    const it = ledger();
    it.schedule("c_1");
    it.attach("c_1");
    it.end("c_1", 100, { workerAlive: true });
    it.do({ type: "raise-fences", above: 1_000 });
    it.state = cloneState(it.state);
    const warm = it.schedule("c_2");
    assert.deepEqual([it.lease(warm.terms.call).warm, it.lease(warm.terms.call).fence], [true, 1_001]);
    it.schedule("c_3", { replica: "p_2" });
    assert.equal(it.lease("c_3").fence, 1_002, "no two leases of one card share a number");
    it.do(hello([card(0), card(1)]));
    it.schedule("c_4", { replica: "p_2" });
    assert.equal(it.lease("c_4").fence, 1_001, "a card that is new since");
    it.check();
  });

  test("they are raised once, and never lowered", () => {
    const it = ledger();
    it.do({ type: "raise-fences", above: 1_000 });
    assert.deepEqual(it.do({ type: "raise-fences", above: 1_000 }), []);
    assert.deepEqual(it.do({ type: "raise-fences", above: 7 }), []);
    assert.equal(it.state.fencesAbove, 1_000);
  });

  test("a ledger that was never restored writes the snapshot that it wrote before there were restores", () => {
    assert.doesNotMatch(encodeState(ledger().state), /fencesAbove/);
  });
});
