/**
 * The evidence store's rows. Synchronous: it lives in a worker thread of its own, so that neither the journal nor the edge ever
 * waits for it. WAL with `synchronous=FULL`, many batches to a commit: an acknowledgement lets an emitter delete the only other
 * copy, so it must mean "on disk"; grouped, that is one sync for thousands of records.
 */
import { DatabaseSync } from "node:sqlite";
import type { StatementSync } from "node:sqlite";
import type { EvidenceBatch } from "../contract/agent.ts";
import type { Entry, Packed, Watermark } from "../evidence/entry.ts";
import { evidenceSchema } from "./evidence-schema.ts";
import { parseRecord } from "./parse-record.ts";
import { toldByEntry } from "./request-rows.ts";
import type { SpoolLine } from "./segments.ts";
import { addNumber } from "./spans.ts";
import type { Span } from "./spans.ts";

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
  readonly batch: EvidenceBatch;
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

export interface Retention {
  readonly now: number;
  /** Packed records of works that went well are kept for so long, and at most so many. */
  readonly packedMaxAgeMs: number;
  readonly packedMaxRows: number;
  /** Entries, watermarks and counters. */
  readonly entriesMaxAgeMs: number;
}

/** One round of retention deletes at most so many rows of a table, so that nobody waits long for the writer. */
const retainBatch = 5_000;
/** Emitters whose node is known without a look: more than the shims that are there at a time. */
const ownersKept = 10_000;

export class EvidenceDatabase {
  readonly db: DatabaseSync;
  #index: number;
  /** Of emitters that sent lately. */
  readonly #owners = new Map<string, string>();
  readonly #spans = new Map<string, readonly Span[]>();
  readonly #statements = new Map<string, StatementSync>();

  constructor(path: string) {
    this.db = new DatabaseSync(path);
    this.db.exec(
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY; PRAGMA busy_timeout=2000",
    );
    // Whole or not at all: what was killed in between has no schema by which the next start would know it.
    this.db.exec(`BEGIN IMMEDIATE; ${evidenceSchema} COMMIT;`);
    this.#index = this.#meta("index");
  }

  /** Records stored so far, dropped ones included: only ever rises. */
  index(): number {
    return this.#index;
  }

