/**
 * The rows of `journal.db`: one record each, or a pack of records that were sent together, under the last one's index, time and hash.
 *
 * The body of a pack is body 1 ‖ hash 1 ‖ body 2 ‖ hash 2 … body n: each record behind the hash of the one before, as the chain is taken (L26).
 */
import type { DatabaseSync } from "node:sqlite";
import { hashBytes } from "./packing.ts";

/** A record, as a reader needs it. */
export interface Row {
  readonly idx: number;
  readonly at: number;
  readonly hash: Uint8Array;
  readonly body: Uint8Array;
}

export interface StoredRow extends Row {
  /** For each record of a pack the length of its body (4 bytes) and its time (8), little-endian; null for a record by itself. */
  readonly parts: Uint8Array | null;
}

const partBytes = 12;

/** Null for one record. `lengths` in bytes, `ats` in milliseconds. */
export function partsOf(lengths: readonly number[], ats: readonly number[]): Uint8Array | null {
  if (lengths.length === 1) return null;
  const parts = Buffer.allocUnsafe(partBytes * lengths.length);
  for (let i = 0; i < lengths.length; i++) {
    parts.writeUInt32LE(lengths[i] as number, partBytes * i);
    parts.writeDoubleLE(ats[i] as number, partBytes * i + 4);
  }
  return parts;
}

/** The records of a row, in order. A row that does not hold what it says is given as one record, which fits no chain. */
export function recordsOf({ parts, ...row }: StoredRow): readonly Row[] {
  if (parts === null) return [row];
  const told = new DataView(parts.buffer, parts.byteOffset, parts.byteLength);
  const count = Math.floor(parts.length / partBytes);
  const rows: Row[] = [];
  let from = 0;
  for (let i = 0; i < count; i++) {
    const to = from + told.getUint32(partBytes * i, true);
    const isLast = i === count - 1;
    rows.push({
      idx: row.idx - count + 1 + i,
      at: told.getFloat64(partBytes * i + 4, true),
      hash: isLast ? row.hash : row.body.subarray(to, to + hashBytes),
      body: row.body.subarray(from, to),
    });
    from = isLast ? to : to + hashBytes;
  }
  return from === row.body.length && rows.at(-1)?.at === row.at ? rows : [row];
}

/** A row of these records, which follow one another; there is at least one. */
export function storedOf(rows: readonly Row[]): StoredRow {
  const last = rows.at(-1) as Row;
  const pieces = rows.flatMap(({ hash, body }, i) => (i === rows.length - 1 ? [body] : [body, hash]));
  const parts = partsOf(
    rows.map(({ body }) => body.length),
    rows.map(({ at }) => at),
  );
  return { ...last, body: Buffer.concat(pieces), parts };
}

/** What to select of a row: files of formats 1 and 2 have each record by itself. */
export function columnsOf(db: DatabaseSync): string {
  const packs = db.prepare("SELECT 1 FROM pragma_table_info('journal') WHERE name = 'parts'").get();
  return `idx, at, hash, body, ${packs === undefined ? "NULL AS parts" : "parts"}`;
}

/** Rows that are read at once: of packs less than a megabyte. */
export const rowsAtOnce = 100;

export interface Reading {
  readonly atOnce?: number;
  /** Calls `read`, for the record `index` and what follows; tells its failures in its own way. */
  readonly guard?: <T>(index: number, read: () => T) => T;
}

/** The records from `index` on. */
export function* rowsFrom(db: DatabaseSync, index: number, reading: Reading = {}): Generator<Row> {
  const { atOnce = rowsAtOnce, guard = (_, read) => read() } = reading;
  const next = guard(index, () =>
    db.prepare(`SELECT ${columnsOf(db)} FROM journal WHERE idx >= ? ORDER BY idx LIMIT ?`),
  );
  for (let from = index; ;) {
    const rows = guard(from, () => next.all(from, atOnce)) as unknown as readonly StoredRow[];
    for (const stored of rows) for (const row of recordsOf(stored)) if (row.idx >= from) yield row;
    const last = rows.at(-1);
    if (last === undefined) return;
    from = last.idx + 1;
  }
}

/** One record; undefined where it is not there. */
export function rowAt(db: DatabaseSync, index: number): Row | undefined {
  const [row] = rowsFrom(db, index, { atOnce: 1 }).take(1);
  return row?.idx === index ? row : undefined;
}
