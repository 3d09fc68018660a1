/**
 * The ledger's nouns: what the state holds, what may be asked of it, what can have happened.
 *
 *   schedule ─► admit ─► held ─► queued ─► granted ─► attached ─► settled
 *                 │        │        │         │           │
 *              refused   voided  timed out  unused     expired / worker lost / node lost
 *
 * `decide(state, command, now)` may refuse; `evolve(state, event)` may not. Both are pure. The invariants are in SPEC.md.
 */
import type { DurationMs, Instant } from "../stdx/time.ts";
import type { GpuMs } from "./amounts.ts";
import type { Drain, DrainScope } from "./drained.ts";
import type { MoveReason, Passed, Route, Routed, RouteOf } from "./routes.ts";
import type { Spent } from "./share.ts";

export type AccountId = string; // "alice", or "address:127.0.0.1" for a caller without an account
export type CallId = string; // c_…, made by the shim: re-sending is idempotent (L10)
export type PoolName = string;
export type NodeName = string;
export type SlotId = string; // "<node>/<device>/<n>", e.g. "n1/0/1"
export type ReplicaId = string; // p_…
export type Size = "large" | "xlarge";

/* ── policy ─────────────────────────────────────────────────────────────── */

/** How much an account of a tier may use and how; `null` is no limit. */
export interface TierSettings {
  /** GPU time that one period of the window admits. */
  readonly windowLimitMs: GpuMs | null;
  /** How long a period is, from the first use on. A period that runs keeps its end. */
  readonly windowMs: DurationMs;
  /** The longest duration that a call may declare; the pool's own bound stands beside it. */
  readonly durationMaxMs: DurationMs | null;
  /** Runs that one period of the window admits. */
  readonly runsMax: number | null;
  /** Calls of one account that may be open at once: waiting, granted or attached. */
  readonly callsMax: number | null;
  /** How much of a contended pool an account gets, beside those of other weights; absent in records from before there were weights. */
  readonly weight?: number;
}
export type TierName = "anonymous" | "free" | "pro" | "enterprise" | "unlimited";

export type AllowanceId = string; // al_…

/** Policies of a tier that an operator may lift from an account for a time. */
export type LiftablePolicy = "window" | "runs" | "calls" | "duration";

/** What an operator gives an account beyond its tier. */
export type AllowanceTerms =
  /** More for the period that runs; ends with it. */
  | { readonly kind: "window"; readonly ms: GpuMs }
  /** GPU time that is used when the window is used up, and that no reset takes away. Usable before `expiresAt`; null: always. */
  | { readonly kind: "credits"; readonly ms: GpuMs; readonly expiresAt: Instant | null }
  /** The tier's policy does not hold for the account before `until`. */
  | { readonly kind: "lift"; readonly policy: LiftablePolicy; readonly until: Instant };

export interface Allowance {
  readonly id: AllowanceId;
  readonly terms: AllowanceTerms;
  /** The operator who gave it, and why. */
  readonly by: AccountId;
  readonly reason: string;
}

/** The operator who takes an allowance back, and why. */
export interface TakingBack {
  readonly by: AccountId;
  readonly reason: string;
}

/** What becomes of a visitor's call that a Space's budget cannot hold. */
export type WhenOut = "visitor" | "refuse";

/** What a Space's owner pays for its visitors. */
export interface BudgetSettings {
  /** At most so much in one period of the owner's window; null: each visitor pays. */
  readonly limitMs: GpuMs | null;
  /** The visitor's own account pays then, or the call is refused. */
  readonly whenOut: WhenOut;
}

export interface PoolSettings {
  /** How long a call may wait in the queue. */
  readonly queueLimitMs: DurationMs;
  /** Calls that may wait at once; one more is refused. */
  readonly queueMax: number;
  /** The longest duration that may be declared. */
  readonly durationMaxMs: DurationMs;
  /** A grant that is not attached within this is taken back. */
  readonly attachWithinMs: DurationMs;
  /** With less left than declared: `clip` the lease if that is likely enough, or `strict`: refuse. */
  readonly admission: "clip" | "strict";
  /** One visitor's token admits at most so many calls and so much GPU time. */
  readonly tokenMaxCalls: number;
  readonly tokenMaxGpuMs: GpuMs;
  /** Calls of one Space that may be open at once; null or absent: no limit. */
  readonly spaceCallsMax?: number | null;
  /** After so long an account's use counts half for its share of the pool; absent: as shipped. */
  readonly shareHalfLifeMs?: DurationMs;
  /** One turn in so many is that of the call which waits longest, whatever its account has used; absent: as shipped. */
  readonly oldestEvery?: number;
}

