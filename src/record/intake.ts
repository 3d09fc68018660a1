/**
 * Batches as they are taken into the evidence store: each record is checked, its number held, its rows written and what it tells counted, in
 * the transaction of its batch. Any order, any repeat: a number is stored once, and the first content stands.
 */
import type { EvidenceBatch } from "../contract/agent.ts";
import { lastedMs } from "../evidence/entry.ts";
import type { Entry, Packed, Watermark } from "../evidence/entry.ts";
import type { EvidenceDatabase } from "./evidence-database.ts";
import { isText, linesIn, seqOfRow } from "./lines.ts";
import type { SpoolText } from "./lines.ts";
import { spaceOf } from "./packed-rows.ts";
import type { PackedBrief, PackedShape } from "./packed-rows.ts";
import { parseRecord, parseRow, parseShape } from "./parse-record.ts";
import { isFailed, toldByEntry } from "./request-rows.ts";
import { packedOf } from "./rows.ts";
import type { Row, Rows } from "./rows.ts";
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
  readonly batch: EvidenceBatch | SpoolText;
  /** When it came, milliseconds since 1970; without it nothing is learnt of its emitter's clock. */
  readonly heardAt?: number;
  readonly node?: string;
}

/** Emitters whose node is known without a look: more than the shims that are there at a time. */
const ownersKept = 10_000;

export class Intake {
  /** Records stored so far. */
  index: number;
  /** Of emitters that sent lately. */
  readonly #owners = new Map<string, string>();
  readonly #spans = new Map<string, readonly Span[]>();
  readonly #store: EvidenceDatabase;

  constructor(store: EvidenceDatabase, index: number) {
    this.#store = store;
    this.index = index;
  }

  /** Within a transaction, as all that follows. */
  take({ batch, node, heardAt }: Sent): Ingested {
    const { emitter, epoch } = batch;
    // A node's frame holds what it likes: records, or none.
    const records = isText(batch) ? [] : Array.isArray(batch.records) ? batch.records : [];
    const none = { emitter, epoch, seq: 0, stored: 0, repeated: 0, refused: records.length };
    if (typeof emitter !== "string" || !Number.isSafeInteger(epoch)) return none;
    const owner = node === undefined ? undefined : this.#ownerOf(emitter, node);
    if (owner !== node) return { ...none, ...(owner && { owner }) };
    const key = `${emitter}/${epoch}`;
    const before = this.#spans.get(key) ?? this.#store.spansOf(emitter, epoch);
    const came: Came = {
      emitter,
      epoch,
      spans: before,
      seq: 0,
      count: 0,
      stored: 0,
      refused: 0,
      newest: 0,
      closed: false,
    };
    for (const record of records) this.#takeRecord(record, came);
    for (const line of isText(batch) ? linesIn(batch.lines) : []) {
      if (line.kind === "rows") this.#takeRows(line, came);
      else this.#takeRecord(line, came);
    }
    const { spans, seq, count, stored, refused, newest, closed } = came;
    if (heardAt !== undefined && newest > 0) this.#store.clocks.came(emitter, newest, heardAt);
    this.#remember({ emitter, epoch, key, before, spans, closed });
    return { emitter, epoch, seq, stored, refused, repeated: count - stored - refused };
  }

  #takeRecord(raw: unknown, came: Came): void {
    came.count += 1;
    came.seq = Math.max(came.seq, claimedSeq(raw));
    const record = parseRecord(came, raw);
    if (!record) {
      came.refused += 1;
      return;
    }
    came.closed ||= record.kind === "closing";
    if (!this.#isFirst(record.body.seq, came)) return;
    this.#put(record);
    came.newest = Math.max(came.newest, writtenAt(record));
  }

  #takeRows({ emitter, epoch, rows, shapes }: Rows, came: Came): void {
    const isOwn = emitter === came.emitter && epoch === came.epoch;
    const known = shapes.map((raw) => {
      const shape = isOwn ? parseShape(raw) : undefined;
      return shape && this.#store.packedRows.shapeOf(shape);
    });
    came.count += rows.length;
    for (const raw of rows) {
      came.seq = Math.max(came.seq, seqOfRow(raw) ?? 0);
      const found = parseRow(known, raw);
      if (!found) {
        came.refused += 1;
        continue;
      }
      const seq = Number(found.row[1]);
      if (!this.#isFirst(seq, came)) continue;
      came.newest = Math.max(came.newest, this.#putRow(came, found.shape, found.row));
    }
  }

  /** Whether the number is not held yet; from now on it is. */
  #isFirst(seq: number, came: Came): boolean {
    const next = addNumber(came.spans, seq);
    if (next === came.spans) return false;
    came.spans = next;
    came.stored += 1;
    this.index += 1;
    return true;
  }

