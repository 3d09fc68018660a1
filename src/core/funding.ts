/**
 * Who pays for a call and from what: an account's window first, then its credits; for a visitor's call its Space's owner,
 * up to a budget.
 *
 *   L3.  No admission makes used + held exceed the limit then in force, a window's or a budget's.
 *   L34. What is shown as left is limit − used − held, never below 0.
 */
import type { Instant } from "../stdx/time.ts";
import { addedTo, creditsLeft, draw, liftOf, offersOf, standingOf, sumOf } from "./allowances.ts";
import { gpuMs, maxGpuMs } from "./amounts.ts";
import type { GpuMs } from "./amounts.ts";
import type {
  AccountId,
  Admitted,
  AllowanceId,
  Budget,
  CallTerms,
  CreditPart,
  Funding,
  StandingAllowance,
  TierName,
} from "./model.ts";
import { tierOf } from "./state.ts";
import type { State } from "./state.ts";

/** An account's window as a call arrives: what the current period, or the next one, would show. */
export interface Window {
  readonly usedMs: GpuMs;
  readonly heldMs: GpuMs;
  /** In force: the tier's, and what was added to this period. Null: no limit. */
  readonly limitMs: GpuMs | null;
  /** limit − used − held, never below 0 (L34); null without a limit. */
  readonly leftMs: GpuMs | null;
  /** What is left of credits: they are used where the window is used up. */
  readonly creditsMs: GpuMs;
  readonly resetsAt: Instant | null;
  /** Runs that the period has admitted and not given back. */
  readonly runs: number;
  /** The recorded period is over: `now >= resetsAt`. */
  readonly isOver: boolean;
}

/** An account that would pay for a call. */
export interface Payer {
  readonly account: AccountId;
  readonly tier: TierName;
  readonly window: Window;
  readonly standing: readonly StandingAllowance[];
  /** All that may be set aside for one call; null: no bound. */
  readonly leftMs: GpuMs | null;
}

/** The owner of a visitor's Space, where it pays for its visitors. */
export interface Sponsor extends Payer {
  readonly budget: Budget & { readonly limitMs: GpuMs };
  readonly leftMs: GpuMs;
}

/** The account's window at `now`, by `tier`; that of an account that never called is empty. */
export function windowOf(state: State, account: AccountId, tier: TierName, now: Instant): Window {
  return windowWith(standingOf(state, account, now), state, { account, tier }, now);
}

export function payerOf(state: State, account: AccountId, tier: TierName, now: Instant): Payer {
  const standing = standingOf(state, account, now);
  const window = windowWith(standing, state, { account, tier }, now);
  const { leftMs, creditsMs } = window;
  return { account, tier, window, standing, leftMs: leftMs === null ? null : atMost(leftMs + creditsMs) };
}

/** Who pays in the visitor's place; undefined where the Space has no budget, and for its owner's own calls. */
export function sponsorOf(state: State, { space, account }: CallTerms, now: Instant): Sponsor | undefined {
  const budget = state.budgets.get(space);
  if (budget === undefined || budget.limitMs === null || budget.sponsor === account) return undefined;
  const payer = payerOf(state, budget.sponsor, tierOfSponsor(state, budget), now);
  const { limitMs } = budget;
  const { usedMs, heldMs, leftMs } = budgetAt(budget, payer.window);
  const least = gpuMs(payer.leftMs === null ? leftMs : Math.min(leftMs, payer.leftMs));
  return { ...payer, budget: { ...budget, limitMs, usedMs, heldMs }, leftMs: least };
}

/** A budget's sums in the period that its sponsor's window shows. */
export function budgetAt(
  { limitMs, usedMs, heldMs }: Budget,
  { isOver }: Window,
): { readonly usedMs: GpuMs; readonly heldMs: GpuMs; readonly leftMs: GpuMs } {
  const [used, held] = isOver ? [gpuMs(0), gpuMs(0)] : [usedMs, heldMs];
  return { usedMs: used, heldMs: held, leftMs: gpuMs(Math.max(0, (limitMs ?? 0) - used - held)) };
}

