/** Receipts of GPU calls and their log, as they cross a wire: docs/receipts.md. */
import type { PoolRouteView } from "./pools.ts";

/** A receipt, frozen at the call's end, with its own signature. `jws` is compact, EdDSA over the RFC 8785 bytes of `receipt`. */
export interface SignedReceipt {
  readonly receipt: Receipt;
  readonly jws: string;
  readonly key: SigningKey;
  readonly log?: ReceiptProofView;
}

export interface SigningKey {
  readonly kty: "OKP";
  readonly crv: "Ed25519";
  readonly x: string;
  readonly kid: string;
}

/** Where a receipt is in the log of receipts. Hashes are base64, checkpoint and successions signed notes: docs/receipts.md. */
export interface ReceiptProofView {
  /** From 0 on. */
  readonly leaf: number;
  readonly proof: readonly string[];
  readonly checkpoint: string;
  /** How the log's keys followed one another, the first one first. */
  readonly successions: readonly string[];
  /** With `since`: that the log had that many leaves, and extends what it was then. */
  readonly extends?: { readonly size: number; readonly root: string; readonly proof: readonly string[] };
}

export interface ConsistencyView {
  readonly proof: readonly string[];
}

/** Keys that have signed receipts and the log's checkpoints, the first one first. */
export interface ReceiptKeysView {
  /** The log's name in its checkpoints. */
  readonly origin: string;
  readonly keys: readonly (SigningKey & {
    /** It speaks for checkpoints of `[from, until]` leaves; null: it signs now. */
    readonly from: number;
    readonly until: number | null;
    /** As tools for transparency logs take it. */
    readonly verifier: string;
  })[];
}

export interface Receipt {
  readonly id: string;
  readonly call: string;
  readonly waybill: string;
  readonly request: string | null;
  readonly account: string;
  readonly billedBy: string;
  readonly space: string;
  readonly pool: string;
  readonly node: string | null;
  readonly gpu: string | null;
  readonly simulated: boolean;
  readonly size: string;
  readonly factorPermille: number;
  readonly declaredMs: number;
  readonly heldMs: number;
  readonly leaseMs: number | null;
  readonly queuedMs: number;
  readonly usedMs: number;
  readonly chargedMs: number;
  readonly releasedMs: number;
  readonly rule: string;
  /** The account that pays, the Space's owner; absent where it is `account`. */
  readonly paidBy?: string;
  /** What of the charge was paid by credits; absent where nothing was. */
  readonly creditsMs?: number;
  /** Ids of what an operator gave, without which the call would have been refused; absent where it needed none. */
  readonly overrides?: readonly string[];
  /** By whose rule the pool served it, what could not take it, how it moved on; absent where it had its node's pool by none. */
  readonly route?: PoolRouteView;
  readonly outcome: "ok" | "refused" | "failed";
  readonly code: string | null;
  readonly scheduledAt: string;
  readonly grantedAt: string | null;
  readonly attachedAt: string | null;
  readonly endedAt: string;
  readonly journalIndex: number;
}

/** What an account paid for GPU calls in one month. GPU milliseconds times the size's factor, but for `usedMs`. */
export interface StatementView {
  readonly account: string;
  /** In UTC, as 2026-11: calls that ended in `[from, until)`. */
  readonly month: string;
  readonly from: string;
  readonly until: string;
  readonly calls: number;
  readonly usedMs: number;
  readonly chargedMs: number;
  /** What of the charge credits paid. */
  readonly creditsMs: number;
  /** By Space, pool and size, the largest charges first. */
  readonly lines: readonly {
    readonly space: string;
    readonly pool: string;
    readonly size: string;
    readonly calls: number;
    readonly usedMs: number;
    readonly chargedMs: number;
    readonly creditsMs: number;
  }[];
  /** There are more lines; the sums are of all. */
  readonly more: boolean;
  /** Receipts of calls that had ended by then were removed, and are missing here; null where none of this month can be. */
  readonly removedUntil: string | null;
  /** It is of the receipts with places below this in their log: a list with the same `below` sums up to it. */
  readonly below: number;
}
