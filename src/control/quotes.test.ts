import assert from "node:assert/strict";
import { test } from "node:test";
import { card, ledger, terms } from "../core/ledger.suite.ts";
import { durationMs } from "../stdx/time.ts";
import { quoteView } from "./quotes.ts";

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
    quoteView(state, new Set(nodes), { account: "alice", tier: "free" }, asked, now);

  const there = quoteOn("n2");
  assert.deepEqual([there?.pool, there?.admitted, there?.waiting?.of], ["fast", true, 2]);
  const either = quoteOn("n1", "n2");
  assert.deepEqual([either?.pool, either?.waiting], ["main", null], "of several the one where fewest wait");
  assert.equal(quoteOn()?.pool, "main", "without a replica that lives any node is asked");
});
