/** How many records each Space has ("" for what belongs to none): kept beside the rows, so that nobody has to count them. */
import type { EvidenceDatabase } from "./evidence-database.ts";

export interface RequestLogSize {
  readonly space: string;
  /** Packed records of what went well. */
  records: number;
  /** Requests that failed, or are told by entries. */
  failed: number;
  /** Up to this number some are gone from the log. */
  goneN: number;
}

export class RequestLogs {
  readonly #store: EvidenceDatabase;
  #sizes = new Map<string, RequestLogSize>();
  readonly #changed = new Set<string>();

  constructor(store: EvidenceDatabase) {
    this.#store = store;
    this.read();
  }

  get all(): Iterable<RequestLogSize> {
    return this.#sizes.values();
  }

  of(space: string): RequestLogSize {
    return this.#sizes.get(space) ?? { space, records: 0, failed: 0, goneN: 0 };
  }

  came(space: string, failed: boolean): void {
    const size = this.#touch(space);
    if (failed) size.failed += 1;
    else size.records += 1;
  }

  went(space: string, gone: { readonly records: number; readonly failed: number; readonly n: number }): void {
    const size = this.#touch(space);
    size.records -= gone.records;
    size.failed -= gone.failed;
    size.goneN = Math.max(size.goneN, gone.n);
  }

  /** Within the transaction that changed the rows. */
  write(): void {
    const put = this.#store.prepare("INSERT OR REPLACE INTO request_logs VALUES (?, ?, ?, ?)");
    for (const space of this.#changed) {
      const { records, failed, goneN } = this.of(space);
      put.run(space, records, failed, goneN);
    }
    this.#changed.clear();
  }

  /** From the rows, at the start and after a transaction that was rolled back. */
  read(): void {
    const rows = this.#store.prepare("SELECT * FROM request_logs").all();
    this.#changed.clear();
    this.#sizes = new Map(
      rows.map((row) => [
        String(row["space"]),
        {
          space: String(row["space"]),
          records: Number(row["records"]),
          failed: Number(row["failed"]),
          goneN: Number(row["gone_n"]),
        },
      ]),
    );
  }

  #touch(space: string): RequestLogSize {
    const size = this.of(space);
    this.#sizes.set(space, size);
    this.#changed.add(space);
    return size;
  }
}