/* ── commands ───────────────────────────────────────────────────────────── */

/** How the platform knew whom to bill; printed on the receipt. */
export type BilledBy = "token" | "session" | "address" | "owner";

/** What the caller asked for; two commands with the same `call` and different terms are refused (L11). */
export interface CallTerms {
  readonly call: CallId;
  readonly account: AccountId;
  readonly tier: TierName;
  readonly billedBy: BilledBy;
  /** The request whose visitor's token came with the call; null without one. */
  readonly request: string | null;
  /** The first request of a chain of Spaces that passed on its visitor's token; absent where that is `request` itself. */
  readonly root?: string;
  readonly space: string; // owner/name
  readonly release: string;
  readonly replica: ReplicaId;
  readonly node: NodeName;
  readonly pool: PoolName;
  /** Identity of the decorated function within the replica: warm workers are kept by (replica, task, slot). */
  readonly task: string;
  /** The endpoint that the linked request names, else null: a function is (space, endpoint), or (release, size, declared). */
  readonly endpoint: string | null;
  readonly declaredMs: DurationMs;
  readonly size: Size;
}

/** Why a metered process ended, as its shim saw it. Decides the row of the fault table. */
export type EndCause =
  | "returned" // the function returned
  | "raised" // it raised its own exception
  | "lease-end" // the shim ended it at the end of its lease
  | "worker-exit" // the worker ended by itself: exit, abort, segmentation fault
  | "worker-killed" // killed, and no evidence by whom
  | "worker-oom" // killed for memory by its own use
  | "without-lease" // ended since it used a card that it had no lease on
  | "app-exit" // the app (the worker's parent) ended by itself
  | "app-killed" // the app was killed, and no evidence by whom
  | "visitor-stop" // the Space's setting `stop` ended it when its visitor left
  | "operator-stop" // ended by an operator, a forced drain, an upgrade, the platform's own stop
  | CardFault // it ended badly while its card was in trouble
  | "shim-lost" // its shim died, and the process with it
  | "node-lost"; // the agent went away and did not come back

/** A card's own fault, or nobody can ask the cards any more. */
export type CardFault = "device-fault" | "nvml-lost";

/** What is wrong with a card, as its node says. */
export interface CardTrouble {
  /** Index of the card on its node. */
  readonly device: number;
  readonly cause: CardFault;
  readonly says: string;
}

