/**
 * How much of a pool an account has had lately, by its weight: what decides who is next. Whole numbers throughout.
 *
 * Use decays: it counts half after each half-life. Nothing is rewritten for that. What is spent at a moment is written
 * down larger, by how far the current half-life has gone (1 at its begin, 2 at its end, straight in between: at most
 * 6.2 % from 2^x), together with the number of that half-life; what was written in an earlier one counts half for each in
 * between. So all amounts decay alike, and the order of two accounts changes only when one of them spends.
 */
import type { Instant } from "../stdx/time.ts";
import type { DurationMs } from "../stdx/time.ts";
import type { GpuMs } from "./amounts.ts";

/** Weighted use, written down in a half-life. */
export interface Spent {
  /** Counts half-lives. */
  readonly halving: number;
  /** Thousandths of a GPU millisecond, divided by the weight. */
  readonly amount: number;
}

/** Counts half-lives in {@link steps} parts: `ticks` at `from`, and on from there at the pool's half-life. */
export interface DecayClock {
  readonly from: Instant;
  readonly ticks: number;
}

export const nothingSpent: Spent = { halving: 0, amount: 0 };
export const newClock: DecayClock = { from: 0 as Instant, ticks: 0 };

/** Parts of a half-life; a power of two, so that nothing is lost in counting. */
const steps = 4096;
/** An amount stays exact: far above all that a pool can do within a half-life. */
const amountMax = 2 ** 52;

/** What the clock shows at `at`, in parts of a half-life. */
export function ticksAt({ from, ticks }: DecayClock, halfLifeMs: DurationMs, at: Instant): number {
  const elapsed = Math.max(0, at - from);
  const rest = elapsed % halfLifeMs;
  return ticks + ((elapsed - rest) / halfLifeMs) * steps + Math.floor((rest * steps) / halfLifeMs);
}

/** `used` by an account of this weight, written down when the clock shows `ticks`. */
export function spend(used: GpuMs, weight: number, ticks: number): Spent {
  const share = Math.floor((used * 1000) / weight);
  const phase = ticks % steps;
  return { halving: (ticks - phase) / steps, amount: capped(share + Math.floor((share / steps) * phase)) };
}

export function plus(a: Spent, b: Spent): Spent {
  const halving = Math.max(a.halving, b.halving);
  return { halving, amount: capped(amountIn(a, halving) + amountIn(b, halving)) };
}

/** Never below nothing: what was taken back may have been rounded down since. */
export function minus(a: Spent, b: Spent): Spent {
  const halving = Math.max(a.halving, b.halving);
  return { halving, amount: Math.max(0, amountIn(a, halving) - amountIn(b, halving)) };
}

/** Below 0 where `a` is less. The same at every moment. */
export function compareSpent(a: Spent, b: Spent): number {
  // Multiplying by a power of two is exact; one that is 60 half-lives older counts for nothing beside any other.
  if (a.halving === b.halving) return a.amount - b.amount;
  if (a.halving > b.halving) return -compareSpent(b, a);
  return a.amount - b.amount * 2 ** Math.min(60, b.halving - a.halving);
}

/** GPU milliseconds, divided by the weight, that are left of it when the clock shows `ticks`; rounded down. */
export function spentAt(spent: Spent, ticks: number): number {
  const phase = ticks % steps;
  const amount = amountIn(spent, Math.max(spent.halving, (ticks - phase) / steps));
  return Math.floor((amount * steps) / (steps + phase) / 1000);
}

function amountIn({ halving, amount }: Spent, later: number): number {
  return halving === later ? amount : Math.floor(amount / 2 ** Math.min(60, later - halving));
}

function capped(amount: number): number {
  return Math.min(amountMax, amount);
}
