/** What is no work and has no verdict: what it is, and which works are told of it. Pure. */
import type { Explanation, Link, ToldKind, WorkOutcome } from "./verdict.ts";
import type { WorkRecord } from "./work-record.ts";
import { sentence } from "./words.ts";

export interface Told {
  readonly id: string;
  readonly kind: ToldKind;
  /** `open` where it goes on, `ok` where all is told. */
  readonly outcome: WorkOutcome;
  /** Each as a sentence. */
  readonly says: readonly string[];
  readonly links: readonly Link[];
  readonly look: readonly string[];
  readonly read: WorkRecord["read"];
}

export function explainTold({ says, ...told }: Told): Explanation {
  return { ...told, sentence: says.map(sentence).join(" "), verdict: null, entries: [], gaps: [] };
}