export type Command =
  | { readonly type: "start-writer"; readonly epoch: number }
  /** The records come from a backup: fences up to `above` may have been given since it was made (L18). */
  | { readonly type: "raise-fences"; readonly above: number }
  | { readonly type: "open-account"; readonly account: AccountId; readonly tier: TierName }
  | { readonly type: "set-tier"; readonly tier: TierName; readonly settings: Partial<TierSettings> }
  | { readonly type: "set-pool"; readonly pool: PoolName; readonly settings: Partial<PoolSettings> }
  /** An operator gives the account something beyond its tier; the account is opened where it is not. */
  | { readonly type: "allow"; readonly account: AccountId; readonly tier: TierName; readonly allowance: Allowance }
  /** An operator takes an allowance back: nothing more is admitted by it. What calls hold of it stays theirs to their ends. */
  | ({ readonly type: "revoke"; readonly account: AccountId; readonly allowance: AllowanceId } & TakingBack)
  /** `sponsor`: the Space's owner, of this tier. */
  | {
      readonly type: "set-budget";
      readonly space: string;
      readonly sponsor: AccountId;
      readonly tier: TierName;
      readonly settings: Partial<BudgetSettings>;
    }
  /** A node said hello (again): its cards, and the replicas that still live there. Leases of replicas not named are settled as `shim-lost`. */
  | {
      readonly type: "join-node";
      readonly node: NodeName;
      readonly pool: PoolName;
      readonly devices: readonly DeviceSpec[];
      readonly replicas: readonly ReplicaId[];
    }
  | { readonly type: "hear-node"; readonly node: NodeName }
  /** All that is wrong with the node's cards now; empty: nothing any more. */
  | { readonly type: "report-cards"; readonly node: NodeName; readonly trouble: readonly CardTrouble[] }
  /** Takes a pool, a node or a card out of use, or gives it back (null). `endInMs`: calls that run there then are ended. */
  | {
      readonly type: "set-drain";
      readonly of: DrainScope;
      readonly drain: {
        readonly reason: string;
        readonly by: AccountId;
        readonly endInMs: DurationMs | null;
      } | null;
    }
  /** Puts a card of a node, or (null) all that are not put elsewhere, into a pool; null: into its node's. */
  | {
      readonly type: "set-card-pool";
      readonly node: NodeName;
      readonly device: number | null;
      readonly pool: PoolName | null;
    }
  /** By which pools calls of a Space, or of an account, are served; null: by their node's. */
  | { readonly type: "set-route"; readonly of: RouteOf; readonly route: Route | null }
  /** `misfit`: the host found that the release cannot run on any card of its node. */
  | { readonly type: "schedule"; readonly terms: CallTerms; readonly misfit?: Misfit }
  /** The visitor (or the caller's stream) went away. Ends a call that waits; a running one goes on, or is ended by its shim. */
  | { readonly type: "leave"; readonly call: CallId }
  /** The worker called /allow (or a warm one began). `fence` is the lease's. */
  | { readonly type: "attach"; readonly call: CallId; readonly fence: number; readonly pid: number }
  /** The metered process let go of its slot or ended; `usedMs` by the shim's clock, 0 where it never attached. `workerAlive`: it may be used again. */
  | {
      readonly type: "end";
      readonly call: CallId;
      readonly fence: number;
      readonly cause: EndCause;
      readonly usedMs: DurationMs;
      readonly workerAlive: boolean;
      readonly unused?: boolean;
    }
  /** The old worker's process tree on this slot is gone (the answer to a `clear` order, or it ended by itself while idle). */
  | { readonly type: "clear-slot"; readonly slot: SlotId; readonly fence: number }
  /** The replica is gone, and with it every process that it started: whoever sends this has made sure (L22). */
  | {
      readonly type: "lose-replica";
      readonly replica: ReplicaId;
      readonly cause: "app-exit" | "app-killed" | "operator-stop" | "shim-lost";
    }
  /** Time passed: whatever is over its deadline moves on. */
  | { readonly type: "tick" };

export interface DeviceSpec {
  readonly index: number;
  readonly uuid: string;
  readonly name: string;
  readonly slots: number;
  readonly simulated: boolean;
}

/* ── events ─────────────────────────────────────────────────────────────── */

/** What a release's packages were compiled for is not what its node's cards or their driver can run. */
export interface Misfit {
  readonly code: "arch-mismatch" | "driver-too-old";
  readonly says: string;
}

/** Why a call was never admitted. */
export type Refusal =
  | Misfit
  | {
      readonly code: "duration-not-allowed";
      readonly declaredMs: DurationMs;
      readonly maxMs: DurationMs;
      /** The tier whose bound this is; absent where it is the pool's. */
      readonly tier?: TierName;
    }
  | { readonly code: "size-not-available"; readonly size: Size; readonly pool: PoolName }
  | { readonly code: "no-capacity"; readonly pool: PoolName }
  | { readonly code: "pool-draining"; readonly pool: PoolName; readonly says: string }
  | { readonly code: "account-busy"; readonly calls: number; readonly max: number; readonly tier: TierName }
  | { readonly code: "space-busy"; readonly calls: number; readonly max: number }
  | {
      readonly code: "runs-exceeded";
      readonly runs: number;
      readonly max: number;
      readonly tier: TierName;
      readonly resetsAt: Instant | null;
    }
  | { readonly code: "queue-full"; readonly waiting: number; readonly max: number }
  | {
      readonly code: "token-cap";
      readonly calls: number;
      readonly maxCalls: number;
      readonly gpuMs: GpuMs;
      readonly maxGpuMs: GpuMs;
    }
  | ({
      readonly code: "quota-exceeded";
      /** Credits that are left beside the window; absent where there are none. */
      readonly creditsMs?: GpuMs;
    } & TooLittle)
  /** The Space's owner pays for its visitors, and can't for this call. */
  | ({ readonly code: "budget-exceeded"; readonly sponsor: AccountId } & TooLittle);

