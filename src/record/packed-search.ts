/**
 * The packed record with a number: rows are found by their work and by their time, and hold no index of their numbers, which would cost each
 * request what nearly nobody asks. An emitter's records come in in the order of their epochs and numbers, but for a few that come late, so it is
 * found by halving the rows in the order in which they came.
 */
import type { EvidenceDatabase } from "./evidence-database.ts";

export interface PackedNumber {
  readonly emitter: string;
  readonly epoch: number;
  readonly seq: number;
}

/** Rows in which one of the emitter is looked for at each step: of those that write one in some thousand, none may be found. */
const stepMax = 20_000;
/** Rows around the place where it should be, which one that came late is among. */
const aroundMax = 2_000;

/** Null where it is not found. */
export function packedWorkOf(store: EvidenceDatabase, asked: PackedNumber): string | null {
  const { emitter } = asked;
  const ends = store.prepare("SELECT min(n) AS low, max(n) AS high FROM packed").get();
  if (typeof ends?.["low"] !== "number" || emitter.includes("/")) return null;
  let [low, high] = [Number(ends["low"]), Number(ends["high"])];
  while (low <= high) {
    const middle = Math.floor((low + high) / 2);
    const row = firstFrom(store, emitter, middle, high);
    if (row === undefined) {
      // More rows than are looked at: on which side of them the emitter's are is not known.
      if (isCut(store, middle, high)) return null;
      high = middle - 1;
      continue;
    }
    const order = row.epoch - asked.epoch || row.seq - asked.seq;
    if (order === 0) return row.work;
    if (order < 0) low = row.n + 1;
    else high = middle - 1;
  }
  return nearby(store, asked, low);
}

function firstFrom(store: EvidenceDatabase, emitter: string, from: number, to: number) {
  const row = store
    .prepare(
      `SELECT n, seq, work, text FROM (SELECT n, source, seq, work FROM packed WHERE n >= ?2 AND n <= ?3 ORDER BY n LIMIT ${stepMax})
         JOIN names ON names.id = source WHERE text > ?1 || '/' AND text < ?1 || '0' ORDER BY n LIMIT 1`,
    )
    .get(emitter, from, to);
  if (row === undefined) return undefined;
  const epoch = Number(String(row["text"]).slice(emitter.length + 1));
  return { n: Number(row["n"]), epoch, seq: Number(row["seq"]), work: String(row["work"]) };
}

function isCut(store: EvidenceDatabase, from: number, to: number): boolean {
  const row = store.prepare(`SELECT n FROM packed WHERE n >= ? ORDER BY n LIMIT 1 OFFSET ${stepMax}`).get(from);
  return row !== undefined && Number(row["n"]) <= to;
}

function nearby(store: EvidenceDatabase, { emitter, epoch, seq }: PackedNumber, n: number): string | null {
  const row = store
    .prepare(
      `SELECT work FROM packed WHERE n >= ?3 - ${aroundMax} AND n <= ?3 + ${aroundMax}
         AND source = (SELECT id FROM names WHERE text = ?1) AND seq = ?2`,
    )
    .get(`${emitter}/${epoch}`, seq, n);
  return row ? String(row["work"]) : null;
}
