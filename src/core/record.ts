/** What the journal stores of one decision: its events, all or none (L13). */
import type { Instant } from "../stdx/time.ts";
import type { Event } from "./model.ts";

export interface LedgerRecord {
  /** 1, 2, 3… without a hole. (time, index) strictly increases; `at` never decreases (L14). */
  readonly index: number;
  readonly at: Instant;
  readonly events: readonly Event[];
}