/** Less is left of a window, or of a budget, than a call asks for. */
interface TooLittle {
  readonly askedMs: GpuMs;
  /** Of a budget, or of its owner's own window and credits where that is less. */
  readonly leftMs: GpuMs;
  readonly usedMs: GpuMs;
  readonly heldMs: GpuMs;
  readonly limitMs: GpuMs;
  readonly resetsAt: Instant | null;
  /** What must be left for a clipped lease, and how that is known; null: leases are not clipped. */
  readonly clip: { readonly needMs: GpuMs; readonly basis: string } | null;
}

/** So much of a hold, or of a charge, is one allowance's credits. */
export interface CreditPart {
  readonly allowance: AllowanceId;
  readonly ms: GpuMs;
}

/** From what a hold is set aside, where that is not all the window of the call's own account. */
export interface Funding {
  /** The account that pays, the owner of the call's Space; absent: the call's own. */
  readonly sponsor?: AccountId;
  /** Parts of the hold that are the payer's credits, first used first; the rest is its window's. */
  readonly credits?: readonly CreditPart[];
  /** The allowances without which a policy would have refused the call. */
  readonly overrides?: readonly AllowanceId[];
}

/** Why a held call ended without a settlement: the hold is released in full, charge 0. */
export type VoidCause =
  | "queue-timeout"
  | "visitor-left"
  | "visitor-stop" // granted and not yet attached
  | "no-capacity"
  | CardFault // all cards that could hold it were in trouble when its wait was over, or its own was before it began
  | "pool-draining" // all cards that could hold it were drained, or in trouble, when its wait was over
  | "grant-unused"
  | "replica-lost"
  | "node-lost";

/** One thing that keeps a call waiting; all of them are told, not only the first. */
export type Blocker =
  | { readonly kind: "slots"; readonly leased: number; readonly clearing: number; readonly total: number }
  | { readonly kind: "ahead"; readonly calls: number }
  | { readonly kind: "whole-card"; readonly size: Size }
  /** There are slots for it, and they are kept for a call ahead. */
  | { readonly kind: "kept" }
  /** `cards` of the node's `of` cards are in trouble; `says`: what the first of them has. */
  | { readonly kind: "cards"; readonly cards: number; readonly of: number; readonly says: string }
  /** The same of cards that are drained. */
  | { readonly kind: "draining"; readonly cards: number; readonly of: number; readonly says: string };

/**
 * By which rule a waiting call's turn came: its account had spent least; it waited longest; it fits into a gap before
 * the head can start; its own worker is warm, and its account the head's equal.
 */
export type TurnRule = "share" | "oldest" | "gap" | "warm";

/** The lease's shape at the moment it is granted. `[grantedAt, …)`; its length counts from the meter's start. */
export interface Lease {
  readonly slots: readonly SlotId[]; // one, or all of one card for xlarge
  readonly fence: number; // strictly increasing per slot, never reused (L18)
  readonly leaseMs: DurationMs; // as declared, or clipped
  readonly warm: boolean;
}

