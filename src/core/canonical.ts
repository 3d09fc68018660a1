/**
 * Values whose JSON depends on what they hold, never on how they came to be: keys in order of their code units.
 *
 * Everything waits while a state is written, and nearly all of it is ended calls, accounts and tokens: for those the order is
 * written down here, some five times cheaper than sorting each. A key that is left out does not compile.
 */
import type { Account, Call, CallTerms, CreditPart, Lease } from "./model.ts";
import type { Spent } from "./share.ts";
import type { TokenUse } from "./state.ts";

type KeyOf<T> = T extends unknown ? keyof T : never;
/** Every key of every member of a union, each there or undefined: JSON leaves the undefined ones out. */
type All<T> = { readonly [K in KeyOf<T>]: (T extends { readonly [k in K]?: infer V } ? V : never) | undefined };

export function orderedCall(call: Call): All<Call> {
  const c = call as All<Call>;
  return {
    admittedAt: c.admittedAt,
    attachBy: c.attachBy,
    attachedAt: c.attachedAt,
    cause: c.cause,
    chargedCredits: c.chargedCredits?.map(orderedPart),
    chargedMs: c.chargedMs,
    clipped: c.clipped,
    counted: c.counted,
    credits: c.credits?.map(orderedPart),
    deadline: c.deadline,
    endedAt: c.endedAt,
    endedIndex: c.endedIndex,
    entry: c.entry && orderedSpent(c.entry),
    estimateMs: c.estimateMs,
    grantedAt: c.grantedAt,
    heldMs: c.heldMs,
    lease: c.lease && orderedLease(c.lease),
    leaseMs: c.leaseMs,
    moveAt: c.moveAt,
    overrides: c.overrides,
    period: c.period,
    pid: c.pid,
    refusal: c.refusal && ordered(c.refusal),
    routed: c.routed && ordered(c.routed),
    rule: c.rule,
    sponsor: c.sponsor,
    stage: c.stage,
    terms: orderedTerms(call.terms),
    usedMs: c.usedMs,
    visitorLeft: c.visitorLeft,
  };
}

/** An account without runs, or without allowances, is written as accounts were before there were any: an older snapshot keeps its hash (L25). */
export type WrittenAccount = Omit<Account, "runs" | "allowances"> & Partial<Pick<Account, "runs" | "allowances">>;

export function orderedAccount(account: Account): WrittenAccount {
  const { allowances, heldMs, id, open, period, resetsAt, runs, tier, usedMs } = account;
  const given = allowances.length > 0 && { allowances: ordered(allowances) };
  return { ...given, heldMs, id, open, period, resetsAt, ...(runs > 0 && { runs }), tier, usedMs };
}

function orderedPart({ allowance, ms }: CreditPart): CreditPart {
  return { allowance, ms };
}

export function orderedToken({ calls, gpuMs, kept }: TokenUse): TokenUse {
  return { calls, gpuMs, kept };
}

/** A deep copy with every object's keys sorted: for what is small. */
export function ordered<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(ordered) as T;
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(fields.map(([key, field]) => [key, ordered(field)])) as T;
}

function orderedTerms({
  account,
  billedBy,
  call,
  declaredMs,
  endpoint,
  node,
  pool,
  release,
  replica,
  request,
  root,
  size,
  space,
  task,
  tier,
}: CallTerms): CallTerms {
  return {
    account,
    billedBy,
    call,
    declaredMs,
    endpoint,
    node,
    pool,
    release,
    replica,
    request,
    ...(root !== undefined && { root }),
    size,
    space,
    task,
    tier,
  };
}

export function orderedSpent({ amount, halving }: Spent): Spent {
  return { amount, halving };
}

function orderedLease({ fence, leaseMs, slots, warm }: Lease): Lease {
  return { fence, leaseMs, slots, warm };
}
