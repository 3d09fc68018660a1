/**
 * The evidence store's rows. Synchronous: it lives in a worker thread of its own, so that neither the journal nor the edge ever
 * waits for it. WAL with `synchronous=FULL`, many batches to a commit: an acknowledgement lets an emitter delete the only other
 * copy, so it must mean "on disk"; grouped, that is one sync for thousands of records.
 */
import { DatabaseSync } from "node:sqlite";
import type { StatementSync } from "node:sqlite";
import { EmitterClocks } from "./emitter-clocks.ts";
import { evidenceMigrations, evidenceSchema, evidenceSchemaVersion } from "./evidence-schema.ts";
import { Intake } from "./intake.ts";
import type { Ingested, Sent } from "./intake.ts";
import { PackedRows } from "./packed-rows.ts";
import { RequestLogs } from "./request-logs.ts";
import type { Span } from "./spans.ts";
import { WorkCounts } from "./work-counts.ts";

export interface CountedRow {
  readonly id: string;
  readonly code: string;
  readonly host: string;
  readonly block: string;
  /** Start of the minute, milliseconds since 1970. */
  readonly minute: number;
  readonly count: number;
  readonly samples: readonly string[];
}

export interface EvidenceTotals {
  readonly index: number;
  readonly entries: number;
  readonly packed: number;
  readonly epochs: number;
  readonly dropped: readonly {
    readonly day: string;
    readonly what: string;
    readonly space: string;
    readonly count: number;
  }[];
}

/** Pages that are being written: the indexes' ends and the part of the one by work that grows. */
const cacheKiB = 32 << 10;
/** Of 4 KiB, between the write-ahead log and the file: pages that many commits change are copied once for all of them. */
const checkpointPages = 4_000;

export class EvidenceDatabase {
  readonly db: DatabaseSync;
  readonly requestLogs: RequestLogs;
  readonly clocks: EmitterClocks;
  readonly workCounts: WorkCounts;
  readonly packedRows: PackedRows;
  readonly #intake: Intake;
  readonly #statements = new Map<string, StatementSync>();

  constructor(path: string) {
    this.db = new DatabaseSync(path);
    this.db.exec(
      `PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY; PRAGMA busy_timeout=2000;
       PRAGMA cache_size=-${cacheKiB}; PRAGMA wal_autocheckpoint=${checkpointPages}`,
    );
    // Whole or not at all: what was killed in between has no schema by which the next start would know it.
    this.db.exec(`BEGIN IMMEDIATE; ${this.#migration()} ${evidenceSchema} COMMIT;`);
    this.#intake = new Intake(this, this.#meta("index"));
    this.requestLogs = new RequestLogs(this);
    this.clocks = new EmitterClocks(this);
    this.workCounts = new WorkCounts(this);
    this.packedRows = new PackedRows(this);
  }

  /** Records stored so far, dropped ones included: only ever rises. */
  index(): number {
    return this.#intake.index;
  }

  /** Stores batches in one commit. Any order, any repeat: a number is stored once, and the first content stands. */
  ingest(sent: readonly Sent[]): readonly Ingested[] {
    const { index } = this.#intake;
    try {
      return this.transaction(() => {
        const done = sent.map((one) => this.#intake.take(one));
        this.prepare("UPDATE meta SET value = ? WHERE name = 'index'").run(this.#intake.index);
        this.requestLogs.write();
        this.workCounts.write();
        return done;
      });
    } catch (error) {
      this.#intake.back(index);
      throw error;
    }
  }

  count(rows: readonly CountedRow[]): void {
    const put = this.prepare(
      `INSERT INTO counted VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET count = excluded.count, samples = excluded.samples`,
    );
    this.transaction(() => {
      for (const row of rows) {
        this.workCounts.cameCounted(row);
        const { id, code, host, block, minute, count, samples } = row;
        put.run(id, code, host, block, minute, count, JSON.stringify(samples));
      }
      this.workCounts.write();
    });
  }

  totals(): EvidenceTotals {
    return {
      index: this.#intake.index,
      entries: this.#rows("entries"),
      packed: this.#rows("packed"),
      epochs: this.#rows("epochs"),
      dropped: this.prepare(
        "SELECT day, what, space, count FROM dropped ORDER BY day, what, space",
      ).all() as unknown as EvidenceTotals["dropped"],
    };
  }

  /** A prepared statement, kept for the next time. */
  prepare(sql: string): StatementSync {
    const found = this.#statements.get(sql);
    if (found) return found;
    const statement = this.db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  transaction<Done>(body: () => Done): Done {
    this.db.exec("BEGIN IMMEDIATE");
    try {
      const done = body();
      this.db.exec("COMMIT");
      return done;
    } catch (error) {
      if (this.db.isTransaction) this.db.exec("ROLLBACK");
      this.requestLogs.read();
      this.workCounts.drop();
      this.packedRows.forget();
      this.clocks.forget();
      throw error;
    }
  }

  /** The numbers held of an epoch. */
  spansOf(emitter: string, epoch: number): readonly Span[] {
    return this.prepare("SELECT first, last FROM spans WHERE emitter = ? AND epoch = ? ORDER BY first")
      .all(emitter, epoch)
      .map((row) => [Number(row["first"]), Number(row["last"])] as const);
  }

  close(): void {
    this.db.close();
  }

  #rows(table: "entries" | "packed" | "epochs"): number {
    return Number(this.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"]);
  }

  /** What brings the tables of an older version to this one's; nothing where they are that, or are not there. */
  #migration(): string {
    const isNew = this.db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").get() === undefined;
    const from = isNew ? evidenceSchemaVersion : this.#meta("schema");
    const steps: string[] = [];
    for (let version = from; version < evidenceSchemaVersion; version += 1)
      steps.push(evidenceMigrations[version] ?? "", `UPDATE meta SET value = ${version + 1} WHERE name = 'schema';`);
    return steps.join("\n");
  }

  #meta(name: string): number {
    return Number(this.prepare("SELECT value FROM meta WHERE name = ?").get(name)?.["value"]);
  }
}
