/**
 * How a call ends: who pays, what is charged, what becomes of its slots. The fault table is the one place that says so;
 * the docs print it and every receipt names its row.
 *
 *   L5.  A hold ends once: settled or voided.
 *   L6.  A charge is at most the hold; the rest is released in the same event.
 *   L31. Nor is it more than the lease's length.      L32. Faults of the platform charge 0.
 */
import { assert } from "../stdx/assert.ts";
import { durationMs } from "../stdx/time.ts";
import type { DurationMs, Instant } from "../stdx/time.ts";
import { costOf, gpuMs } from "./amounts.ts";
import type { GpuMs } from "./amounts.ts";
import type {
  AttachedCall,
  CallTerms,
  EndCause,
  GrantedCall,
  OpenCall,
  QueuedCall,
  SlotId,
  VoidCause,
} from "./model.ts";
import { creditsCharged } from "./funding.ts";
import { push } from "./plan.ts";
import type { Plan } from "./plan.ts";
import { freeKills, killWindowMs, sizeFactors } from "./policy.ts";
import { drainSays, dueDrainOf, troubleOf } from "./slots.ts";
import { nodeOf } from "./state.ts";
import type { State } from "./state.ts";

/** A row of the fault table: who pays when it ends so. */
interface ChargeRule {
  readonly id: string;
  readonly says: string;
  readonly charge: "metered" | "none";
}

/** Every way in which a call can end, and who pays then. Ids are stable: receipts carry them. */
export const faultTable = {
  returned: { id: "returned", says: "The function returned: its time is charged.", charge: "metered" },
  raised: { id: "raised", says: "The function raised its own error: its time is charged.", charge: "metered" },
  "lease-end": {
    id: "lease-end",
    says: "The lease reached its end: its time is charged, at most the hold.",
    charge: "metered",
  },
  "visitor-left-running": {
    id: "visitor-left-running",
    says: "The visitor left while the function ran, and it ran to its end: its time is charged.",
    charge: "metered",
  },
  "visitor-stop": {
    id: "visitor-stop",
    says: "The Space ends a call when its visitor leaves: its time until then is charged.",
    charge: "metered",
  },
  "worker-oom": {
    id: "worker-oom",
    says: "The worker was killed for memory by its own use: its time is charged.",
    charge: "metered",
  },
  "without-lease": {
    id: "without-lease",
    says: "The worker used a card that it had no lease on and was ended: its time until then is charged.",
    charge: "metered",
  },
  "worker-exit": {
    id: "worker-exit",
    says: "The worker ended by itself: its time until then is charged.",
    charge: "metered",
  },
  "app-exit": { id: "app-exit", says: "The app ended by itself: its time until then is charged.", charge: "metered" },
  "killed-free": {
    id: "killed-free",
    says: "It was killed and nothing says by whom: nothing is charged.",
    charge: "none",
  },
  "killed-metered": {
    id: "killed-metered",
    says: "It was killed again and nothing says by whom, more than three times in a day: its time is charged.",
    charge: "metered",
  },
  "operator-stop": {
    id: "operator-stop",
    says: "An operator or the platform ended it: nothing is charged.",
    charge: "none",
  },
  "shim-lost": { id: "shim-lost", says: "The process that kept the replica died: nothing is charged.", charge: "none" },
  "device-fault": {
    id: "device-fault",
    says: "The card was in trouble: nothing is charged.",
    charge: "none",
  },
  "nvml-lost": {
    id: "nvml-lost",
    says: "The node's cards could not be asked any more: nothing is charged.",
    charge: "none",
  },
  "node-lost": { id: "node-lost", says: "The node stopped answering: nothing is charged.", charge: "none" },
  unused: { id: "unused", says: "The GPU was granted and not used: nothing is charged.", charge: "none" },
  "no-evidence": { id: "no-evidence", says: "Nothing says how long it ran: nothing is charged.", charge: "none" },
  "queue-timeout": {
    id: "queue-timeout",
    says: "No GPU became free within the queue's limit: nothing is charged.",
    charge: "none",
  },
  "visitor-left": {
    id: "visitor-left",
    says: "The visitor left while it was queued: nothing is charged.",
    charge: "none",
  },
  "no-capacity": {
    id: "no-capacity",
    says: "The pool lost the cards that could hold it: nothing is charged.",
    charge: "none",
  },
  "pool-draining": {
    id: "pool-draining",
    says: "All cards that could hold it were taken out of use by an operator: nothing is charged.",
    charge: "none",
  },
  "grant-unused": {
    id: "grant-unused",
    says: "A GPU was granted and never attached to: nothing is charged.",
    charge: "none",
  },
  "replica-lost": {
    id: "replica-lost",
    says: "The app's replica went away before the call began: nothing is charged.",
    charge: "none",
  },
} as const satisfies Readonly<Record<string, ChargeRule>>;

export type RuleId = keyof typeof faultTable;

/** The row with this id; undefined for one that this version does not know. */
export function chargeRule(id: string): ChargeRule | undefined {
  return Object.hasOwn(faultTable, id) ? faultTable[id as RuleId] : undefined;
}

/** Why it ended; `says`: what its card had, where that is why. */
export interface Blame<Cause> {
  readonly cause: Cause;
  readonly says?: string;
}

export interface Ending extends Blame<EndCause> {
  /** By the shim's clock; 0 where it never attached. */
  readonly usedMs: DurationMs;
  readonly unused: boolean;
  /** False where nobody reported the end: then nothing is known of its use. */
  readonly reported: boolean;
}

