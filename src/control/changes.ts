/**
 * Who shows the platform hears what to read again. Records of the ledger are heard from the engine once they are durable; the newest are
 * kept here, so that a hundred who listen do not read the journal a hundred times. Each listener has what it has not been told yet.
 */
import type { BuildRow } from "../catalog/builds.ts";
import type { LedgerRecord } from "../core/record.ts";

/** Records kept for listeners: a second of a busy pool. Who is further behind reads the journal. */
const recordsKept = 2_000;
/** Spaces and builds that one listener has not been told: more are told as "more than are listed". */
const untoldMax = 200;

/** What one listener has not been told yet. */
export class Untold {
  /** Null: more than are listed. */
  spaces: Set<string> | null = new Set();
  builds: Map<string, string> | null = new Map();
  #wake = Promise.withResolvers<void>();

  /** Resolves when there may be more. */
  get more(): Promise<void> {
    return this.#wake.promise;
  }

  wake(): void {
    this.#wake.resolve();
  }

  /** All of it; what comes from here on is another one's. */
  take(): Pick<Untold, "spaces" | "builds"> {
    const { spaces, builds } = this;
    this.spaces = new Set();
    this.builds = new Map();
    this.#wake = Promise.withResolvers();
    return { spaces, builds };
  }
}

export class Changes {
  readonly #listeners = new Set<Untold>();
  readonly #records: LedgerRecord[] = [];

  get listening(): number {
    return this.#listeners.size;
  }

  /** What it returns is told until it is let go. */
  listen(): Untold & Disposable {
    const untold = new Untold();
    this.#listeners.add(untold);
    return Object.assign(untold, { [Symbol.dispose]: () => void this.#listeners.delete(untold) });
  }

  recorded(record: LedgerRecord): void {
    this.#records.push(record);
    if (this.#records.length > 2 * recordsKept) this.#records.splice(0, this.#records.length - recordsKept);
    for (const one of this.#listeners) one.wake();
  }

  /** Kept records from `from` on, at most `limit`; undefined where earlier ones than are kept are asked for. */
  records(from: number, limit: number): readonly LedgerRecord[] | undefined {
    const first = this.#records[0]?.index;
    if (first === undefined || from < first) return undefined;
    return this.#records.slice(from - first, from - first + limit);
  }

  space(id: string): void {
    for (const one of this.#listeners) {
      one.spaces = one.spaces !== null && one.spaces.size < untoldMax ? one.spaces.add(id) : null;
      one.wake();
    }
  }

  build({ id, space }: Pick<BuildRow, "id" | "space">): void {
    for (const one of this.#listeners) {
      one.builds = one.builds !== null && one.builds.size < untoldMax ? one.builds.set(id, space) : null;
      one.wake();
    }
  }
}
