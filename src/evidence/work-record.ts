/** What `explain` is given: everything that the record holds of one work, and which indexes that record was read at. */
import type { Owner } from "./codes.ts";
import type { Certainty, Charge, WorkOutcome } from "./verdict.ts";
import type { Relation } from "./relations.ts";
import type { EmitterClock, Entry, EpochState, Gap, Watermark, WorkKind } from "./entry.ts";

/** A work that this one caused or was caused by, as short as it is shown beside it. */
export interface LinkedWork {
  readonly id: string;
  readonly kind: WorkKind;
  readonly outcome: WorkOutcome;
  /** `boundary/name`; null where it went well or is open. */
  readonly code: string | null;
  readonly sentence: string;
  /** What the one that is told is to it; absent where they only belong together. */
  readonly relation?: Relation;
  /** Where it has a code. */
  readonly certainty?: Certainty;
  readonly owner?: Owner | "unknown";
  /** When its record begins: only works of one emitter are put in order by it. */
  readonly at?: string;
}

export interface WorkRecord {
  readonly id: string;
  readonly kind: WorkKind;
  /** In any order: views of the journal, entries of emitters, packed records expanded. */
  readonly entries: readonly Entry[];
  /** Entries of other works on which a verdict may rest: what became of the replica that took it. */
  readonly neighbours?: readonly Entry[];
  readonly gaps: readonly Gap[];
  readonly watermarks: readonly Watermark[];
  readonly epochs: readonly EpochState[];
  /** Of those who told of it, as far as known. */
  readonly clocks?: readonly EmitterClock[];
  readonly links: readonly LinkedWork[];
  /** A call's receipt id and charge where there is one; amounts in GPU milliseconds. */
  readonly charge: Charge | null;
  /** The card of a call was simulated, and every sentence about it says so. */
  readonly simulated?: boolean;
  /** What the platform says of one that goes on: why it is where it is, since when, and what ends that. */
  readonly standing?: string;
  /** The catalog has the build as one that ended well: of one that started nothing, entries cannot tell that there was nothing to start. */
  readonly isBuilt?: boolean;
  /** Its log and its row were cut short: how it ended, in a sentence for a record that is gone too, and what was removed. */
  readonly trimmed?: { readonly outcome: WorkOutcome; readonly ended: string; readonly says: string };
  /** Retention dropped records of this day and before (`2026-11-20`): an absence then proves nothing. */
  readonly droppedThrough?: string | null;
  readonly read: { readonly journal: number; readonly evidence: number };
}
