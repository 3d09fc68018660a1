/** A signed receipt of a call that went well, with the key that signed it. */
import { loadReceiptKey } from "../../src/identity/receipt-key.ts";
import type { ReceiptKey } from "../../src/identity/receipt-key.ts";
import { signReceipt } from "../../src/identity/receipt-signature.ts";
import type { SignedReceipt } from "../../src/identity/receipt-signature.ts";

/** A key that nothing else has. */
export async function createReceiptKey(): Promise<ReceiptKey> {
  const kept = new Map<string, string>();
  return await loadReceiptKey({
    get: async (key) => kept.get(key) ?? null,
    set: async (key, value) => void kept.set(key, value),
    setOnce: async (key, value) => kept.getOrInsert(key, value),
  });
}

export async function signedReceipt(): Promise<{ signed: SignedReceipt; publicKey: ReceiptKey["publicKey"] }> {
  const key = await createReceiptKey();
  return { signed: await signReceipt(receipt, key), publicKey: key.publicKey };
}

export const receipt = {
  id: "r_1",
  call: "c_1",
  waybill: "c_1",
  request: "q_1",
  account: "alice",
  billedBy: "token",
  space: "alice/demo",
  pool: "main",
  node: "n1",
  gpu: "Simulated GPU 0",
  simulated: true,
  size: "large",
  factorPermille: 1_000,
  declaredMs: 10_000,
  heldMs: 10_000,
  leaseMs: 10_000,
  queuedMs: 0,
  usedMs: 412,
  chargedMs: 412,
  releasedMs: 9_588,
  rule: "metered",
  outcome: "ok",
  code: null,
  scheduledAt: "2026-11-22T12:00:07.000Z",
  grantedAt: "2026-11-22T12:00:07.001Z",
  attachedAt: "2026-11-22T12:00:07.100Z",
  endedAt: "2026-11-22T12:00:07.512Z",
  journalIndex: 48_213,
} as const;
