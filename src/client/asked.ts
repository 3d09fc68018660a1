/** What a client asks for: options of a request, what to change, and of what. */
import type { BudgetView } from "../contract/allowances.ts";
import type { TierView } from "../contract/api.ts";
import type { PoolView } from "../contract/pools.ts";
import type { Watching } from "./following.ts";

/** Options of one request. */
export interface Asking {
  readonly signal?: AbortSignal | undefined;
}

export interface LogOptions extends Watching {
  /** The first line's number; 1 where it is not said. */
  readonly from?: number | undefined;
  /** The last so many of the lines that are there. */
  readonly tail?: number | undefined;
  /** A text that stands in the line, whatever the case of its letters. */
  readonly grep?: string | undefined;
  readonly source?: string | undefined;
  /** RFC 3339: not older than this. */
  readonly since?: string | undefined;
  /** Of a Space: this replica's log alone, or `previous` for the one that ended last. */
  readonly replica?: string | undefined;
  /** Go on with new lines until the log ends or `signal` is aborted; a stream that breaks is opened again where it was. */
  readonly follow?: boolean | undefined;
  /** It is known to be there: one that is followed is waited for also before its first answer. */
  readonly isThere?: boolean | undefined;
}

/** What of a pool may be changed. */
export type PoolChange = Partial<
  Pick<
    PoolView,
    | "queueLimitMs"
    | "queueMax"
    | "durationMaxMs"
    | "attachWithinMs"
    | "admission"
    | "spaceCallsMax"
    | "tokenMaxCalls"
    | "tokenMaxGpuMs"
    | "shareHalfLifeMs"
    | "oldestEvery"
  >
>;

/** What may be taken out of use. */
export type Drainable = { readonly pool: string } | Cards;

/** A card, or all of a node. */
export interface Cards {
  readonly node: string;
  readonly card?: number | undefined;
}

/** Whose calls a rule is for. */
export type Routable = { readonly space: string } | { readonly account: string };

/** What of a Space's budget may be changed. */
export type BudgetChange = Partial<Pick<BudgetView, "limitMs" | "whenOut">>;
/** What of a tier may be changed. */
export type TierChange = Partial<Omit<TierView, "name">>;
