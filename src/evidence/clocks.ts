/** What is said of the clocks of those who tell of a work. Shown; nothing is put in order by it. */
import type { EmitterClock } from "./entry.ts";

/** A clock that is a little off changes nothing that people read from times. */
export const aheadNoticedMs = 1_000;
/** Records that come this late say that a clock may be behind: on their way they are a second at most. */
export const lateNoticedMs = 5_000;

/** Undefined of a clock that is near the server's, as far as is known. */
export function clockSays({ emitter, aheadMs }: EmitterClock): string | undefined {
  const says =
    aheadMs >= aheadNoticedMs
      ? `is at least ${aheadMs / 1_000} s ahead of the server's`
      : aheadMs <= -lateNoticedMs
        ? `may be behind the server's, by ${-aheadMs / 1_000} s at most`
        : undefined;
  return says && `that of ${emitter} ${says}; its times are its own, and order nothing`;
}

/** Whether times of these emitters may be put beside each other at all. */
export function areComparable(clocks: readonly EmitterClock[]): boolean {
  return clocks.every((clock) => clockSays(clock) === undefined);
}