  /** The first node that sends its records, for good. */
  #ownerOf(emitter: string, node: string): string {
    const known =
      this.#owners.get(emitter) ??
      this.#store.prepare("SELECT node FROM emitter_nodes WHERE emitter = ?").get(emitter)?.["node"];
    if (known === undefined) this.#store.prepare("INSERT INTO emitter_nodes VALUES (?, ?)").run(emitter, node);
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
        this.#store
          .prepare("INSERT INTO watermarks VALUES (?, ?, ?, ?, ?, ?)")
          .run(emitter, epoch, seq, mark.channel, at, JSON.stringify(mark));
        return;
      }
      case "closing":
        return; // told by the epoch's row
    }
  }

  #putEntry(entry: Entry, at: number): void {
    this.#store
      .prepare("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)")
      .run(entry.emitter, entry.epoch, entry.seq, entry.work, at, JSON.stringify(entry));
    this.#link(entry.work, entry.facts["link"]);
    this.#store.workCounts.cameEntry(entry, at);
    const told = toldByEntry(entry);
    if (!told) return;
    const row = this.#store
      .prepare(
        `INSERT INTO told_requests VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (work) DO UPDATE SET
         space = coalesce(excluded.space, space), at = min(excluded.at, at), ended = coalesce(excluded.ended, ended),
         method = coalesce(excluded.method, method), path = coalesce(excluded.path, path), status = coalesce(excluded.status, status),
         answered_by = coalesce(excluded.answered_by, answered_by), outcome = coalesce(excluded.outcome, outcome),
         code = coalesce(excluded.code, code), account = coalesce(excluded.account, account), n = coalesce(n, excluded.n),
         more = json_patch(more, excluded.more)
       RETURNING space, n`,
      )
      .get(
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
        told.ends ? this.index : null,
        JSON.stringify(told.more),
      );
    const space = row?.["space"];
    if (row?.["n"] === this.index && typeof space === "string") this.#store.requestLogs.came(space, true);
  }

  #putPacked(packed: Packed, at: number): void {
    const failed = isFailedPacked(packed);
    this.#store.packedRows.put(packed, { n: this.index, at, failed });
    this.#learnPacked(packed, at, failed);
  }

  /** Gives when it was written, by its emitter's clock. */
  #putRow(of: Pick<Packed, "emitter" | "epoch">, shape: PackedShape, row: Row): number {
    const brief = this.#store.packedRows.brief(shape, row);
    const at = Number(row[3]);
    const failed = isFailedPacked(brief);
    const isPut = this.#store.packedRows.putRow(of, shape, row, { n: this.index, failed, space: spaceOf(brief) });
    if (!isPut) this.#store.packedRows.put(packedOf(of, shape, row), { n: this.index, at, failed });
    this.#learnPacked(brief, at, failed);
    return at + lastedMs(brief);
  }

  #learnPacked(packed: PackedBrief, at: number, failed: boolean): void {
    this.#store.requestLogs.came(spaceOf(packed), failed);
    this.#store.workCounts.camePacked(packed, at);
    this.#link(packed.work, packed.facts["link"]);
  }

  #link(work: string, link: unknown): void {
    for (const other of Array.isArray(link) ? link : [link]) {
      if (typeof other === "string" && other !== work)
        this.#store.prepare("INSERT OR IGNORE INTO links VALUES (?, ?)").run(work, other);
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
          this.#store
            .prepare("DELETE FROM spans WHERE emitter = ? AND epoch = ? AND first = ?")
            .run(emitter, epoch, span[0]);
      for (const span of spans)
        if (!held.has(span))
          this.#store.prepare("INSERT OR REPLACE INTO spans VALUES (?, ?, ?, ?)").run(emitter, epoch, span[0], span[1]);
      this.#spans.set(key, spans);
    }
    this.#store
      .prepare(
        `INSERT INTO epochs VALUES (?, ?, ?, ?) ON CONFLICT (emitter, epoch) DO UPDATE SET
         last_seq = max(last_seq, excluded.last_seq), closed = max(closed, excluded.closed)`,
      )
      .run(emitter, epoch, last, closed ? 1 : 0);
  }

  /** After a transaction that was rolled back, before which so many were stored. */
  back(index: number): void {
    this.index = index;
    this.#spans.clear();
    this.#owners.clear();
  }
}

/** What is known of a batch while it is taken in. */
interface Came extends Pick<Ingested, "emitter" | "epoch"> {
  spans: readonly Span[];
  /** The highest number that it claims. */
  seq: number;
  count: number;
  stored: number;
  refused: number;
  /** When its newest record was written. */
  newest: number;
  closed: boolean;
}

function isFailedPacked({ kind, facts: { status } }: PackedBrief): boolean {
  return kind === "request" && isFailed(typeof status === "number" ? status : null, null);
}

/** By its emitter's clock, and no later than it was: a packed record bears the time at which its work began. */
function writtenAt({ kind, body }: SpoolLine): number {
  return Date.parse(body.at) + (kind === "packed" ? lastedMs(body) : 0);
}

function claimedSeq(record: unknown): number {
  const body = (record as { readonly body?: { readonly seq?: unknown } | null } | null | undefined)?.body;
  const seq = body?.seq;
  return typeof seq === "number" && Number.isSafeInteger(seq) ? seq : 0;
}
