/** Instants and durations in whole milliseconds. Nothing here reads a clock: `now` is always handed in. */
import type { Brand } from "./brand.ts";

/** Milliseconds since 1970-01-01T00:00:00Z, whole. */
export type Instant = Brand<number, "Instant">;
/** A length of time in whole milliseconds, never negative. */
export type DurationMs = Brand<number, "DurationMs">;

/** What a part may know about time; `main` hands in the real one, tests and the simulator their own. */
export interface Clock {
  /** Wall time, whole milliseconds since 1970. May step. */
  wall(): Instant;
  /** Milliseconds on a clock that never steps back; only differences mean anything. Whole. */
  monotonic(): number;
}

export const instant = (ms: number): Instant => Math.trunc(ms) as Instant;
export const durationMs = (ms: number): DurationMs => Math.max(0, Math.trunc(ms)) as DurationMs;
export const seconds = (count: number): DurationMs => durationMs(count * 1000);
export const after = (start: Instant, length: DurationMs): Instant => (start + length) as Instant;
/** From `start` to `end`, or 0 where `end` is earlier. */
export const between = (start: Instant, end: Instant): DurationMs => durationMs(end - start);
/** `2026-11-22T12:00:07.312Z`. */
export const iso = (at: Instant): string => new Date(at).toISOString();
