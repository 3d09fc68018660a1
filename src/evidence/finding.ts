/** What a rule found: a code with its certainty and everything that it rests on. `explain` turns it into a verdict. */
import { codeRow, splitCode } from "./codes.ts";
import type { Code, Owner, Retry } from "./codes.ts";
import type { Entry } from "./entry.ts";
import type { KnownId } from "./known.ts";
import { coded, epochOf, idsOf } from "./reading.ts";
import type { Reading } from "./reading.ts";
import type { Certainty, Charge, Inference, Verdict, WorkOutcome } from "./verdict.ts";

/** A boundary that the record excludes, by which entries, and why in a few words. */
export interface Excluded {
  readonly boundary: string;
  readonly because: string;
  readonly by: readonly Entry[];
}

export interface Finding {
  /** Null where not even the symptom is recorded. */
  readonly code: Code | null;
  readonly certainty: Certainty;
  readonly sentence: string;
  readonly facts: readonly Entry[];
  readonly inferred?: readonly Inference[];
  readonly excluded?: readonly Excluded[];
  /** Only where it differs from the code's row. */
  readonly owner?: Owner;
  readonly retry?: Retry;
  readonly next?: string;
  readonly known?: KnownId | undefined;
}

export function verdictOf(finding: Finding, charge: Charge | null): Verdict {
  const row = finding.code === null ? unknownRow : { ...codeRow(finding.code), says: undefined };
  const [boundary, code] = finding.code === null ? (["unknown", "unknown"] as const) : splitCode(finding.code);
  const excluded = (finding.excluded ?? []).filter(({ by, boundary: other }) => by.length > 0 && other !== boundary);
  return {
    boundary,
    code,
    owner: finding.owner ?? row.owner,
    certainty: finding.certainty,
    sentence: finding.sentence,
    retry: finding.retry ?? row.retry,
    next: finding.next ?? row.next,
    facts: idsOf(finding.facts),
    inferred: finding.inferred ?? [],
    ruledOut: Object.fromEntries(excluded.map(({ boundary: other, by }) => [other, idsOf(by)])),
    ruledOutBecause: Object.fromEntries(excluded.map(({ boundary: other, because }) => [other, because])),
    charge,
    known: finding.known ?? null,
  };
}

const unknownRow = {
  owner: "unknown",
  retry: "now",
  next: "Ask again when the missing evidence has come in; try the work again meanwhile.",
} as const;

/** Nothing can be said, and this is what is missing. */
export function unknown(code: Code | null, says: string, facts: readonly Entry[]): Finding {
  return { code, certainty: "unknown", sentence: says, facts };
}

/** The evidence has nothing of this work, or has it no longer. */
export function nothing({ record }: Reading): Finding {
  const dropped = record.droppedThrough
    ? ` Records of ${record.droppedThrough} and before may have been dropped by retention.`
    : "";
  return unknown(null, `Nothing is recorded under this id, evidence read to ${record.read.evidence}.${dropped}`, []);
}

/** Whoever wrote of it has ended meanwhile, and not a word of how the work did. Undefined where none of them has. `work`: as `connection`. */
export function unended(reading: Reading, work: string): Finding | undefined {
  const over = reading.entries.find((entry) => (epochOf(reading, entry)?.state ?? "open") !== "open");
  if (!over) return undefined;
  const says = `How the ${work} ended is not recorded: ${over.emitter} ended its epoch ${over.epoch} without saying so.`;
  return unknown(null, says, reading.entries);
}

/** How work ended of which this was found. */
export function endedAs({ entries }: Reading, { code }: Finding): WorkOutcome {
  if (code === null) return "unknown";
  return coded(entries).some(({ mark }) => mark === "refused") ? "refused" : "failed";
}

/** Two parts of the record exclude each other: that is our fault, and no boundary is blamed. */
export function contradiction(says: string, facts: readonly Entry[]): Finding {
  return {
    code: null,
    certainty: "unknown",
    sentence: `The record contradicts itself: ${says}`,
    facts,
    next: "Report this id to the operator: a part of the platform recorded something wrong.",
  };
}
