/**
 * Receipts: what one GPU call cost, by which rule, and how the platform knew whom to bill. Made once, at the call's end, and
 * frozen. The bytes that are signed are canonical JSON (RFC 8785), so that anyone can make them again from the document.
 *
 *   L6.  A charge is never greater than the hold, and what is left of the hold is released.
 */
import canonicalize from "canonicalize";
import { assert } from "../stdx/assert.ts";
import { between, iso, type Instant } from "../stdx/time.ts";
import { callOutcomes, type CallCause } from "./call-outcomes.ts";
import type { PoolRoute } from "./pool-route.ts";

// The one global beyond the language that this file needs: pure, and part of every runtime.
declare const TextEncoder: new () => { encode(text: string): Uint8Array<ArrayBuffer> };

/** The document; `contract/receipts.ts` has the same shape for those who read it from outside. Instants are RFC 3339 in UTC. */
export interface Receipt {
  readonly id: string;
  readonly call: string;
  readonly waybill: string;
  readonly request: string | null;
  readonly account: string;
  readonly billedBy: string;
  readonly space: string;
  readonly pool: string;
  /** Where it ran; null where no GPU was ever granted. */
  readonly node: string | null;
  /** The card's name and its unique id; null where no GPU was ever granted. */
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
  /** By whose rule the pool served it, what was passed over, how it moved on; absent where it had its node's pool by none. */
  readonly route?: PoolRoute;
  readonly outcome: "ok" | "refused" | "failed";
  readonly code: string | null;
  readonly scheduledAt: string;
  readonly grantedAt: string | null;
  readonly attachedAt: string | null;
  readonly endedAt: string;
  readonly journalIndex: number;
}

/** What the ledger knows at a call's end. Durations are whole milliseconds, amounts whole GPU milliseconds. */
export interface ReceiptInput {
  readonly call: string;
  readonly request: string | null;
  readonly account: string;
  readonly billedBy: string;
  readonly space: string;
  readonly pool: string;
  readonly simulated: boolean;
  readonly size: string;
  readonly factorPermille: number;
  readonly declaredMs: number;
  readonly heldMs: number;
  readonly usedMs: number;
  readonly chargedMs: number;
  readonly releasedMs: number;
  /** The row of the fault table that set the charge. */
  readonly rule: string;
  readonly paidBy?: string;
  readonly creditsMs?: number;
  readonly overrides?: readonly string[];
  readonly route?: PoolRoute;
  readonly cause: CallCause;
  readonly scheduledAt: Instant;
  /** Null where no GPU was ever granted. */
  readonly grant: {
    readonly node: string;
    readonly gpu: string | null;
    readonly leaseMs: number;
    readonly at: Instant;
  } | null;
  readonly attachedAt: Instant | null;
  readonly endedAt: Instant;
  /** Index of the journal record that ended the call. */
  readonly journalIndex: number;
}

/** The receipt of one ended call. The same input gives the same receipt, to the byte. */
export function makeReceipt(input: ReceiptInput): Receipt {
  assert(input.chargedMs <= input.heldMs, `L6: a charge is never greater than the hold (${input.call})`);
  assert(input.chargedMs + input.releasedMs === input.heldMs, `L6: what is not charged is released (${input.call})`);
  const { outcome, code } = callOutcomes[input.cause];
  return {
    id: receiptId(input.call),
    call: input.call,
    waybill: input.call,
    request: input.request,
    account: input.account,
    billedBy: input.billedBy,
    space: input.space,
    pool: input.pool,
    node: input.grant?.node ?? null,
    gpu: input.grant?.gpu ?? null,
    simulated: input.simulated,
    size: input.size,
    factorPermille: input.factorPermille,
    declaredMs: input.declaredMs,
    heldMs: input.heldMs,
    leaseMs: input.grant?.leaseMs ?? null,
    queuedMs: waitedMs(input),
    usedMs: input.usedMs,
    chargedMs: input.chargedMs,
    releasedMs: input.releasedMs,
    rule: input.rule,
    ...(input.paidBy !== undefined && { paidBy: input.paidBy }),
    ...(input.creditsMs !== undefined && { creditsMs: input.creditsMs }),
    ...(input.overrides && { overrides: input.overrides }),
    ...(input.route && { route: input.route }),
    outcome,
    code,
    scheduledAt: iso(input.scheduledAt),
    grantedAt: input.grant ? iso(input.grant.at) : null,
    attachedAt: input.attachedAt === null ? null : iso(input.attachedAt),
    endedAt: iso(input.endedAt),
    journalIndex: input.journalIndex,
  };
}

/** A call has one receipt, so the call's random part names it: `c_x` → `r_x`. Replaying the journal gives the same id. */
export function receiptId(call: string): string {
  return `r_${call.startsWith("c_") ? call.slice(2) : call}`;
}

/** The bytes that are signed: RFC 8785 JSON in UTF-8. */
export function canonicalBytes(receipt: Receipt): Uint8Array<ArrayBuffer> {
  const text = canonicalize(receipt);
  assert(text !== undefined, "a receipt is JSON");
  return new TextEncoder().encode(text);
}

function waitedMs({ scheduledAt, grant, endedAt }: ReceiptInput): number {
  return between(scheduledAt, grant ? grant.at : endedAt);
}
