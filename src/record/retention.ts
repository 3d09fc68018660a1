/**
 * What goes out of the evidence store, by age and by count. Nothing goes without a number: of requests counts by minute and route stay,
 * and what those counts lose, like all other records, is in the totals of `dropped`.
 */
import type { EvidenceDatabase } from "./evidence-database.ts";
import { addToCounts, forgetCounts } from "./request-counts.ts";
import type { Counted } from "./request-counts.ts";
import { countedOfPacked, viewOfRow } from "./request-rows.ts";
import { Tally } from "./tally.ts";

export interface Retention {
  readonly now: number;
  /** Packed records of works that went well are kept for so long, and at most so many; the Space that has most of them loses the first. */
  readonly packedMaxAgeMs: number;
  readonly packedMaxRows: number;
  /** Entries, failed requests, watermarks, counters, and what is counted of requests. */
  readonly entriesMaxAgeMs: number;
  /** Of one Space: failed requests one by one, and rows of counts. */
  readonly failedMaxRows: number;
  readonly countsMaxRows: number;
}

/** One round deletes at most so many rows of a table, so that nobody waits long for the writer. */
export const retainBatch = 5_000;

/** One round. Returns the number of rows dropped; 0 when nothing is left to do. */
export function retain(store: EvidenceDatabase, keep: Retention): number {
  let dropped = 0;
  const { now } = keep;
  const old = now - keep.entriesMaxAgeMs;
  store.transaction(() => {
    dropped += dropPacked(store, now, "failed = 0 AND at < ?", [now - keep.packedMaxAgeMs]);
    dropped += dropPacked(store, now, "failed = 1 AND at < ?", [old]);
    dropped += dropTold(store, now, "at < ?", [old]);
    dropped += overRows(store, keep);
    dropped += dropEntries(store, now, old);
    store.clocks.drop(old);
    dropped += Number(store.prepare("DELETE FROM watermarks WHERE at < ?").run(old).changes);
    dropped += Number(store.prepare("DELETE FROM counted WHERE minute < ?").run(old).changes);
    dropped += forgetCounts(store, { now, before: old, maxRows: keep.countsMaxRows, batch: retainBatch });
    dropped += store.workCounts.fold(now);
    store.requestLogs.write();
  });
  return dropped;
}

function overRows(store: EvidenceDatabase, { now, packedMaxRows, failedMaxRows }: Retention): number {
  let dropped = 0;
  const logs = [...store.requestLogs.all];
  for (const { space, failed } of logs.filter((log) => log.failed > failedMaxRows)) {
    const over = Math.min(failed - failedMaxRows, retainBatch);
    const told = dropTold(store, now, "space = ? AND n IS NOT NULL", [space], over);
    dropped += told;
    const number = store.packedRows.spaceNumber(space);
    if (told < over) dropped += dropPacked(store, now, "space = ? AND failed = 1", [number], over - told);
  }
  const over = logs.reduce((sum, { records }) => sum + records, 0) - packedMaxRows;
  if (over <= 0) return dropped;
  const rows = cuts(logs, Math.min(over, retainBatch)).flatMap(({ space, count }) =>
    oldestPacked(store, "space = ? AND failed = 0", [store.packedRows.spaceNumber(space)], count),
  );
  return dropped + removePacked(store, now, rows);
}

/**
 * What each Space loses, at least `count` together and fewer than a Space's one more each: the largest come down to one level. They do so at
 * once, because what came in at the same time lies on the same pages: one Space after the other would have each page written for each.
 */
export function cuts(
  sizes: readonly { readonly space: string; readonly records: number }[],
  count: number,
): readonly { readonly space: string; readonly count: number }[] {
  const all = [...sizes].sort((a, b) => b.records - a.records);
  let sum = 0;
  for (const [at, { records }] of all.entries()) {
    sum += records;
    const level = Math.max(0, Math.floor((sum - count) / (at + 1)));
    if (level < (all[at + 1]?.records ?? 0)) continue;
    const cut = all.slice(0, at + 1).map((one) => ({ space: one.space, count: one.records - level }));
    return cut.filter((one) => one.count > 0);
  }
  return [];
}

/** The oldest of those that `which` names, with `values` in its places: the store keeps one statement for each text. */
function dropPacked(
  store: EvidenceDatabase,
  now: number,
  which: string,
  values: readonly (string | number)[],
  count: number = retainBatch,
): number {
  return removePacked(store, now, oldestPacked(store, which, values, count));
}

type Row = Readonly<Record<string, unknown>>;

function oldestPacked(
  store: EvidenceDatabase,
  which: string,
  values: readonly (string | number)[],
  count: number,
): readonly Row[] {
  return store
    .prepare(`SELECT n, shape, space, at, request, failed, body FROM packed WHERE ${which} ORDER BY at LIMIT ?`)
    .all(...values, count);
}

function removePacked(store: EvidenceDatabase, now: number, rows: readonly Row[]): number {
  const gone: number[] = [];
  const requests: Counted[] = [];
  const tally = new Tally();
  for (const row of rows) {
    const failed = Number(row["failed"]);
    const space = store.packedRows.nameOf(Number(row["space"]));
    const [n, at] = [Number(row["n"]), Number(row["at"])];
    gone.push(n);
    tally.add("packed", at, space);
    store.requestLogs.went(space, { records: 1 - failed, failed, n: Math.max(0, n) });
    if (row["request"] === 1 && space !== "")
      requests.push({ space, at, view: countedOfPacked(store.packedRows.countedIn(row)) });
  }
  store.prepare("DELETE FROM packed WHERE n IN (SELECT value FROM json_each(?))").run(JSON.stringify(gone));
  addToCounts(store, requests);
  tally.write(store, now);
  return rows.length;
}

/** The oldest, each with its entries. */
function dropTold(
  store: EvidenceDatabase,
  now: number,
  which: string,
  values: readonly (string | number)[],
  count: number = retainBatch,
): number {
  const rows = store.prepare(`SELECT * FROM told_requests WHERE ${which} ORDER BY at LIMIT ?`).all(...values, count);
  const remove = store.prepare("DELETE FROM told_requests WHERE work = ?");
  const entries = store.prepare("DELETE FROM entries WHERE work = ?");
  const requests: Counted[] = [];
  const tally = new Tally();
  for (const row of rows) {
    const work = String(row["work"]);
    remove.run(work);
    tally.add("entries", Number(row["at"]), "", Number(entries.run(work).changes));
    const { space } = row;
    if (typeof space !== "string") continue;
    const view = viewOfRow(row);
    if (row["n"] !== null) store.requestLogs.went(space, { records: 0, failed: 1, n: view.n });
    requests.push({ space, at: Date.parse(view.at), view });
  }
  addToCounts(store, requests);
  tally.write(store, now);
  return rows.length;
}

function dropEntries(store: EvidenceDatabase, now: number, before: number): number {
  const rows = store
    .prepare(`SELECT emitter, epoch, seq, at FROM entries WHERE at < ? ORDER BY at LIMIT ${retainBatch}`)
    .all(before);
  const remove = store.prepare("DELETE FROM entries WHERE emitter = ? AND epoch = ? AND seq = ?");
  const tally = new Tally();
  for (const row of rows) {
    remove.run(String(row["emitter"]), Number(row["epoch"]), Number(row["seq"]));
    tally.add("entries", Number(row["at"]), "");
  }
  tally.write(store, now);
  return rows.length;
}
