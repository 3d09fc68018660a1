/** What a call would cost and meet if it came now. Asks the function that would decide on it, and records nothing. */
import type { DurationMs, Instant } from "../stdx/time.ts";
import { sumOf } from "./allowances.ts";
import { costOf, gpuMs } from "./amounts.ts";
import type { GpuMs } from "./amounts.ts";
import { decide } from "./decide.ts";
import type { AccountId, CallTerms, CommandRefusal, Event, Misfit, PoolName, Refusal } from "./model.ts";
import { functionOf, median, p90 } from "./history.ts";
import { sizeFactors } from "./policy.ts";
import type { Routed } from "./routes.ts";
import type { Place } from "./queue.ts";
import { poolOfCall } from "./routing.ts";
import type { State } from "./state.ts";

export type Quote =
  /** `place` is null where it would be granted at once. */
  | {
      readonly kind: "admitted";
      readonly heldMs: GpuMs;
      readonly leaseMs: DurationMs;
      readonly clipped: boolean;
      /** What its function's runs cost before; null where it never ran. */
      readonly usual: UsualCost | null;
      /** The account that would pay, and what of the hold its credits would be. */
      readonly paidBy: AccountId;
      readonly creditsMs: GpuMs;
      readonly place: Place | null;
      /** The pool that would serve it. */
      readonly pool: PoolName;
      /** By which rule, and what it would pass over; null: its node's pool, by none. */
      readonly routed: Routed | null;
    }
  /** The policy that would stop it, with its numbers. */
  | { readonly kind: "refused"; readonly refusal: Refusal; readonly pool: PoolName; readonly routed: Routed | null }
  /** Its terms can't be: its node or pool is not there, or an amount is not exact. */
  | { readonly kind: "impossible"; readonly why: CommandRefusal };

/** Of the function's last runs that ended by themselves. */
export interface UsualCost {
  readonly runs: number;
  /** As much as half of them cost at most, and nine in ten of them: no more than the call would hold. */
  readonly medianMs: GpuMs;
  readonly p90Ms: GpuMs;
}

/** Of a call that is not known yet; one that is known has been decided on. */
export function quoteOf(state: State, terms: CallTerms, now: Instant, misfit?: Misfit): Quote {
  const decision = decide(state, { type: "schedule", terms, ...(misfit && { misfit }) }, now);
  if (!decision.ok) return { kind: "impossible", why: decision.why };
  const refused = eventOf(decision.events, "call-refused");
  if (refused)
    return { kind: "refused", refusal: refused.refusal, pool: poolOfCall(refused), routed: refused.routed ?? null };
  const admitted = eventOf(decision.events, "call-admitted");
  if (!admitted) return { kind: "impossible", why: "already-final" };
  const { heldMs, leaseMs, clipped, sponsor, credits } = admitted;
  const funding = { paidBy: sponsor ?? terms.account, creditsMs: gpuMs(sumOf(credits)) };
  return {
    kind: "admitted",
    heldMs,
    leaseMs,
    clipped,
    usual: usualCost(state, terms, heldMs),
    ...funding,
    place: eventOf(decision.events, "call-queued") ?? null,
    pool: poolOfCall(admitted),
    routed: admitted.routed ?? null,
  };
}

/** What one function of a Space costs, for whoever would call it: known by its name alone, and asked of no account. */
export function costOfFunction(
  state: State,
  {
    space,
    endpoint,
    declaredMs,
    size,
  }: Pick<CallTerms, "space" | "declaredMs" | "size"> & { readonly endpoint: string },
): { readonly heldMs: GpuMs; readonly usual: UsualCost | null } {
  const heldMs = costOf(declaredMs, sizeFactors[size]);
  return { heldMs, usual: usualCost(state, { space, endpoint, declaredMs, size, release: "" }, heldMs) };
}

type FunctionTerms = Pick<CallTerms, "space" | "endpoint" | "release" | "size" | "declaredMs">;

function usualCost(state: State, terms: FunctionTerms, heldMs: GpuMs): UsualCost | null {
  const runs = state.functions.get(functionOf(terms));
  if (runs === undefined) return null;
  const factor = sizeFactors[terms.size];
  const cost = (length: DurationMs): GpuMs => gpuMs(Math.min(costOf(length, factor), heldMs));
  return { runs: runs.inOrder.length, medianMs: cost(median(runs)), p90Ms: cost(p90(runs)) };
}

function eventOf<Type extends Event["type"]>(events: readonly Event[], type: Type) {
  return events.find((event): event is Extract<Event, { type: Type }> => event.type === type);
}
