import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Receipt as PublishedReceipt } from "../contract/receipts.ts";
import { instant } from "../stdx/time.ts";
import { callOutcomes } from "./call-outcomes.ts";
import { isCode } from "./codes.ts";
import { canonicalBytes, makeReceipt, receiptId } from "./receipt.ts";
import type { Receipt, ReceiptInput } from "./receipt.ts";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : never;
const sameAsPublished: Same<Receipt, PublishedReceipt> = true;

const t0 = Date.UTC(2026, 10, 22, 12, 0, 7, 311);
const settled: ReceiptInput = {
  call: "c_0123456789abcdef",
  request: "q_0123456789abcdef",
  account: "alice",
  billedBy: "token",
  space: "alice/demo",
  pool: "main",
  simulated: true,
  size: "xlarge",
  factorPermille: 2000,
  declaredMs: 10_000,
  heldMs: 20_000,
  usedMs: 412,
  chargedMs: 824,
  releasedMs: 19_176,
  rule: "returned",
  cause: "returned",
  scheduledAt: instant(t0),
  grant: { node: "n1", gpu: "Simulated GPU (GPU-0)", leaseMs: 10_000, at: instant(t0 + 250) },
  attachedAt: instant(t0 + 300),
  endedAt: instant(t0 + 712),
  journalIndex: 17,
};

describe("makeReceipt", () => {
  test("has the shape that the API publishes", () => {
    assert.equal(sameAsPublished, true);
  });

  test("of a call that returned says who paid what, and when", () => {
    const receipt = makeReceipt(settled);
    assert.equal(receipt.id, "r_0123456789abcdef");
    assert.equal(receipt.waybill, settled.call);
    assert.deepEqual(
      [receipt.outcome, receipt.code, receipt.queuedMs, receipt.chargedMs, receipt.releasedMs],
      ["ok", null, 250, 824, 19_176],
    );
    assert.equal(receipt.scheduledAt, "2026-11-22T12:00:07.311Z");
    assert.equal(receipt.endedAt, "2026-11-22T12:00:08.023Z");
  });

  test("of a call that was never granted names no GPU and counts the whole wait", () => {
    const receipt = makeReceipt({
      ...settled,
      cause: "queue-timeout",
      grant: null,
      attachedAt: null,
      usedMs: 0,
      chargedMs: 0,
      releasedMs: 20_000,
    });
    assert.deepEqual([receipt.node, receipt.gpu, receipt.leaseMs, receipt.grantedAt], [null, null, null, null]);
    assert.deepEqual([receipt.outcome, receipt.code, receipt.queuedMs], ["refused", "gpu/queue-timeout", 712]);
  });

  test("L6: a charge above the hold, or a remainder that is not released, is a bug", () => {
    assert.throws(() => makeReceipt({ ...settled, chargedMs: 20_001, releasedMs: 0 }), /L6/);
    assert.throws(() => makeReceipt({ ...settled, releasedMs: 19_175 }), /L6/);
  });
});

describe("receiptId", () => {
  test("follows from the call's id, so that a replay gives the same", () => {
    assert.equal(receiptId("c_x"), "r_x");
    assert.equal(receiptId("strange"), "r_strange");
  });
});

describe("canonicalBytes", () => {
  test("RFC 8785: members in order, no spaces, UTF-8, whatever the order they came in", () => {
    const receipt = makeReceipt({ ...settled, space: "zoë/demo" });
    const shuffled = Object.fromEntries(Object.entries(receipt).toReversed()) as unknown as Receipt;
    const text = Buffer.from(canonicalBytes(shuffled)).toString();
    assert.equal(text, Buffer.from(canonicalBytes(receipt)).toString());
    assert.ok(text.startsWith('{"account":"alice","attachedAt":"2026-11-22T12:00:07.611Z","billedBy":"token","call":'));
    assert.ok(text.includes('"space":"zoë/demo"'));
    assert.deepEqual(JSON.parse(text), receipt);
  });
});

describe("callOutcomes", () => {
  test("each way to end is ok without a code, or has a code of the list", () => {
    for (const [cause, { outcome, code }] of Object.entries(callOutcomes)) {
      assert.equal(outcome === "ok", code === null, cause);
      if (code !== null) assert.ok(isCode(code), cause);
    }
  });

  test("only a function that returned is ok", () => {
    const ok = Object.entries(callOutcomes).filter(([, { outcome }]) => outcome === "ok");
    assert.deepEqual(
      ok.map(([cause]) => cause),
      ["returned"],
    );
  });
});