export type Event =
  | { readonly v: 1; readonly type: "writer-started"; readonly epoch: number }
  /** Each fence from here on is higher than `above`. */
  | { readonly v: 1; readonly type: "fences-raised"; readonly above: number }
  /** Opens an account, or gives an open one another tier; its balances stay. */
  | { readonly v: 1; readonly type: "account-opened"; readonly account: AccountId; readonly tier: TierName }
  /** All of a tier's settings, from here on in the shipped ones' place. */
  | { readonly v: 1; readonly type: "tier-set"; readonly tier: TierName; readonly settings: TierSettings }
  | { readonly v: 1; readonly type: "pool-set"; readonly pool: PoolName; readonly settings: PoolSettings }
  | { readonly v: 1; readonly type: "allowance-given"; readonly account: AccountId; readonly allowance: Allowance }
  | ({
      readonly v: 1;
      readonly type: "allowance-revoked";
      readonly account: AccountId;
      readonly allowance: AllowanceId;
    } & TakingBack)
  /** All of a Space's budget. What its period has used and holds goes on. */
  | {
      readonly v: 1;
      readonly type: "budget-set";
      readonly space: string;
      readonly sponsor: AccountId;
      readonly settings: BudgetSettings;
    }
  | {
      readonly v: 1;
      readonly type: "node-joined";
      readonly node: NodeName;
      readonly pool: PoolName;
      readonly devices: readonly DeviceSpec[];
    }
  | { readonly v: 1; readonly type: "node-heard"; readonly node: NodeName }
  | { readonly v: 1; readonly type: "node-lost"; readonly node: NodeName }
  /** By index of the card; those that are not named are well. No slot of a card in trouble is granted (L39). */
  | {
      readonly v: 1;
      readonly type: "cards-changed";
      readonly node: NodeName;
      readonly trouble: readonly CardTrouble[];
    }
  /** Null: it is in use again. No slot of a drained card is granted (L39). */
  | { readonly v: 1; readonly type: "drain-set"; readonly of: DrainScope; readonly drain: Drain | null }
  /** Null: it is in its node's pool. Holds until another is set, whatever joins again. */
  | {
      readonly v: 1;
      readonly type: "card-pool-set";
      readonly node: NodeName;
      readonly device: number | null;
      readonly pool: PoolName | null;
    }
  | { readonly v: 1; readonly type: "route-set"; readonly of: RouteOf; readonly route: Route | null }
  /** The drain's time is over. */
  | { readonly v: 1; readonly type: "drain-due"; readonly of: DrainScope }
  | { readonly v: 1; readonly type: "window-opened"; readonly account: AccountId; readonly resetsAt: Instant }
  | { readonly v: 1; readonly type: "window-reset"; readonly account: AccountId }
  | {
      readonly v: 1;
      readonly type: "call-refused";
      readonly terms: CallTerms;
      /** Where several pools could not take it: that of the last whose cards could have held it. */
      readonly refusal: Refusal;
      readonly routed?: Routed;
    }
  | ({
      readonly v: 1;
      readonly type: "call-admitted";
      readonly terms: CallTerms;
      readonly heldMs: GpuMs;
      readonly leaseMs: DurationMs;
      readonly clipped: boolean;
      /** Of the payer's window, before this hold. */
      readonly leftMs: GpuMs | null;
      /** It counts as a run of its period until it ends without a charge; absent where its Space's owner pays, and in records from before runs were counted. */
      readonly counted?: true;
      /** Where a rule says by which pools it is served; absent: by its node's. */
      readonly routed?: Routed;
    } & Funding)
  | {
      readonly v: 1;
      readonly type: "call-queued";
      readonly call: CallId;
      readonly position: number;
      readonly of: number;
      readonly deadline: Instant;
      readonly blockers: readonly Blocker[];
      readonly estimateMs: DurationMs | null;
      readonly basis: string;
    }
  /** It waits in another pool of its route from here on, last of those that came; its deadline and its hold stay. */
  | {
      readonly v: 1;
      readonly type: "call-moved";
      readonly call: CallId;
      readonly from: PoolName;
      readonly to: PoolName;
      readonly why: MoveReason;
      /** Pools between the two that could not take it. */
      readonly passed?: readonly Passed[];
    }
  /** Its time in its pool is over, and no later pool of its route can take it: it is looked at again at `until`. */
  | {
      readonly v: 1;
      readonly type: "call-stayed";
      readonly call: CallId;
      readonly until: Instant;
      readonly passed: readonly Passed[];
    }
  | {
      readonly v: 1;
      readonly type: "call-granted";
      readonly call: CallId;
      readonly lease: Lease;
      readonly number: number;
      readonly attachBy: Instant;
      /** Why it, of several that waited; absent where it did not wait beside others. */
      readonly turn?: TurnRule;
    }
  | { readonly v: 1; readonly type: "call-attached"; readonly call: CallId; readonly pid: number }
  | { readonly v: 1; readonly type: "visitor-left"; readonly call: CallId }
  | {
      readonly v: 1;
      readonly type: "call-voided";
      readonly call: CallId;
      readonly cause: VoidCause;
      readonly releasedMs: GpuMs;
      readonly rule: string;
      /** What the card had, where that is the cause. */
      readonly says?: string;
    }
  | {
      readonly v: 1;
      readonly type: "call-settled";
      readonly call: CallId;
      readonly cause: EndCause;
      readonly usedMs: DurationMs;
      readonly chargedMs: GpuMs;
      readonly releasedMs: GpuMs;
      readonly rule: string;
      /** What the card had, where that is the cause. */
      readonly says?: string;
      /** Parts of the charge that credits pay; the rest is the window's. */
      readonly credits?: readonly CreditPart[];
    }
  /** The slot waits for its old worker's end before anyone else may have it (L22). */
  | {
      readonly v: 1;
      readonly type: "slot-clearing";
      readonly slot: SlotId;
      readonly fence: number;
      readonly replica: ReplicaId;
    }
  | {
      readonly v: 1;
      readonly type: "slot-warm";
      readonly slot: SlotId;
      readonly replica: ReplicaId;
      readonly task: string;
      readonly fence: number;
    }
  | { readonly v: 1; readonly type: "slot-free"; readonly slot: SlotId }
  /** Ended calls, oldest first; and addresses that leave nothing to remember: no open call, no running window. */
  | {
      readonly v: 1;
      readonly type: "calls-forgotten";
      readonly calls: readonly CallId[];
      readonly accounts?: readonly AccountId[];
    };

