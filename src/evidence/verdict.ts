/** The shape of what `waybill explain` says. `explain.ts` computes it from the record alone. */
import type { Payer } from "./payer.ts";
import type { Boundary, Owner, Retry } from "./codes.ts";
import type { EmitterClock, Entry, Gap, WorkKind } from "./entry.ts";
import type { ChainStep } from "./chain.ts";
import type { Relation } from "./relations.ts";
import type { InferenceRule } from "./rules/inferences.ts";

export type Certainty = "proved" | "likely" | "unknown";

export interface Inference {
  readonly rule: InferenceRule;
  readonly from: readonly string[];
  readonly says: string;
}

export interface Charge {
  readonly chargedMs: number;
  readonly heldMs: number;
  readonly releasedMs: number;
  readonly receipt: string | null;
  /** The account that pays, where it is not the call's own. */
  readonly paidBy?: string;
}

/** What an explanation can be of: a work, a Space, a node, a counter of refusals that are counted and not recorded, or what has a story and no verdict. */
export type SubjectKind = WorkKind | "counter" | ToldKind;

/** What is no work: it has a story, and the works that are told of it. */
export type ToldKind =
  | "allowance"
  | "access-request"
  | "backup"
  | "incident"
  | "release"
  | "commit"
  | "repository"
  | "discussion"
  | "slot"
  | "token"
  | "session";

export interface Verdict {
  /** `unknown` only where not even the symptom is recorded; otherwise an unknown verdict still names the boundary that was seen to fail. */
  readonly boundary: Boundary | "unknown";
  /** The name without its boundary: `queue-timeout`. */
  readonly code: string;
  readonly owner: Owner | "unknown";
  readonly certainty: Certainty;
  /** One sentence for the person who asks. */
  readonly sentence: string;
  readonly retry: Retry;
  readonly next: string;
  /** Ids of the entries that the verdict rests on. */
  readonly facts: readonly string[];
  readonly inferred: readonly Inference[];
  /** Boundary → the entries that exclude it. */
  readonly ruledOut: Readonly<Record<string, readonly string[]>>;
  /** Boundary → why those entries exclude it, in a few words. */
  readonly ruledOutBecause: Readonly<Record<string, string>>;
  readonly charge: Charge | null;
  /** Id in the catalogue of explained behaviour, when it applies. */
  readonly known: string | null;
}

export type WorkOutcome = "ok" | "refused" | "failed" | "open" | "unknown";

/** A work that this one caused or was caused by, with its own short verdict where it was looked up. */
export interface Link {
  readonly id: string;
  readonly kind: WorkKind;
  readonly outcome?: WorkOutcome;
  /** `boundary/name`, where it has one. */
  readonly code?: string | null;
  readonly sentence?: string;
  /** How sure its verdict is, and whose the fault; where it has a code. */
  readonly certainty?: Certainty;
  readonly owner?: Owner | "unknown";
  /** When its record begins. */
  readonly at?: string;
  /** What the one that is told is to it; absent where the record only says that they belong together. */
  readonly relation?: Relation;
  /** Nobody's record names it: why it is likely to belong to it. */
  readonly likely?: string;
}

/** The document of `waybill explain ID --json`. `verdict` is null for a work that went well or is still going on. */
export interface Explanation {
  readonly id: string;
  readonly kind: SubjectKind;
  readonly outcome: WorkOutcome;
  readonly sentence: string;
  readonly verdict: Verdict | null;
  /** Who is counted for it; absent where nothing says so, and for whom it does not concern. */
  readonly payer?: Payer;
  readonly entries: readonly Entry[];
  readonly gaps: readonly Gap[];
  /** Works that this one caused or was caused by. */
  readonly links: readonly Link[];
  /** From the visitor's request down to the push of the code that served it, with this work in its place. */
  readonly chain?: readonly ChainStep[];
  /** How far the clocks of those who told of it are from the server's: shown, and no verdict rests on it. */
  readonly clocks?: readonly EmitterClock[];
  /** Where more of it is shown: commands, as they are typed. */
  readonly look?: readonly string[];
  /** What was asked for, where that is another id of the same: an entry's, a receipt's. */
  readonly asked?: string;
  /** The two indexes that were read: the same indexes give the same verdict. */
  readonly read: { readonly journal: number; readonly evidence: number };
}

/** `GET /api/works/ID`, for whoever has the id, which is a secret: without `details` no entries, no gaps, and nobody's name. */
export interface WorkTold extends Explanation {
  /** It is told to the Space's owner or to the operator. */
  readonly details: boolean;
}
