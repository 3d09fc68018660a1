/** What the status asks of the evidence store's thread: counts of works, and incidents. */
import type { EvidenceDatabase } from "./evidence-database.ts";
import type { CallCounts, CountsFound } from "./work-counts.ts";

export type StatusAsk =
  | { readonly what: "counts"; readonly from: readonly number[] }
  | { readonly what: "samples"; readonly codes: readonly string[]; readonly since: number }
  | { readonly what: "count-calls"; readonly counts: CallCounts }
  | { readonly what: "calls-through" }
  | { readonly what: "begin-calls"; readonly through: number }
  | { readonly what: "states" }
  | { readonly what: "put-states"; readonly states: readonly BoundaryState[] };

/** In which state a boundary is, and since when. */
export interface BoundaryState {
  readonly boundary: string;
  readonly state: string;
  readonly since: number;
}

export interface WorkSample {
  readonly code: string;
  readonly work: string;
  readonly at: number;
}

/** {@link StatusAsk}s, each with its answer's type. `ask`: as the store's thread is asked. */
export class StatusRecord {
  readonly #ask: (ask: StatusAsk) => Promise<unknown>;

  constructor(ask: (ask: StatusAsk) => Promise<unknown>) {
    this.#ask = ask;
  }

  /** Works that ended since each of these instants, and how long things waited. */
  async counts(from: readonly number[]): Promise<CountsFound> {
    return (await this.#ask({ what: "counts", from })) as CountsFound;
  }

  /** The newest works that ended with these codes. */
  async samples(codes: readonly string[], since: number): Promise<readonly WorkSample[]> {
    return (await this.#ask({ what: "samples", codes, since })) as readonly WorkSample[];
  }

  /** Counts the ledger's calls; up to which record they are counted then. Records that are counted already change nothing. */
  async countCalls(counts: CallCounts): Promise<number> {
    return (await this.#ask({ what: "count-calls", counts })) as number;
  }

  /** Up to which of the ledger's records calls are counted; null: none was ever. */
  async callsThrough(): Promise<number | null> {
    return (await this.#ask({ what: "calls-through" })) as number | null;
  }

  /** Calls are counted after this record. */
  async beginCalls(through: number): Promise<void> {
    await this.#ask({ what: "begin-calls", through });
  }

  async states(): Promise<readonly BoundaryState[]> {
    return (await this.#ask({ what: "states" })) as readonly BoundaryState[];
  }

  async putStates(states: readonly BoundaryState[]): Promise<void> {
    await this.#ask({ what: "put-states", states });
  }
}

export function answerStatus(store: EvidenceDatabase, ask: StatusAsk): unknown {
  switch (ask.what) {
    case "counts":
      return store.workCounts.find(ask.from);
    case "samples":
      return store.workCounts.samples(ask.codes, ask.since);
    case "count-calls": {
      let through = 0;
      store.transaction(() => {
        through = store.workCounts.cameCalls(ask.counts);
        store.workCounts.write();
      });
      return through;
    }
    case "calls-through":
      return store.workCounts.callsThrough();
    case "begin-calls":
      return store.workCounts.beginCalls(ask.through);
    case "states":
      return store.prepare("SELECT boundary, state, since FROM boundary_states ORDER BY boundary").all();
    case "put-states":
      return store.transaction(() => {
        const put = store.prepare("INSERT OR REPLACE INTO boundary_states VALUES (?, ?, ?)");
        for (const { boundary, state, since } of ask.states) put.run(boundary, state, since);
      });
  }
}