/* ── state ──────────────────────────────────────────────────────────────── */

export interface Account {
  readonly id: AccountId;
  readonly tier: TierName;
  /** Settled in the current period of the window. */
  readonly usedMs: GpuMs;
  /** Set aside for open calls that the current period admitted. */
  readonly heldMs: GpuMs;
  /** When the window began to be used it got its reset; null while it is unopened. A period is `[opened, resetsAt)`. */
  readonly resetsAt: Instant | null;
  /** Counts the window's resets. A call is held and settled in the period that admitted it, and in no other (L35). */
  readonly period: number;
  /** Calls that are queued, granted or attached, of any period. */
  readonly open: number;
  /** Counted calls that the current period admitted, without those that ended free of charge. */
  readonly runs: number;
  /** In the order in which they were given; those that are over go when another is given. */
  readonly allowances: readonly StandingAllowance[];
}

interface Standing extends Pick<Allowance, "id" | "by" | "reason"> {
  readonly at: Instant;
  /** It was taken back; absent where it was not. */
  readonly revoked?: TakingBack & { readonly at: Instant };
}
export type StandingAllowance = WindowAllowance | Credits | Lift;
export interface WindowAllowance extends Standing, Extract<AllowanceTerms, { kind: "window" }> {
  /** The account's period that it adds to. */
  readonly period: number;
}
/** What is left of it is `ms − usedMs − heldMs`. */
export interface Credits extends Standing, Extract<AllowanceTerms, { kind: "credits" }> {
  readonly usedMs: GpuMs;
  readonly heldMs: GpuMs;
}
export interface Lift extends Standing, Extract<AllowanceTerms, { kind: "lift" }> {}

/** What a Space's owner pays for its visitors, and what of it the owner's current period has used and holds. */
export interface Budget extends BudgetSettings {
  readonly sponsor: AccountId;
  readonly usedMs: GpuMs;
  readonly heldMs: GpuMs;
}

/** What admission fixed; it stays true to the call's end. */
export interface Admitted extends Funding {
  readonly terms: CallTerms;
  readonly heldMs: GpuMs;
  readonly leaseMs: DurationMs;
  readonly clipped: boolean;
  readonly admittedAt: Instant;
  /** The payer's period that admitted it. */
  readonly period: number;
  /** It is one of the period's runs. */
  readonly counted?: true;
  /** What it counts in its account's share of the pool from its grant to its end; absent where it was admitted before there were shares. */
  readonly entry?: Spent;
  /** By which rule it has its pool; absent: its terms' pool, by none. */
  readonly routed?: Routed;
}

