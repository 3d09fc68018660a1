/**
 * May this call be held, and who pays? Asks "is there quota left?", not "is the whole declared duration left?": with less left than
 * declared the lease is clipped to it, if that is likely enough.
 *
 *   L3.  No admission makes used + held exceed the limit that is in force.
 *   L33. N at once, where k fit: exactly those that would be let in one after another.
 */
import { assert } from "../stdx/assert.ts";
import type { DurationMs, Instant } from "../stdx/time.ts";
import { liftOf, sumOf } from "./allowances.ts";
import type { Bay } from "./bays.ts";
import { costOf, gpuMs, maxGpuMs, timeFor } from "./amounts.ts";
import type { GpuMs } from "./amounts.ts";
import { fundingOf, overridesOf, payerOf, sponsorOf } from "./funding.ts";
import type { Payer, Window } from "./funding.ts";
import { functionOf, p90 } from "./history.ts";
import type { AllowanceId, CallTerms, Funding, LiftablePolicy, PoolSettings, Refusal } from "./model.ts";
import { sizeFactors } from "./policy.ts";
import { canHold } from "./slots.ts";
import { cappedBy, settingsOf, tierOf } from "./state.ts";
import type { State } from "./state.ts";

/** `payer`: whose window it is, where it was looked at. */
export type Admission =
  | {
      readonly kind: "admitted";
      readonly heldMs: GpuMs;
      readonly leaseMs: DurationMs;
      readonly clipped: boolean;
      readonly funding: Funding;
      readonly payer: Payer;
    }
  | { readonly kind: "refused"; readonly refusal: Refusal; readonly payer: Payer | null }
  | { readonly kind: "overflow" };

/** Decides on a call that is not known yet, as one that would be served by this bay of its replica's node. */
export function admit(state: State, bay: Bay, terms: CallTerms, now: Instant): Admission {
  const settings = settingsOf(state, bay.pool);
  const own = payerOf(state, terms.account, terms.tier, now);
  const lifted: AllowanceId[] = [];
  const refusal = refuseDuration(state, settings, terms, own, lifted) ?? refuseSize(bay, terms);
  if (refusal) return { kind: "refused", refusal, payer: null };

  const busy = unless(own, "calls", refuseAccount(state, terms), lifted) ?? refuseSpace(state, settings, terms);
  if (busy) return { kind: "refused", refusal: busy, payer: own };
  const paid = bySponsor(state, settings, terms, now) ?? byAccount(state, settings, terms, own, lifted);
  if ("refusal" in paid) return { kind: "refused", ...paid };
  const { payer, lease } = paid;
  const { window } = payer;
  const credits = fundingOf(payer, lease.heldMs, now);
  const windowMs = lease.heldMs - sumOf(credits.credits);
  if (window.usedMs + window.heldMs > maxGpuMs - windowMs) return { kind: "overflow" };
  const capped = refuseToken(state, settings, terms, lease.heldMs);
  if (capped) return { kind: "refused", refusal: capped, payer };
  assert(
    windowMs === 0 || window.limitMs === null || window.usedMs + window.heldMs + windowMs <= window.limitMs,
    "L3: no admission makes used + held exceed the limit",
  );
  const overrides = [...lifted, ...overridesOf(state, payer, windowMs)];
  const funding = {
    ...(payer !== own && { sponsor: payer.account }),
    ...credits,
    ...(overrides.length > 0 && { overrides }),
  };
  return { kind: "admitted", ...lease, funding, payer };
}

/**
 * What the Space's owner pays for its visitor; undefined where the visitor's own account is asked instead. Nobody's lease is
 * clipped to what is left of a budget while another could pay for all of it.
 */
function bySponsor(state: State, settings: PoolSettings, terms: CallTerms, now: Instant): Paid | undefined {
  const payer = sponsorOf(state, terms, now);
  if (payer === undefined) return undefined;
  const { budget, leftMs, window } = payer;
  const lease = leaseFor(state, settings, terms, leftMs);
  if (budget.whenOut === "visitor") return "clip" in lease || lease.clipped ? undefined : { payer, lease };
  if (!("clip" in lease)) return { payer, lease };
  const { sponsor, limitMs, usedMs, heldMs } = budget;
  const numbers = { askedMs: needOf(terms), leftMs, usedMs, heldMs, limitMs, resetsAt: window.resetsAt };
  return { payer, refusal: { code: "budget-exceeded", sponsor, ...numbers, clip: lease.clip } };
}

function byAccount(state: State, settings: PoolSettings, terms: CallTerms, payer: Payer, lifted: AllowanceId[]): Paid {
  const { window } = payer;
  const often = unless(payer, "runs", refuseRuns(state, terms, window), lifted);
  if (often) return { payer, refusal: often };
  const lease = leaseFor(state, settings, terms, payer.leftMs);
  if (!("clip" in lease)) return { payer, lease };
  const { usedMs, heldMs, limitMs, leftMs, creditsMs, resetsAt } = window;
  assert(limitMs !== null && leftMs !== null, "only a limit refuses");
  const numbers = { askedMs: needOf(terms), leftMs, usedMs, heldMs, limitMs, resetsAt, clip: lease.clip };
  return { payer, refusal: { code: "quota-exceeded", ...numbers, ...(creditsMs > 0 && { creditsMs }) } };
}

