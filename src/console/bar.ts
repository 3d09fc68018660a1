/** How much of something is used, and how a window of quota is made up. Pure. */
import type { QuotaView } from "../contract/api.ts";

/** Between 0 and 1; null where there is no bound. */
export function barOf(part: number, whole: number | null): number | null {
  if (whole === null || whole <= 0) return null;
  return Math.min(1, Math.max(0, part / whole));
}

/** Shares of a window: what is used, held and left adds up to 1. Null without a limit. */
export function quotaShares({ usedMs, heldMs, limitMs }: Pick<QuotaView, "usedMs" | "heldMs" | "limitMs">): {
  readonly used: number;
  readonly held: number;
  readonly left: number;
} | null {
  const used = barOf(usedMs, limitMs);
  if (used === null || limitMs === null) return null;
  const held = Math.min(1 - used, heldMs / limitMs);
  return { used, held, left: 1 - used - held };
}