/** What a grant adds. */
export interface Leased extends Admitted {
  readonly grantedAt: Instant;
  readonly lease: Lease;
  readonly visitorLeft: boolean;
}

/** Waits in `[admittedAt, deadline)`. */
export interface QueuedCall extends Admitted {
  readonly stage: "queued";
  readonly deadline: Instant;
  /** When its turn was expected when it came, from then; null where nothing could be said, absent in records from before. */
  readonly estimateMs?: DurationMs | null;
  /** From here on it moves to a later pool of its route that can take it; absent: never. */
  readonly moveAt?: Instant;
}
/** May attach in `[grantedAt, attachBy)`, by its shim's clock. */
export interface GrantedCall extends Leased {
  readonly stage: "granted";
  readonly attachBy: Instant;
}
export interface AttachedCall extends Leased {
  readonly stage: "attached";
  readonly attachedAt: Instant;
  readonly pid: number;
}
export interface RefusedCall {
  readonly stage: "refused";
  readonly terms: CallTerms;
  readonly refusal: Refusal;
  readonly routed?: Routed;
  readonly endedAt: Instant;
  /** Index of the record that ended it. */
  readonly endedIndex: number;
}
export interface VoidedCall extends Admitted {
  readonly stage: "voided";
  readonly cause: VoidCause;
  /** Id of the fault table's row. */
  readonly rule: string;
  readonly grantedAt: Instant | null;
  readonly lease: Lease | null;
  readonly endedAt: Instant;
  readonly endedIndex: number;
}
export interface SettledCall extends Leased {
  readonly stage: "settled";
  readonly cause: EndCause;
  /** As the shim measured it; what was charged may be less. */
  readonly usedMs: DurationMs;
  readonly chargedMs: GpuMs;
  /** Parts of the charge that credits paid. */
  readonly chargedCredits?: readonly CreditPart[];
  readonly rule: string;
  /** Null where the end was heard and the attach never was. */
  readonly attachedAt: Instant | null;
  readonly endedAt: Instant;
  readonly endedIndex: number;
}

export type OpenCall = QueuedCall | GrantedCall | AttachedCall;
export type FinalCall = RefusedCall | VoidedCall | SettledCall;
/** Each stage holds what is known then, and nothing else. */
export type Call = OpenCall | FinalCall;

/** `since` is when the stage began. Slots of one card with the same fence that are warm or clearing belong to one worker. */
export type Slot =
  | { readonly stage: "free"; readonly fence: number; readonly since: Instant }
  | { readonly stage: "leased"; readonly fence: number; readonly since: Instant; readonly call: CallId }
  | {
      readonly stage: "warm";
      readonly fence: number;
      readonly since: Instant;
      readonly replica: ReplicaId;
      readonly task: string;
    }
  | { readonly stage: "clearing"; readonly fence: number; readonly since: Instant; readonly replica: ReplicaId };

/** What a decision is: events to record (none for a harmless repeat), and the answer to whoever asked. */
export type Decision =
  | { readonly ok: true; readonly events: readonly Event[] }
  | { readonly ok: false; readonly why: CommandRefusal };

/** A command that can't be: nothing changes. */
export type CommandRefusal =
  | "malformed" // a field is missing, of another kind, out of bounds, or no field of such a command
  | "account-exists-otherwise"
  | "unknown-account"
  | "unknown-allowance" // none that is not over
  | "already-revoked" // by somebody else, or for another reason
  | "no-window" // more was wished for a window, and none runs
  | "not-ahead" // an end that is not after now, or further away than one may be
  | "too-many" // a bound on what is kept of one account, or on how many pools, cards' pools and routes there are
  | "unknown-pool"
  | "unknown-node"
  | "unknown-call"
  | "unknown-slot"
  | "unknown-card"
  | "other-content" // same id, other content (L11): 422
  | "not-holder" // wrong fence or replica: nothing changes (L21)
  | "already-final" // ended before: a repeat changes nothing, its outcome stands (L10, L30)
  | "not-granted"
  | "amount-overflow"; // a number that is not whole, is negative, or passes the bound that keeps amounts exact (L4)
