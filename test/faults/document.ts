/** The document of `npm run faults -- --json`: read by others, so fields are added and never renamed. */
export type Score = "right" | "unknown" | "wrong";

export interface CaseReport {
  readonly name: string;
  readonly injected: { readonly boundary: string; readonly code: string };
  readonly said: { readonly boundary: string; readonly code: string; readonly certainty: string };
  readonly score: Score;
  /** What was not as it should be; null where all was. */
  readonly why: string | null;
  readonly id: string | null;
  readonly sentence: string;
  readonly tookMs: number;
}

export interface ControlReport {
  readonly name: string;
  readonly blamed: boolean;
  readonly why: string | null;
  readonly id: string | null;
}

export interface FaultsDocument {
  readonly cases: readonly CaseReport[];
  readonly right: number;
  readonly unknown: number;
  readonly wrong: number;
  readonly controls: number;
  readonly controlsBlamed: number;
  readonly controlCases: readonly ControlReport[];
  /** Codes that no case causes, each with its reason. */
  readonly skipped: readonly { readonly what: string; readonly why: string }[];
  readonly tookMs: number;
}
