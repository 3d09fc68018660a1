/** The document of `npm run faults -- --json`: read by others, so fields are added and never renamed. */
export type Score = "right" | "unknown" | "wrong";

export interface CaseReport {
  readonly name: string;
  readonly injected: { readonly boundary: string; readonly code: string };
  readonly said: { readonly boundary: string; readonly code: string; readonly certainty: string };
  /** Where evidence was taken away, `right` is the true boundary or that it is unknown. */
  readonly score: Score;
  /** What was not as it should be; null where all was. */
  readonly why: string | null;
  readonly id: string | null;
  readonly sentence: string;
  readonly tookMs: number;
  /** How the record of a case that was caused is looked at once more; null of the run itself. */
  readonly way: string | null;
  /** Of one that was looked at once more: how many verdicts, and how many were as certain, less so, or unknown. */
  readonly looks: Looks | null;
}

export interface Looks {
  readonly same: number;
  readonly weaker: number;
  readonly unknown: number;
  readonly wrong: number;
}

export interface ControlReport {
  readonly name: string;
  readonly blamed: boolean;
  readonly why: string | null;
  readonly id: string | null;
}

/** What a plain table names of the same cases that knows what a visitor sees, and nothing else. */
export interface OutsideReport {
  readonly right: number;
  readonly of: number;
  readonly share: number;
  /** By boundary of the fault. */
  readonly byBoundary: Readonly<Record<string, { readonly right: number; readonly of: number }>>;
}

export interface FaultsDocument {
  readonly cases: readonly CaseReport[];
  readonly right: number;
  readonly unknown: number;
  readonly wrong: number;
  /** Only where no evidence was taken away. */
  readonly whole: { readonly right: number; readonly unknown: number; readonly wrong: number };
  /** Verdicts in all, of runs and looks. */
  readonly verdicts: number;
  readonly outside: OutsideReport;
  readonly controls: number;
  readonly controlsBlamed: number;
  readonly controlCases: readonly ControlReport[];
  /** Codes that no case causes, each with its reason. */
  readonly skipped: readonly { readonly what: string; readonly why: string }[];
  readonly tookMs: number;
}
