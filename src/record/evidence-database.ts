/**
 * The evidence store's rows. Synchronous: it lives in a worker thread of its own, so that neither the journal nor the edge ever
 * waits for it. WAL with `synchronous=FULL`, many batches to a commit: an acknowledgement lets an emitter delete the only other
 * copy, so it must mean "on disk"; grouped, that is one sync for thousands of records.
 */
import { DatabaseSync } from "node:sqlite";
import type { StatementSync } from "node:sqlite";
import type { EvidenceBatch } from "../contract/agent.ts";
import { lastedMs } from "../evidence/entry.ts";
import type { Entry, Packed, Watermark } from "../evidence/entry.ts";
import { EmitterClocks } from "./emitter-clocks.ts";
import { evidenceMigrations, evidenceSchema, evidenceSchemaVersion } from "./evidence-schema.ts";
import { PackedRows, spaceOf } from "./packed-rows.ts";
import { parseRecord } from "./parse-record.ts";
import { RequestLogs } from "./request-logs.ts";
import { recordsIn } from "./lines.ts";
import type { SpoolText } from "./lines.ts";
import { isFailed, toldByEntry } from "./request-rows.ts";
import type { SpoolLine } from "./segments.ts";
import { addNumber } from "./spans.ts";
import type { Span } from "./spans.ts";
import { WorkCounts } from "./work-counts.ts";

/** What became of a batch. `seq` may be acknowledged to the emitter: everything up to it is stored, or was refused for good. */
export interface Ingested {
  readonly emitter: string;
  readonly epoch: number;
  readonly seq: number;
  readonly stored: number;
  /** Held already: a repeat. */
  readonly repeated: number;
  /** Malformed: their numbers stay missing. */
  readonly refused: number;
  /** The node whose emitter it is, where another sent it: nothing was stored. */
  readonly owner?: string;
}

/** A batch, and the node that sent it; undefined for the server's own emitters. */
export interface Sent {
  readonly batch: EvidenceBatch | SpoolText;
  /** When it came, milliseconds since 1970; without it nothing is learnt of its emitter's clock. */
  readonly heardAt?: number;
  readonly node?: string;
}

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

