/** GPU time as whole numbers. Rounding is on purpose and always in the payer's favour. */
import { assert } from "../stdx/assert.ts";
import type { Brand } from "../stdx/brand.ts";
import type { DurationMs } from "../stdx/time.ts";

/** GPU milliseconds × size weight, whole and never negative (L4). What quotas, holds and charges are counted in. */
export type GpuMs = Brand<number, "GpuMs">;
/** A factor in thousandths: 1000 is 1×. */
export type Permille = Brand<number, "Permille">;

/** The largest amount that is still exact; anything above is refused, not rounded (L4). */
export const maxGpuMs = Number.MAX_SAFE_INTEGER;

/** Checks and brands an amount: a whole number in `[0, maxGpuMs]`. */
export function gpuMs(amount: number): GpuMs {
  assert(Number.isSafeInteger(amount) && amount >= 0, "L4: an amount is a whole number, at least 0", amount);
  return amount as GpuMs;
}

export const permille = (thousandths: number): Permille => thousandths as Permille;

/** GPU milliseconds for `elapsed` at `factor`. Rounds down: a started fraction of a millisecond is ours. */
export function costOf(elapsed: DurationMs, factor: Permille): GpuMs {
  assert(elapsed >= 0 && factor > 0, "time is not negative and a factor is positive");
  return gpuMs(Math.floor((elapsed * factor) / 1000));
}

/** The longest whole time that `amount` pays for at `factor`: never costs more than `amount`. */
export function timeFor(amount: GpuMs, factor: Permille): DurationMs {
  return Math.floor((amount * 1000) / factor) as DurationMs;
}
