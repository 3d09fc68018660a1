/** Whether and when an app that ended is started again. Pure: the clock is an argument, in milliseconds that never step back. */

export interface RestartLimits {
  /** Before the first restart; doubled for each further end within the window. */
  readonly firstMs: number;
  readonly mostMs: number;
  /** So many ends within the window are a crash loop. */
  readonly endsMax: number;
  readonly windowMs: number;
}

/** An app that ends five times in ten minutes will not be cured by a sixth start, only its log gets longer. */
export const restartLimits: RestartLimits = { firstMs: 1_000, mostMs: 60_000, endsMax: 5, windowMs: 600_000 };

export type RestartDecision =
  | { readonly kind: "restart"; readonly inMs: number; readonly ends: readonly number[] }
  | { readonly kind: "give-up"; readonly says: string; readonly ends: readonly number[] };

/** `ends` are the earlier ends of this Space's app; the decision brings them with the new one, older than the window left out. */
export function afterEnd(
  earlier: readonly number[],
  now: number,
  limits: RestartLimits = restartLimits,
): RestartDecision {
  const ends = [...stillCount(earlier, now, limits), now];
  if (ends.length >= limits.endsMax) {
    const says = `the app ended ${ends.length} times within ${Math.round(limits.windowMs / 60_000)} minutes and is not started again`;
    return { kind: "give-up", says, ends };
  }
  return { kind: "restart", inMs: pauseAfter(ends.length, limits), ends };
}

/** After an end that the app has no part in and that passes by itself: never given up. `earlier` are those of this Space alone. */
export function afterPassing(
  earlier: readonly number[],
  now: number,
  limits: RestartLimits = restartLimits,
): { readonly inMs: number; readonly ends: readonly number[] } {
  const ends = [...stillCount(earlier, now, limits), now];
  return { inMs: pauseAfter(ends.length, limits), ends };
}

/** Those ends that are within the window. */
export function stillCount(ends: readonly number[], now: number, limits: RestartLimits): readonly number[] {
  return ends.filter((at) => now - at < limits.windowMs);
}

function pauseAfter(ends: number, { firstMs, mostMs }: RestartLimits): number {
  return Math.min(mostMs, firstMs * 2 ** (ends - 1));
}