/** The refusal, unless an operator has lifted its policy from the account; then what lifts it is noted. */
function unless<R extends Refusal>(
  { standing }: Payer,
  policy: LiftablePolicy,
  refusal: R | undefined,
  lifted: AllowanceId[],
): R | undefined {
  const lift = refusal && liftOf(standing, policy);
  if (lift === undefined) return refusal;
  lifted.push(lift);
  return undefined;
}

/** The shorter of the pool's bound and the tier's decides, and is named; only the tier's can be lifted. */
function refuseDuration(
  state: State,
  { durationMaxMs: poolMaxMs }: PoolSettings,
  terms: CallTerms,
  own: Payer,
  lifted: AllowanceId[],
): Refusal | undefined {
  const { declaredMs, tier } = terms;
  const tierMaxMs = tierOf(state, tier).durationMaxMs ?? poolMaxMs;
  const isWithin = (maxMs: DurationMs): boolean =>
    Number.isSafeInteger(declaredMs) && declaredMs > 0 && declaredMs <= maxMs;
  if (!isWithin(poolMaxMs) && poolMaxMs <= tierMaxMs)
    return { code: "duration-not-allowed", declaredMs, maxMs: poolMaxMs };
  if (isWithin(tierMaxMs)) return undefined;
  const byTier = { code: "duration-not-allowed", declaredMs, maxMs: tierMaxMs, tier } as const;
  const byPool = { code: "duration-not-allowed", declaredMs, maxMs: poolMaxMs } as const;
  return unless(own, "duration", byTier, lifted) ?? (isWithin(poolMaxMs) ? undefined : byPool);
}

export function refuseSize(
  { pool, cards }: Pick<Bay, "pool" | "cards">,
  { size }: CallTerms,
): (Refusal & { readonly code: "no-capacity" | "size-not-available" }) | undefined {
  if (!canHold(cards, "large")) return { code: "no-capacity", pool };
  return canHold(cards, size) ? undefined : { code: "size-not-available", size, pool };
}

/** How many calls an account may have open at once. */
function refuseAccount(state: State, { account, tier }: CallTerms): Refusal | undefined {
  const { callsMax: max } = tierOf(state, tier);
  const calls = state.accounts.get(account)?.open ?? 0;
  return max === null || calls < max ? undefined : { code: "account-busy", calls, max, tier };
}

/** How many calls a Space may have open at once. */
function refuseSpace(state: State, { spaceCallsMax: max }: PoolSettings, { space }: CallTerms): Refusal | undefined {
  const calls = state.openBySpace.get(space) ?? 0;
  return typeof max !== "number" || calls < max ? undefined : { code: "space-busy", calls, max };
}

function refuseRuns(state: State, { tier }: CallTerms, { runs, resetsAt }: Window): Refusal | undefined {
  const { runsMax: max } = tierOf(state, tier);
  return max === null || runs < max ? undefined : { code: "runs-exceeded", runs, max, tier, resetsAt };
}

function refuseToken(state: State, settings: PoolSettings, terms: CallTerms, heldMs: GpuMs): Refusal | undefined {
  const request = cappedBy(terms);
  if (request === null) return undefined;
  const { calls = 0, gpuMs: spent = 0 } = state.tokens.get(request) ?? {};
  const { tokenMaxCalls: maxCalls, tokenMaxGpuMs: maxGpu } = settings;
  if (calls < maxCalls && heldMs <= maxGpu - spent) return undefined;
  return { code: "token-cap", calls, maxCalls, gpuMs: gpuMs(spent), maxGpuMs: maxGpu };
}

type LeaseTerms = { heldMs: GpuMs; leaseMs: DurationMs; clipped: boolean };
/** A payer, and the lease that it pays for or why it does not. */
type Paid = { payer: Payer } & ({ lease: LeaseTerms } | { refusal: Refusal });

const needOf = ({ declaredMs, size }: CallTerms): GpuMs => costOf(declaredMs, sizeFactors[size]);

/** The hold and the lease that `leftMs` allows, null: all; else what must be left for a clipped one, null: it may not be. */
function leaseFor(
  state: State,
  settings: PoolSettings,
  terms: CallTerms,
  leftMs: GpuMs | null,
): LeaseTerms | { clip: { needMs: GpuMs; basis: string } | null } {
  const need = needOf(terms);
  if (leftMs === null || need <= leftMs) return { heldMs: need, leaseMs: terms.declaredMs, clipped: false };
  const likely = settings.admission === "clip" ? likelyNeed(state, terms) : null;
  const leaseMs = timeFor(leftMs, sizeFactors[terms.size]);
  if (likely !== null && leaseMs > 0 && leftMs >= likely.needMs) {
    return { heldMs: costOf(leaseMs, sizeFactors[terms.size]), leaseMs, clipped: true };
  }
  return { clip: likely };
}

/** What must be left for a clipped lease to be likely enough: never 0. */
function likelyNeed(state: State, terms: CallTerms): { needMs: GpuMs; basis: string } {
  const runs = state.functions.get(functionOf(terms));
  const factor = sizeFactors[terms.size];
  if (runs === undefined) {
    const half = Math.ceil(terms.declaredMs / 2) as DurationMs;
    return { needMs: gpuMs(Math.max(1, costOf(half, factor))), basis: "half of what it declares" };
  }
  const count = runs.inOrder.length;
  const basis = count === 1 ? "its one run so far" : `9 in 10 of its last ${count} runs`;
  return { needMs: gpuMs(Math.max(1, costOf(p90(runs), factor))), basis };
}
