import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { durationMs } from "../stdx/time.ts";
import { addRun, median, p90 } from "./history.ts";
import type { Runs } from "./history.ts";
import { card, hello, ledger, terms } from "./ledger.suite.ts";
import { runsKept } from "./policy.ts";
import { cloneState, decodeState, encodeState, stateHashInput, tierOf } from "./state.ts";

describe("a snapshot", () => {
  test("keeps the order in which functions were last used: the one unused for longest goes first", () => {
    const it = ledger();
    for (const endpoint of ["/b", "/a", "/b"]) it.run(`c${it.state.index}`, 5, { endpoint });
    const names = ["alice/demo /a", "alice/demo /b"];
    assert.deepEqual([...it.state.functions.keys()], names);
    it.run("again", 5, { endpoint: "/a" });
    assert.deepEqual([...cloneState(it.state).functions.keys()], names.toReversed());
  });

  test("of equal states is equal, in whatever order their terms were written", () => {
    const one = ledger();
    const other = ledger();
    one.do({ type: "schedule", terms: terms("c") });
    other.do({ type: "schedule", terms: Object.fromEntries(Object.entries(terms("c")).toReversed()) as never });
    assert.equal(stateHashInput(one.state), stateHashInput(other.state));
  });

  test("is written in the same order whatever its parts' own order is, at any depth and in any stage", () => {
    const it = ledger([card(0, 1)]);
    it.run("settled", 5, { request: "q_1", endpoint: "/b" });
    it.do({ type: "schedule", terms: terms("refused", { declaredMs: durationMs(0) }) });
    it.do({
      type: "schedule",
      terms: terms("over", { account: "bob", tier: "anonymous", declaredMs: durationMs(600_000) }),
    });
    it.schedule("attached");
    it.attach("attached");
    it.schedule("queued");
    it.schedule("voided");
    it.do({ type: "leave", call: "voided" });
    assert.deepEqual(
      new Set([...it.state.calls.values()].map(({ stage }) => stage)),
      new Set(["settled", "refused", "attached", "queued", "voided"]),
    );
    const { calls, accounts, tokens, slots } = it.state;
    const text = encodeState(it.state);
    for (const map of [calls, accounts, tokens, slots] as Map<string, unknown>[]) {
      for (const [name, value] of map) map.set(name, backwards(value));
    }
    assert.equal(encodeState(it.state), text);
    const keys = Object.keys((JSON.parse(text) as { calls: [string, object][] }).calls[0]?.[1] ?? {});
    assert.deepEqual(keys, keys.toSorted());
  });

  test("L25: without a tier that was set is written as before tiers could be, and with one reads back as it was", () => {
    const it = ledger();
    assert.ok(!encodeState(it.state).includes('"tiers"'));
    it.do({ type: "set-tier", tier: "free", settings: { windowLimitMs: null } });
    const text = encodeState(it.state);
    assert.equal(encodeState(decodeState(text)), text);
    assert.equal(tierOf(decodeState(text), "free").windowLimitMs, null);
    assert.equal(tierOf(decodeState(text), "pro").windowLimitMs, 2_400_000);
  });

  test("shares nothing with the state that it was taken of", () => {
    const it = ledger();
    it.schedule("c");
    const copy = cloneState(it.state);
    const before = encodeState(copy);
    it.attach("c");
    it.end("c", 5);
    it.do(hello([card(0, 2), card(1, 2)]));
    assert.equal(encodeState(copy), before);
  });

  test("of another version is refused", () => {
    assert.throws(() => decodeState('{"v":2}'), /version 2/);
  });
});

describe("a function's history", () => {
  const of = (...lengths: number[]): Runs => {
    const runs = { inOrder: [], sorted: [] };
    for (const length of lengths) addRun(runs, length);
    return runs;
  };

  test("p90 is a length that nine runs in ten did not pass", () => {
    assert.equal(p90(of(7)), 7);
    assert.equal(p90(of(10, 9, 8, 7, 6, 5, 4, 3, 2, 1)), 9);
    assert.equal(median(of(3, 1, 2)), 2);
  });

  test("holds the last runs only", () => {
    const runs = of(...Array.from({ length: runsKept + 5 }, (_, n) => n));
    assert.deepEqual([runs.inOrder.length, runs.inOrder[0], runs.sorted[0]], [runsKept, 5, 5]);
  });
});

/** The same value with the keys of every object in the opposite order. */
function backwards(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(backwards);
  const entries = Object.entries(value).toReversed();
  return Object.fromEntries(entries.map(([key, field]) => [key, backwards(field)]));
}
