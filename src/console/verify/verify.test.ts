import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { outcomeOf } from "../../receipts/document.ts";
import type { ReceiptCheck, ReceiptVerified } from "../../receipts/document.ts";
import { logsMax } from "../../receipts/remembered.ts";
import { keysIn, readJson, receiptMaxBytes, seenIn, seenText, shownOf } from "./reading.ts";

const verified = (failed: readonly ReceiptCheck["name"][], isSeen = false): ReceiptVerified => {
  const checks = (["signature", "leaf", "extends"] as const).map((name) => ({
    name,
    ok: !failed.includes(name),
    says: "",
  }));
  return { ok: failed.length === 0, checks, isSeen, learned: null };
};
const log = (origin: string, at: string): object => ({
  origin,
  size: 3,
  root: "cm9vdA==",
  keys: [{ x: "k", until: null }],
  at,
});

describe("a file of a receipt", () => {
  test("is read as JSON, and what is wrong with one is told apart", () => {
    assert.deepEqual(readJson('{"a":1}'), { document: { a: 1 } });
    assert.deepEqual(readJson(" \n"), { wrong: "empty" });
    assert.deepEqual(readJson("{"), { wrong: "not-json" });
    assert.deepEqual(readJson(" ".repeat(receiptMaxBytes) + "1"), { wrong: "too-large" });
  });

  test("is shown where it has a receipt, and nothing else is", () => {
    assert.equal(shownOf({ receipt: { call: "c_1" } })?.receipt.call, "c_1");
    assert.equal(shownOf({ receipt: { call: "c_1" }, log: null })?.log, undefined);
    for (const other of [null, 1, [], {}, { receipt: null }, { receipt: { call: 1 } }])
      assert.equal(shownOf(other), null);
  });

  test("of the platform's keys is a list of them or one, and without any it is none", () => {
    assert.deepEqual(keysIn({ keys: [{ x: "a", until: 4 }, null, { y: 1 }] }), [{ x: "a", until: 4 }]);
    assert.deepEqual(keysIn({ x: "a" }), [{ x: "a" }]);
    for (const other of [null, 1, {}, { keys: [] }]) assert.equal(keysIn(other), undefined);
  });
});

describe("what is said of a check", () => {
  test("is genuine only by keys that came another way, or by a log that was seen before", () => {
    assert.equal(outcomeOf(verified([]), false), "vouched");
    assert.equal(outcomeOf(verified([]), true), "genuine");
    assert.equal(outcomeOf(verified([], true), false), "genuine");
  });

  test("is a rewritten log where nothing but that failed, and else not genuine", () => {
    assert.equal(outcomeOf(verified(["extends"], true), false), "rewritten");
    assert.equal(outcomeOf(verified(["extends", "leaf"], true), false), "not-genuine");
    assert.equal(outcomeOf(verified(["extends"]), false), "not-genuine", "nothing was seen of its log");
  });
});

describe("what a browser has seen of logs", () => {
  test("is what it kept, and nothing where that has another form", () => {
    const seen = seenIn(JSON.stringify({ logs: [log("one", "2026"), { origin: "two" }, null] }));
    assert.deepEqual(Object.keys(seen), ["one"]);
    assert.deepEqual(seenIn(seenText(seen)), seen);
    for (const other of [null, "", "{", "null", '{"logs":3}']) assert.deepEqual(seenIn(other), {});
  });

  test("has a bound: the logs seen last stay", () => {
    const many = Array.from({ length: logsMax + 5 }, (_, at) => log(`log${at}`, `2026-${String(at).padStart(3, "0")}`));
    const kept = Object.keys(seenIn(seenText(seenIn(JSON.stringify({ logs: many })))));
    assert.equal(kept.length, logsMax);
    assert.ok(kept.includes(`log${logsMax + 4}`) && !kept.includes("log4"));
  });
});
