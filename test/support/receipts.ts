/** A signed receipt of a call that went well, with the key that signed it; and a log of receipts in memory. */
import { Catalog } from "../../src/catalog/catalog.ts";
import { memorySql } from "../../src/catalog/memory-sql.ts";
import { ReceiptLog } from "../../src/control/receipt-log.ts";
import { gpuMs } from "../../src/core/amounts.ts";
import type { CallTerms, Event } from "../../src/core/model.ts";
import type { LedgerRecord } from "../../src/core/record.ts";
import { ReceiptKeys } from "../../src/identity/receipt-key.ts";
import type { ReceiptKey } from "../../src/identity/receipt-key.ts";
import { signReceipt } from "../../src/identity/receipt-signature.ts";
import type { SignedReceipt } from "../../src/receipts/document.ts";
import { durationMs, instant } from "../../src/stdx/time.ts";

/** A key that nothing else has. */
export async function createReceiptKey(): Promise<ReceiptKey> {
  return (await createReceiptKeys()).current;
}

/** `kept`: where they are, so that another platform may have the same. */
export function createReceiptKeys(kept = new Map<string, string>()): Promise<ReceiptKeys> {
  const settings = {
    get: async (key: string) => kept.get(key) ?? null,
    set: async (key: string, value: string) => void kept.set(key, value),
    setOnce: async (key: string, value: string) => kept.getOrInsert(key, value),
  };
  return ReceiptKeys.open(settings, "waybill/log");
}

const t0 = Date.UTC(2026, 10, 22, 12);

function terms(call: string, over: Partial<CallTerms>): CallTerms {
  return {
    call, account: "alice", tier: "free", billedBy: "token", request: "q_1", space: "alice/demo", release: "rel_1",
    replica: "p_1", node: "n1", pool: "main", task: "1", endpoint: null, declaredMs: durationMs(10_000), size: "large", ...over,
  }; // prettier-ignore
}

/** A call of one millisecond a name: admitted, granted and settled for so much. */
export function settledCall(call: string, charged: number, over: Partial<CallTerms> = {}): readonly Event[] {
  return [
    { v: 1, type: "call-admitted", terms: terms(call, over), heldMs: gpuMs(10_000), leaseMs: durationMs(10_000), clipped: false, leftMs: gpuMs(290_000) },
    { v: 1, type: "call-granted", call, number: 1, attachBy: instant(t0 + 30_000), lease: { slots: ["n1/0/1"], fence: 1, leaseMs: durationMs(10_000), warm: false } },
    { v: 1, type: "call-settled", call, cause: "returned", usedMs: durationMs(charged), chargedMs: gpuMs(charged), releasedMs: gpuMs(10_000 - charged), rule: "returned" },
  ]; // prettier-ignore
}

export function refusedCall(call: string, over: Partial<CallTerms> = {}): Event {
  return { v: 1, type: "call-refused", terms: terms(call, over), refusal: { code: "queue-full", waiting: 3, max: 3 } };
}

/** A catalog in memory with a log of receipts over it. */
export class ReceiptWorld {
  readonly sql = memorySql();
  readonly clock = { wall: () => instant(this.now) };
  now = t0;
  keys!: ReceiptKeys;
  catalog!: Catalog;
  log!: ReceiptLog;

  static async open(keys?: ReceiptKeys): Promise<ReceiptWorld> {
    const world = new ReceiptWorld();
    world.keys = keys ?? (await createReceiptKeys());
    await world.reopen();
    return world;
  }

  /** As after a crash: what was stored is all that there is. */
  async reopen(): Promise<void> {
    this.catalog = await Catalog.open(this.sql, this.clock);
    this.log = new ReceiptLog({ rows: this.catalog.receipts, keys: this.keys, clock: this.clock });
  }

  /** Takes in a record for each list of events, a second apart. */
  async records(...decisions: readonly (readonly Event[])[]): Promise<void> {
    const { calls } = this.catalog;
    const records = decisions.map((events, n): LedgerRecord => {
      this.now += 1_000;
      return { index: calls.cursor + 1 + n, at: instant(this.now), events };
    });
    await calls.project(records);
  }

  /** `count` calls that ended, `c_0` on; gives their ids. */
  async calls(count: number, from = 0, charged = 1): Promise<readonly string[]> {
    const ids = Array.from({ length: count }, (_, n) => `c_${String(from + n).padStart(4, "0")}`);
    await this.records(...ids.map((id, n) => ((from + n) % 7 === 3 ? [refusedCall(id)] : settledCall(id, charged))));
    return ids;
  }

  async receipt(id: string, since?: number): Promise<SignedReceipt> {
    const found = await this.log.get(id, since);
    if (!found) throw new Error(`no receipt of ${id}`);
    return found;
  }
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
