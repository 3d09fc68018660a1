/** What the status asks of the evidence store's thread: counts of works, and incidents. */
import type { Incident } from "../evidence/incidents.ts";
import type { EvidenceDatabase } from "./evidence-database.ts";
import type { CallCounts, CountsFound } from "./work-counts.ts";

export type StatusAsk =
  | { readonly what: "counts"; readonly from: readonly number[] }
  | { readonly what: "samples"; readonly codes: readonly string[]; readonly since: number }
  | { readonly what: "count-calls"; readonly counts: CallCounts }
  | { readonly what: "calls-through" }
  | { readonly what: "begin-calls"; readonly through: number }
  | { readonly what: "open-incidents" }
  | { readonly what: "muted-subjects" }
  | { readonly what: "put-incidents"; readonly incidents: readonly Incident[] }
  | { readonly what: "incidents"; readonly before: IncidentPlace | null; readonly limit: number }
  | { readonly what: "incident"; readonly id: string }
  | { readonly what: "states" }
  | { readonly what: "put-states"; readonly states: readonly BoundaryState[] };

/** The place of one in the list: the newest first. */
export interface IncidentPlace {
  readonly since: number;
  readonly id: string;
}

/** Incidents that are over and kept, the newest. */
export const incidentsKept = 10_000;

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

  async openIncidents(): Promise<readonly Incident[]> {
    return (await this.#ask({ what: "open-incidents" })) as readonly Incident[];
  }

  /** Subjects whose newest incident an operator closed. */
  async mutedSubjects(): Promise<readonly string[]> {
    return (await this.#ask({ what: "muted-subjects" })) as readonly string[];
  }

  /** On the disk when it resolves. */
  async putIncidents(incidents: readonly Incident[]): Promise<void> {
    await this.#ask({ what: "put-incidents", incidents });
  }

  async incidents(before: IncidentPlace | null, limit: number): Promise<readonly Incident[]> {
    return (await this.#ask({ what: "incidents", before, limit })) as readonly Incident[];
  }

  async incident(id: string): Promise<Incident | null> {
    return (await this.#ask({ what: "incident", id })) as Incident | null;
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
    case "count-calls":
      return store.transaction(() => {
        const through = store.workCounts.cameCalls(ask.counts);
        store.workCounts.write();
        return through;
      });
    case "calls-through":
      return store.workCounts.callsThrough();
    case "begin-calls":
      return store.workCounts.beginCalls(ask.through);
    case "open-incidents":
      return bodies(store.prepare("SELECT body FROM incidents WHERE until IS NULL ORDER BY since").all());
    case "muted-subjects":
      return store
        .prepare(
          `SELECT subject FROM incidents AS one WHERE body ->> '$.closedBy' NOT NULL AND body ->> '$.closedBy' <> 'detection'
             AND NOT EXISTS (SELECT 1 FROM incidents AS newer WHERE newer.subject = one.subject AND newer.since > one.since)`,
        )
        .all()
        .map((row) => String(row["subject"]));
    case "put-incidents":
      return store.transaction(() => putIncidents(store, ask.incidents));
    case "incidents": {
      const { since, id } = ask.before ?? { since: Number.MAX_SAFE_INTEGER, id: "" };
      return bodies(
        store
          .prepare("SELECT body FROM incidents WHERE (since, id) < (?, ?) ORDER BY since DESC, id DESC LIMIT ?")
          .all(since, id, ask.limit),
      );
    }
    case "incident":
      return bodies(store.prepare("SELECT body FROM incidents WHERE id = ?").all(ask.id))[0] ?? null;
    case "states":
      return store.prepare("SELECT boundary, state, since FROM boundary_states ORDER BY boundary").all();
    case "put-states":
      return store.transaction(() => {
        const put = store.prepare("INSERT OR REPLACE INTO boundary_states VALUES (?, ?, ?)");
        for (const { boundary, state, since } of ask.states) put.run(boundary, state, since);
      });
  }
}

function putIncidents(store: EvidenceDatabase, incidents: readonly Incident[]): void {
  const put = store.prepare("INSERT OR REPLACE INTO incidents VALUES (?, ?, ?, ?, ?)");
  for (const incident of incidents) {
    const { id, subject, since, until } = incident;
    put.run(id, subject, since, until, JSON.stringify(incident));
  }
  store
    .prepare(
      `DELETE FROM incidents WHERE id IN
         (SELECT id FROM incidents WHERE until IS NOT NULL ORDER BY since DESC LIMIT -1 OFFSET ${incidentsKept})`,
    )
    .run();
}

function bodies(rows: readonly Record<string, unknown>[]): readonly Incident[] {
  return rows.map((row) => JSON.parse(String(row["body"])) as Incident);
}