/** What becomes of the slots of a lease that ended. `clearing`: its process may still be there (L22). */
export type SlotFate = "warm" | "free" | "clearing";

/** The charge for a call that ended so, by this row of the table. */
export function chargeFor(call: GrantedCall | AttachedCall, usedMs: DurationMs, rule: RuleId): GpuMs {
  if (faultTable[rule].charge === "none") return gpuMs(0);
  const metered = durationMs(Math.min(usedMs, call.leaseMs));
  return gpuMs(Math.min(costOf(metered, sizeFactors[call.terms.size]), call.heldMs));
}

/** Settles a call that had its lease, and lets go of its slots. */
export function settle(plan: Plan, call: GrantedCall | AttachedCall, ending: Ending, fate: SlotFate): void {
  const rule = ruleFor(plan, call, ending);
  const chargedMs = chargeFor(call, ending.usedMs, rule);
  assert(chargedMs <= call.heldMs, "L6: a charge is at most the hold");
  const credits = creditsCharged(plan.state, call, chargedMs, plan.now);
  push(plan, {
    v: 1,
    type: "call-settled",
    call: call.terms.call,
    cause: ending.cause,
    usedMs: ending.usedMs,
    chargedMs,
    releasedMs: gpuMs(call.heldMs - chargedMs),
    rule,
    ...(ending.says === undefined ? {} : { says: ending.says }),
    ...(credits.length > 0 && { credits }),
  });
  letGo(plan, call, fate);
}

/** Ends a call without a settlement: its whole hold is released. */
export function voidCall(plan: Plan, call: OpenCall, { cause, says }: Blame<VoidCause>, fate: SlotFate = "free"): void {
  const why = { cause, rule: cause, ...(says === undefined ? {} : { says }) };
  push(plan, { v: 1, type: "call-voided", call: call.terms.call, releasedMs: call.heldMs, ...why });
  if (call.stage !== "queued") letGo(plan, call, fate);
}

/** What a call's end means before it had any use of its lease. */
export function voidBlameFor({ cause, says }: Blame<EndCause>): Blame<VoidCause> {
  if (cause === "device-fault" || cause === "nvml-lost") return { cause, ...(says !== undefined && { says }) };
  if (cause === "node-lost" || cause === "visitor-stop") return { cause };
  const isLost = cause === "shim-lost" || cause === "app-exit" || cause === "app-killed";
  return { cause: isLost ? "replica-lost" : "grant-unused" };
}

/** Ends an open call whose replica or node is gone; nobody reported how long it ran. */
export function abandon(plan: Plan, call: OpenCall, cause: EndCause, fate: SlotFate): void {
  if (call.stage === "attached") {
    settle(plan, call, { cause, usedMs: durationMs(0), unused: false, reported: false }, fate);
  } else {
    voidCall(plan, call, { cause: cause === "node-lost" ? "node-lost" : "replica-lost" }, fate);
  }
}

/** Ends that a card's fault may look like: whoever dies on a card in trouble is not charged for it. */
const looksLikeCard: ReadonlySet<EndCause> = new Set([
  "raised",
  "lease-end",
  "worker-exit",
  "worker-killed",
  "app-exit",
  "app-killed",
]);

/** Why a call ended, with what the ledger knows of its card: a fault of its own, by which calls are ended too, or a drain. */
export function blameFor(state: State, call: GrantedCall | AttachedCall, cause: EndCause): Blame<EndCause> {
  const node = nodeOf(state, call.terms.node);
  const card = node.cards.find(({ slots }) => slots.includes(call.lease.slots[0] as SlotId));
  const trouble = card && troubleOf(node.trouble, card);
  if (trouble && (looksLikeCard.has(cause) || (cause === "operator-stop" && trouble.cause === "device-fault")))
    return trouble;
  const due = card && dueDrainOf(state.drains, card);
  return cause === "operator-stop" && due ? { cause, says: drainSays(due) } : { cause };
}

/** Names the account and Space that forgiven kills are counted for. */
export const killKey = (terms: CallTerms): string => `${terms.account} ${terms.space}`;

/** Instants within the last day at which this account and Space were forgiven a kill. */
export function recentKills(state: State, terms: CallTerms, now: Instant): readonly Instant[] {
  return (state.kills.get(killKey(terms)) ?? []).filter((at) => now < at + killWindowMs);
}

function ruleFor(plan: Plan, call: GrantedCall | AttachedCall, { cause, unused, reported }: Ending): RuleId {
  if (cause === "operator-stop" || cause === "shim-lost" || cause === "node-lost") return cause;
  if (cause === "device-fault" || cause === "nvml-lost") return cause;
  if (!reported) return "no-evidence";
  if (unused) return "unused";
  if ((cause === "returned" || cause === "raised") && call.visitorLeft) return "visitor-left-running";
  if (cause !== "worker-killed" && cause !== "app-killed") return cause;
  return recentKills(plan.state, call.terms, plan.now).length < freeKills ? "killed-free" : "killed-metered";
}

function letGo(plan: Plan, call: Exclude<OpenCall, QueuedCall>, fate: SlotFate): void {
  const { lease, terms } = call;
  for (const slot of lease.slots) {
    if (fate === "free") push(plan, { v: 1, type: "slot-free", slot });
    else if (fate === "clearing") {
      push(plan, { v: 1, type: "slot-clearing", slot, fence: lease.fence, replica: terms.replica });
    } else {
      push(plan, { v: 1, type: "slot-warm", slot, replica: terms.replica, task: terms.task, fence: lease.fence });
    }
  }
}