/** Emitters whose node is known without a look: more than the shims that are there at a time. */
const ownersKept = 10_000;

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
  #index: number;
  /** Of emitters that sent lately. */
  readonly #owners = new Map<string, string>();
  readonly #spans = new Map<string, readonly Span[]>();
  readonly #statements = new Map<string, StatementSync>();

  constructor(path: string) {
    this.db = new DatabaseSync(path);
    this.db.exec(
      `PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY; PRAGMA busy_timeout=2000;
       PRAGMA cache_size=-${cacheKiB}; PRAGMA wal_autocheckpoint=${checkpointPages}`,
    );
    // Whole or not at all: what was killed in between has no schema by which the next start would know it.
    this.db.exec(`BEGIN IMMEDIATE; ${this.#migration()} ${evidenceSchema} COMMIT;`);
    this.#index = this.#meta("index");
    this.requestLogs = new RequestLogs(this);
    this.clocks = new EmitterClocks(this);
    this.workCounts = new WorkCounts(this);
    this.packedRows = new PackedRows(this);
  }

  /** Records stored so far, dropped ones included: only ever rises. */
  index(): number {
    return this.#index;
  }

  /** Stores batches in one commit. Any order, any repeat: a number is stored once, and the first content stands. */
  ingest(sent: readonly Sent[]): readonly Ingested[] {
    const before = this.#index;
    try {
      return this.transaction(() => {
        const done = sent.map((one) => this.#ingestOne(one));
        this.prepare("UPDATE meta SET value = ? WHERE name = 'index'").run(this.#index);
        this.requestLogs.write();
        this.workCounts.write();
        return done;
      });
    } catch (error) {
      this.#index = before;
      this.#spans.clear();
      this.#owners.clear();
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
      index: this.#index,
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

  #ingestOne({ batch, node, heardAt }: Sent): Ingested {
    const { emitter, epoch } = batch;
    const records = "records" in batch ? batch.records : recordsIn(batch.lines);
    const owner = node === undefined ? undefined : this.#ownerOf(emitter, node);
    if (owner !== node)
      return { emitter, epoch, seq: 0, stored: 0, repeated: 0, refused: records.length, ...(owner && { owner }) };
    const key = `${emitter}/${epoch}`;
    const before = this.#spans.get(key) ?? this.spansOf(emitter, epoch);
    let spans = before;
    let refused = 0;
    let stored = 0;
    let closed = false;
    let newest = 0;
    let seq = 0;
    for (const raw of records) {
      seq = Math.max(seq, claimedSeq(raw.body));
      const record = parseRecord(batch, raw);
      if (!record) {
        refused += 1;
        continue;
      }
      closed ||= record.kind === "closing";
      const next = addNumber(spans, record.body.seq);
      if (next === spans) continue;
      spans = next;
      stored += 1;
      this.#index += 1;
      this.#put(record);
      newest = Math.max(newest, writtenAt(record));
    }
    if (heardAt !== undefined && newest > 0) this.clocks.came(emitter, newest, heardAt);
    this.#remember({ emitter, epoch, key, before, spans, closed });
    return { emitter, epoch, seq, stored, refused, repeated: records.length - stored - refused };
  }

  /** The first node that sends its records, for good. */
  #ownerOf(emitter: string, node: string): string {
    const known =
      this.#owners.get(emitter) ??
      this.prepare("SELECT node FROM emitter_nodes WHERE emitter = ?").get(emitter)?.["node"];
    if (known === undefined) this.prepare("INSERT INTO emitter_nodes VALUES (?, ?)").run(emitter, node);
    const owner = String(known ?? node);
    if (this.#owners.size >= ownersKept) this.#owners.clear();
    this.#owners.set(emitter, owner);
    return owner;
  }

  #put(record: SpoolLine): void {
    const { emitter, epoch, seq } = record.body;
    const at = Date.parse(record.body.at);
    switch (record.kind) {
      case "entry":
        return this.#putEntry(record.body, at);
      case "packed":
        return this.#putPacked(record.body, at);
      case "watermark": {
        const mark: Watermark = record.body;
        this.prepare("INSERT INTO watermarks VALUES (?, ?, ?, ?, ?, ?)").run(
          emitter,
          epoch,
          seq,
          mark.channel,
          at,
          JSON.stringify(mark),
        );
        return;
      }
      case "closing":
        return; // told by the epoch's row
    }
  }

  #putEntry(entry: Entry, at: number): void {
    this.prepare("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)").run(
      entry.emitter,
      entry.epoch,
      entry.seq,
      entry.work,
      at,
      JSON.stringify(entry),
    );
    this.#link(entry.work, entry.facts["link"]);
    this.workCounts.cameEntry(entry, at);
    const told = toldByEntry(entry);
    if (!told) return;
    const row = this.prepare(
      `INSERT INTO told_requests VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (work) DO UPDATE SET
         space = coalesce(excluded.space, space), at = min(excluded.at, at), ended = coalesce(excluded.ended, ended),
         method = coalesce(excluded.method, method), path = coalesce(excluded.path, path), status = coalesce(excluded.status, status),
         answered_by = coalesce(excluded.answered_by, answered_by), outcome = coalesce(excluded.outcome, outcome),
         code = coalesce(excluded.code, code), account = coalesce(excluded.account, account), n = coalesce(n, excluded.n),
         more = json_patch(more, excluded.more)
       RETURNING space, n`,
    ).get(
      entry.work,
      told.space,
      at - told.ms,
      told.ends ? at : null,
      told.method,
      told.path,
      told.status,
      told.answeredBy,
      told.outcome,
      told.code,
      told.account,
      told.ends ? this.#index : null,
      JSON.stringify(told.more),
    );
    const space = row?.["space"];
    if (row?.["n"] === this.#index && typeof space === "string") this.requestLogs.came(space, true);
  }

  #putPacked(packed: Packed, at: number): void {
    const { status } = packed.facts;
    const failed = packed.kind === "request" && isFailed(typeof status === "number" ? status : null, null);
    this.packedRows.put(packed, { n: this.#index, at, failed });
    this.requestLogs.came(spaceOf(packed), failed);
    this.workCounts.camePacked(packed, at);
    this.#link(packed.work, packed.facts["link"]);
  }

  #link(work: string, link: unknown): void {
    for (const other of Array.isArray(link) ? link : [link]) {
      if (typeof other === "string" && other !== work)
        this.prepare("INSERT OR IGNORE INTO links VALUES (?, ?)").run(work, other);
    }
  }

  #remember(heard: {
    emitter: string;
    epoch: number;
    key: string;
    before: readonly Span[];
    spans: readonly Span[];
    closed: boolean;
  }): void {
    const { emitter, epoch, key, before, spans, closed } = heard;
    const last = spans.at(-1)?.[1] ?? 0;
    if (spans !== before) {
      const held = new Set(before);
      const kept = new Set(spans);
      for (const span of before)
        if (!kept.has(span))
          this.prepare("DELETE FROM spans WHERE emitter = ? AND epoch = ? AND first = ?").run(emitter, epoch, span[0]);
      for (const span of spans)
        if (!held.has(span))
          this.prepare("INSERT OR REPLACE INTO spans VALUES (?, ?, ?, ?)").run(emitter, epoch, span[0], span[1]);
      this.#spans.set(key, spans);
    }
    this.prepare(
      `INSERT INTO epochs VALUES (?, ?, ?, ?) ON CONFLICT (emitter, epoch) DO UPDATE SET
         last_seq = max(last_seq, excluded.last_seq), closed = max(closed, excluded.closed)`,
    ).run(emitter, epoch, last, closed ? 1 : 0);
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

/** By its emitter's clock, and no later than it was: a packed record bears the time at which its work began. */
function writtenAt({ kind, body }: SpoolLine): number {
  return Date.parse(body.at) + (kind === "packed" ? lastedMs(body) : 0);
}

function claimedSeq(body: unknown): number {
  const seq: unknown = typeof body === "object" && body !== null ? (body as { seq?: unknown }).seq : undefined;
  return typeof seq === "number" && Number.isSafeInteger(seq) ? seq : 0;
}
