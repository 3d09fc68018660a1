/** What a call of a Space costs, by one's own calls of it that ended well. Pure. */
import type { CallView } from "../../contract/api.ts";

export interface Price {
  /** Of the newest. */
  readonly heldMs: number;
  /** Half of them used at most this. */
  readonly usedMs: number;
  readonly runs: number;
}

/** Null before the first one has ended: `calls` newest first. */
export function priceOf(calls: readonly Pick<CallView, "outcome" | "heldMs" | "usedMs">[]): Price | null {
  const done = calls.filter(({ outcome }) => outcome === "ok");
  const [newest] = done;
  if (newest === undefined) return null;
  const used = done.map(({ usedMs }) => usedMs).toSorted((a, b) => a - b);
  return { heldMs: newest.heldMs, usedMs: used[Math.floor((used.length - 1) / 2)] ?? 0, runs: done.length };
}
