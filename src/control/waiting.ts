/** The words for a call that waits: where it stands, about how long, and all that keeps it. One table for API, page and command line. */
import type { WaitingView } from "../contract/api.ts";
import { ordinal } from "../evidence/words.ts";
import type { Blocker } from "../core/model.ts";

/** What core knows of a waiting call (core/views.ts). */
export interface Waiting {
  readonly position: number;
  readonly of: number;
  readonly estimateMs: number | null;
  readonly basis: string;
  readonly blockers: readonly Blocker[];
  /** Absent where the estimate is the first. */
  readonly errorMs?: number | null;
}

export function waitingView({ position, of, estimateMs, basis, blockers, errorMs = null }: Waiting): WaitingView {
  const told = blockers.map((blocker) => ({ kind: blocker.kind, says: blockerSays(blocker) }));
  const wait =
    estimateMs === null ? "for how long is not known yet" : `about ${Math.max(1, Math.ceil(estimateMs / 1000))} s`;
  const keeps = told.map(({ says }) => `${says}.`).join(" ");
  return {
    position,
    of,
    estimateMs,
    basis,
    errorMs,
    blockers: told,
    says: `Waiting for a GPU: ${ordinal(position)} of ${of}, ${wait}${changeSays(errorMs)}. ${keeps} Waiting is free.`,
  };
}

/** How the first estimate held; nothing below a second, which nobody would call an error. */
function changeSays(errorMs: number | null): string {
  if (errorMs === null || Math.abs(errorMs) < 1000) return "";
  return `, ${Math.round(Math.abs(errorMs) / 1000)} s ${errorMs > 0 ? "later" : "sooner"} than first told`;
}

function blockerSays(blocker: Blocker): string {
  switch (blocker.kind) {
    case "slots":
      return blocker.clearing === 0
        ? blocker.leased === blocker.total
          ? blocker.total === 1
            ? "The only slot is leased"
            : `All ${blocker.total} slots are leased`
          : `${blocker.leased} of ${blocker.total} slots are leased`
        : `${blocker.leased} of ${blocker.total} slots are leased and ${blocker.clearing} wait for an old worker's end`;
    case "ahead":
      return blocker.calls === 1 ? "1 call is ahead" : `${blocker.calls} calls are ahead`;
    case "cards":
      return `${blocker.cards} of ${blocker.of} cards ${blocker.cards === 1 ? "is" : "are"} in trouble (${blocker.says})`;
    case "draining":
      return `${blocker.cards} of ${blocker.of} cards ${blocker.cards === 1 ? "is" : "are"} out of use (${blocker.says})`;
    case "whole-card":
      return `${blocker.size} needs a whole card`;
    case "kept":
      return "The free slots are kept for a call ahead";
  }
}