/** The tier under which the sponsor's window is counted: its account's, which the budget's record opened. */
export function tierOfSponsor(state: State, { sponsor }: Budget): TierName {
  return state.accounts.get(sponsor)?.tier ?? "free";
}

/** From what a hold of `heldMs` comes: the window as far as it goes, credits for the rest. */
export function fundingOf({ window, standing }: Payer, heldMs: GpuMs, now: Instant): Pick<Funding, "credits"> {
  const rest = window.leftMs === null ? 0 : heldMs - window.leftMs;
  return rest > 0 ? { credits: draw(rest, offersOf(standing, now)) } : {};
}

/** The allowances without which the payer's tier would not hold `windowMs` more. */
export function overridesOf(state: State, { tier, window, standing }: Payer, windowMs: number): readonly AllowanceId[] {
  const { windowLimitMs } = tierOf(state, tier);
  if (windowMs === 0 || windowLimitMs === null || window.usedMs + window.heldMs + windowMs <= windowLimitMs) return [];
  const lift = liftOf(standing, "window");
  return lift === undefined ? addedTo(standing).map(({ id }) => id) : [lift];
}

/**
 * Which part of a charge the hold's credits pay: what the window can't. It may pay more than it held, where others have left
 * it room meanwhile; in a later period it pays what it held.
 */
export function creditsCharged(state: State, call: Admitted, chargedMs: GpuMs, now: Instant): CreditPart[] {
  if (call.credits === undefined) return [];
  const fromWindow = call.heldMs - sumOf(call.credits) + roomFor(state, call, now);
  return draw(chargedMs - fromWindow, call.credits);
}

function roomFor(state: State, { sponsor, terms, period }: Admitted, now: Instant): number {
  const book = state.accounts.get(sponsor ?? terms.account);
  if (book === undefined || book.period !== period) return 0;
  const { windowLimitMs } = tierOf(state, book.tier);
  const standing = standingOf(state, book.id, now);
  const isUnlimited = windowLimitMs === null || liftOf(standing, "window") !== undefined;
  const limitMs = isUnlimited ? maxGpuMs : atMost(windowLimitMs + addedMs(standing));
  return Math.max(0, limitMs - book.usedMs - book.heldMs);
}

function windowWith(
  standing: readonly StandingAllowance[],
  state: State,
  { account, tier }: Pick<Payer, "account" | "tier">,
  now: Instant,
): Window {
  const tierLimitMs = tierOf(state, tier).windowLimitMs;
  const isLifted = liftOf(standing, "window") !== undefined;
  const limitMs = tierLimitMs === null || isLifted ? null : atMost(tierLimitMs + addedMs(standing));
  const book = state.accounts.get(account);
  const resetsAt = book?.resetsAt ?? null;
  const isOver = resetsAt !== null && now >= resetsAt;
  const usedMs = isOver ? gpuMs(0) : (book?.usedMs ?? gpuMs(0));
  const heldMs = isOver ? gpuMs(0) : (book?.heldMs ?? gpuMs(0));
  const leftMs = limitMs === null ? null : gpuMs(Math.max(0, limitMs - usedMs - heldMs));
  const runs = isOver ? 0 : (book?.runs ?? 0);
  const creditsMs = standing.length === 0 ? gpuMs(0) : creditsLeft(standing, now);
  return { usedMs, heldMs, limitMs, leftMs, creditsMs, runs, resetsAt: isOver ? null : resetsAt, isOver };
}

function addedMs(standing: readonly StandingAllowance[]): number {
  return addedTo(standing).reduce((sum, { ms }) => sum + ms, 0);
}

/** An amount that is a bound and no debt: what is above the largest exact one is that. */
function atMost(amount: number): GpuMs {
  return gpuMs(Math.min(maxGpuMs, amount));
}