  /** Stores batches in one commit. Any order, any repeat: a number is stored once, and the first content stands. */
  ingest(sent: readonly Sent[]): readonly Ingested[] {
    const before = this.#index;
    this.db.exec("BEGIN IMMEDIATE");
    try {
      const done = sent.map((one) => this.#ingestOne(one));
      this.prepare("UPDATE meta SET value = ? WHERE name = 'index'").run(this.#index);
      this.db.exec("COMMIT");
      return done;
    } catch (error) {
      this.#index = before;
      this.#spans.clear();
      this.#owners.clear();
      if (this.db.isTransaction) this.db.exec("ROLLBACK");
      throw error;
    }
  }

  count(rows: readonly CountedRow[]): void {
    const put = this.prepare(
      `INSERT INTO counted VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET count = excluded.count, samples = excluded.samples`,
    );
    this.transaction(() => {
      for (const { id, code, host, block, minute, count, samples } of rows)
        put.run(id, code, host, block, minute, count, JSON.stringify(samples));
    });
  }

  /** Drops what is over age or over count and adds it to the totals. Returns the number of rows dropped; 0 when nothing is left to do. */
  retain({ now, packedMaxAgeMs, packedMaxRows, entriesMaxAgeMs }: Retention): number {
    let dropped = 0;
    this.transaction(() => {
      dropped += this.#drop("packed", now - packedMaxAgeMs, now);
      const over = this.#rows("packed") - packedMaxRows;
      if (over > 0) dropped += this.#drop("packed", this.#timeOfOldest(Math.min(over, retainBatch)) + 1, now);
      dropped += this.#drop("entries", now - entriesMaxAgeMs, now);
      const old = now - entriesMaxAgeMs;
      dropped += Number(this.prepare("DELETE FROM watermarks WHERE at < ?").run(old).changes);
      dropped += Number(this.prepare("DELETE FROM counted WHERE minute < ?").run(old).changes);
      dropped += Number(this.prepare("DELETE FROM told_requests WHERE at < ?").run(old).changes);
    });
    return dropped;
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

  transaction(body: () => void): void {
    this.db.exec("BEGIN IMMEDIATE");
    try {
      body();
      this.db.exec("COMMIT");
    } catch (error) {
      if (this.db.isTransaction) this.db.exec("ROLLBACK");
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

  #ingestOne({ batch, node }: Sent): Ingested {
    const { emitter, epoch } = batch;
    const owner = node === undefined ? undefined : this.#ownerOf(emitter, node);
    if (owner !== node)
      return { emitter, epoch, seq: 0, stored: 0, repeated: 0, refused: batch.records.length, ...(owner && { owner }) };
    const key = `${emitter}/${epoch}`;
    const before = this.#spans.get(key) ?? this.spansOf(emitter, epoch);
    let spans = before;
    let refused = 0;
    let stored = 0;
    let closed = false;
    let seq = 0;
    for (const raw of batch.records) {
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
      this.#put(record);
    }
    this.#index += stored;
    this.#remember({ emitter, epoch, key, before, spans, closed });
    return { emitter, epoch, seq, stored, refused, repeated: batch.records.length - stored - refused };
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
    const told = toldByEntry(entry);
    if (!told) return;
    this.prepare(
      `INSERT INTO told_requests VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (work) DO UPDATE SET
         space = coalesce(excluded.space, space), at = min(excluded.at, at), ended = coalesce(excluded.ended, ended),
         method = coalesce(excluded.method, method), path = coalesce(excluded.path, path), status = coalesce(excluded.status, status),
         answered_by = coalesce(excluded.answered_by, answered_by), outcome = coalesce(excluded.outcome, outcome),
         code = coalesce(excluded.code, code), account = coalesce(excluded.account, account)`,
    ).run(
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
    );
  }

  #putPacked(packed: Packed, at: number): void {
    const space = packed.facts["space"];
    this.prepare("INSERT INTO packed VALUES (?, ?, ?, ?, ?, ?, ?, ?)").run(
      packed.emitter,
      packed.epoch,
      packed.seq,
      packed.work,
      packed.kind,
      typeof space === "string" ? space : null,
      at,
      JSON.stringify(packed),
    );
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

  #drop(table: "packed" | "entries", before: number, now: number): number {
    const space = table === "packed" ? "coalesce(space, '')" : "''";
    const old = `SELECT emitter, epoch, seq, at, ${space} AS space FROM ${table} WHERE at < ? ORDER BY at LIMIT ${retainBatch}`;
    this.prepare(
      `INSERT INTO dropped SELECT date(at / 1000, 'unixepoch'), '${table}', space, count(*), ? FROM (${old}) GROUP BY 1, 3
       ON CONFLICT (day, what, space) DO UPDATE SET count = count + excluded.count, through = excluded.through`,
    ).run(now, before);
    return Number(
      this.prepare(
        `DELETE FROM ${table} WHERE (emitter, epoch, seq) IN (SELECT emitter, epoch, seq FROM (${old}))`,
      ).run(before).changes,
    );
  }

  #timeOfOldest(count: number): number {
    return Number(this.prepare("SELECT at FROM packed ORDER BY at LIMIT 1 OFFSET ?").get(count - 1)?.["at"] ?? 0);
  }

  #rows(table: "entries" | "packed" | "epochs"): number {
    return Number(this.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"]);
  }

  #meta(name: string): number {
    return Number(this.prepare("SELECT value FROM meta WHERE name = ?").get(name)?.["value"]);
  }
}

function claimedSeq(body: unknown): number {
  const seq: unknown = typeof body === "object" && body !== null ? (body as { seq?: unknown }).seq : undefined;
  return typeof seq === "number" && Number.isSafeInteger(seq) ? seq : 0;
}
