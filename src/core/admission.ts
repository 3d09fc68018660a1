/**
 * May this call be held? Asks "is there quota left?", not "is the whole declared duration left?": with less left than
 * declared the lease is clipped to it, if that is likely enough.
 *
 *   L3.  No admission makes used + held exceed the limit that is in force.
 *   L33. N at once, where k fit: exactly those that would be let in one after another.
 */
import { assert } from "../stdx/assert.ts";
import type { DurationMs, Instant } from "../stdx/time.ts";
import { costOf, gpuMs, maxGpuMs, timeFor } from "./amounts.ts";
import type { GpuMs } from "./amounts.ts";
import { functionOf, p90 } from "./history.ts";
import type { CallTerms, PoolSettings, Refusal } from "./model.ts";
import { sizeFactors } from "./policy.ts";
import { canHold } from "./slots.ts";
import { cappedBy, settingsOf, tierOf } from "./state.ts";
import type { NodeState, State } from "./state.ts";

/** An account's window as a call arrives: what the current period, or the next one, would show. */
export interface Window {
  readonly usedMs: GpuMs;
  readonly heldMs: GpuMs;
  /** Null: no limit. */
  readonly limitMs: GpuMs | null;
  /** limit − used − held, never below 0 (L34); null without a limit. */
  readonly leftMs: GpuMs | null;
  readonly resetsAt: Instant | null;
  /** Runs that the period has admitted and not given back. */
  readonly runs: number;
  /** The recorded period is over: `now >= resetsAt`. */
  readonly isOver: boolean;
}

export type Admission =
  | {
      readonly kind: "admitted";
      readonly heldMs: GpuMs;
      readonly leaseMs: DurationMs;
      readonly clipped: boolean;
      readonly window: Window;
    }
  | { readonly kind: "refused"; readonly refusal: Refusal; readonly window: Window | null }
  | { readonly kind: "overflow" };

/** The account's window at `now`, by `tier`; that of an account that never called is empty. */
export function windowOf(state: State, account: string, tier: CallTerms["tier"], now: Instant): Window {
  const limitMs = tierOf(state, tier).windowLimitMs;
  const book = state.accounts.get(account);
  const resetsAt = book?.resetsAt ?? null;
  const isOver = resetsAt !== null && now >= resetsAt;
  const usedMs = isOver ? gpuMs(0) : (book?.usedMs ?? gpuMs(0));
  const heldMs = isOver ? gpuMs(0) : (book?.heldMs ?? gpuMs(0));
  const leftMs = limitMs === null ? null : gpuMs(Math.max(0, limitMs - usedMs - heldMs));
  const runs = isOver ? 0 : (book?.runs ?? 0);
  return { usedMs, heldMs, limitMs, leftMs, runs, resetsAt: isOver ? null : resetsAt, isOver };
}

/** Decides on a call that is not known yet; `node` is its replica's. */
export function admit(state: State, node: NodeState, terms: CallTerms, now: Instant): Admission {
  const settings = settingsOf(state, node.pool);
  const refusal = refuseDuration(state, settings, terms) ?? refuseSize(node, terms);
  if (refusal) return { kind: "refused", refusal, window: null };

  const window = windowOf(state, terms.account, terms.tier, now);
  const busy = refuseOpen(state, settings, terms) ?? refuseRuns(state, terms, window);
  if (busy) return { kind: "refused", refusal: busy, window };
  const need = costOf(terms.declaredMs, sizeFactors[terms.size]);
  const lease = leaseFor(state, settings, terms, need, window);
  if ("refusal" in lease) return { kind: "refused", refusal: lease.refusal, window };
  if (window.usedMs + window.heldMs > maxGpuMs - lease.heldMs) return { kind: "overflow" };
  const capped = refuseToken(state, settings, terms, lease.heldMs);
  if (capped) return { kind: "refused", refusal: capped, window };
  assert(
    window.limitMs === null || window.usedMs + window.heldMs + lease.heldMs <= window.limitMs,
    "L3: no admission makes used + held exceed the limit",
  );
  return { kind: "admitted", ...lease, window };
}

/** The shorter of the pool's bound and the tier's decides, and is named. */
function refuseDuration(
  state: State,
  { durationMaxMs: poolMaxMs }: PoolSettings,
  { declaredMs, tier }: CallTerms,
): Refusal | undefined {
  const tierMaxMs = tierOf(state, tier).durationMaxMs ?? poolMaxMs;
  const maxMs = Math.min(poolMaxMs, tierMaxMs) as DurationMs;
  if (Number.isSafeInteger(declaredMs) && declaredMs > 0 && declaredMs <= maxMs) return undefined;
  return { code: "duration-not-allowed", declaredMs, maxMs, ...(tierMaxMs < poolMaxMs && { tier }) };
}

function refuseSize(node: NodeState, { size, pool }: CallTerms): Refusal | undefined {
  if (!canHold(node.cards, "large")) return { code: "no-capacity", pool };
  return canHold(node.cards, size) ? undefined : { code: "size-not-available", size, pool };
}

/** How many calls an account, and a Space, may have open at once. */
function refuseOpen(
  state: State,
  { spaceCallsMax }: PoolSettings,
  { account, tier, space }: CallTerms,
): Refusal | undefined {
  const { callsMax } = tierOf(state, tier);
  const calls = state.accounts.get(account)?.open ?? 0;
  if (callsMax !== null && calls >= callsMax) return { code: "account-busy", calls, max: callsMax, tier };
  const ofSpace = state.openBySpace.get(space) ?? 0;
  if (typeof spaceCallsMax !== "number" || ofSpace < spaceCallsMax) return undefined;
  return { code: "space-busy", calls: ofSpace, max: spaceCallsMax };
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

/** The hold and the lease that the window allows. */
function leaseFor(
  state: State,
  settings: PoolSettings,
  terms: CallTerms,
  need: GpuMs,
  { usedMs, heldMs, limitMs, leftMs, resetsAt }: Window,
): LeaseTerms | { refusal: Refusal } {
  if (limitMs === null || leftMs === null || need <= leftMs) {
    return { heldMs: need, leaseMs: terms.declaredMs, clipped: false };
  }
  const likely = settings.admission === "clip" ? likelyNeed(state, terms) : null;
  const leaseMs = timeFor(leftMs, sizeFactors[terms.size]);
  if (likely !== null && leaseMs > 0 && leftMs >= likely.needMs) {
    return { heldMs: costOf(leaseMs, sizeFactors[terms.size]), leaseMs, clipped: true };
  }
  return {
    refusal: { code: "quota-exceeded", askedMs: need, leftMs, usedMs, heldMs, limitMs, resetsAt, clip: likely },
  };
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
