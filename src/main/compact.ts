/**
 * `waybill journal compact`: the records before an instant go, and what they came to stays. Nothing is removed before a replay of
 * what will be left has given the same state, balances and counts; then one commit does it all.
 */
import { hash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Catalog } from "../catalog/catalog.ts";
import { exit } from "../cli/exit.ts";
import { CliFailure } from "../cli/failures.ts";
import { requireReach } from "../cli/folder.ts";
import type { Compacted, CompactOptions } from "../cli/world.ts";
import { growTree } from "../control/receipt-log.ts";
import type { LedgerRecord } from "../core/record.ts";
import { decodeState, encodeState } from "../core/state.ts";
import { Replay } from "../core/totals.ts";
import type { Beginning } from "../core/totals.ts";
import { JournalDamaged } from "../journal/index.ts";
import type { Compactable, RolledUp } from "../journal/index.ts";
import { assert } from "../stdx/assert.ts";
import type { SqlRunner } from "../stdx/sql.ts";
import { instant, iso } from "../stdx/time.ts";
import type { Clock } from "../stdx/time.ts";
import { openJournal } from "./open-journal.ts";

type Journal = Compactable & { readonly sql: SqlRunner };

/** Records that are read at once. */
const readAtOnce = 2_000;

/**
 * Throws a `CliFailure` where there is no journal, or where its records and its ledger differ; `DataFolderBusy` or `DatabaseBusy`
 * while a platform runs on it; `JournalDamaged`.
 */
export async function compact({ data, journal: url, keepMs }: CompactOptions, clock: Clock): Promise<Compacted> {
  requireReach(data);
  if (url === null && !existsSync(join(data, "journal.db"))) throw noJournal(data);
  let failed: Error | undefined;
  const onFatal = (failure: Error): void => void (failed ??= failure);
  await using journal = await openJournal({ data, journal: url }, { onFatal, standBy: undefined });
  await journal.verify();
  const before = clock.wall() - keepMs;
  const catalog = await caughtUp(journal, clock);
  const start = await beginningOf(journal, data);
  const all = await replayed(journal, start(), journal.head.index);
  const last = await lastBefore(journal, before);
  const { passedOver } = journal;
  const report = { folder: data, before: iso(instant(before)), totals: all.totals(), passedOver };
  if (last === null) return { ...report, removed: 0, rolledUp: placeOf(await journal.rolledUp()), notFreed: null };
  const first = await replayed(journal, start(), last.index);
  const body = encodeState(first.state);
  const counts = first.counts();
  const rest = await replayed(journal, { state: decodeState(body), counts }, journal.head.index, last.index);
  requireSame(all, rest);
  const removed = last.index - ((await journal.rolledUp())?.index ?? 0);
  const snapshot = { index: last.index, stateHash: hash("sha256", body, "hex"), body };
  const notFreed = await journal.compact({ snapshot, counts, also: catalog.calls.forgotten(last) });
  await journal.verify();
  if (failed !== undefined) throw failed;
  return { ...report, removed, rolledUp: placeOf(await journal.rolledUp()), notFreed };
}

/** All receipts are made before any record goes, and are leaves of their log. */
export async function caughtUp(journal: Journal, clock: Clock): Promise<Catalog> {
  const catalog = await Catalog.open(journal.sql, clock);
  const { calls } = catalog;
  while (calls.cursor < journal.head.index) await calls.project(await journal.read(calls.cursor + 1, readAtOnce));
  await growTree(catalog.receipts);
  return catalog;
}

/** Makes where the log begins, each time anew: a replay changes the state. */
export async function beginningOf(journal: Journal, data: string): Promise<() => Beginning | undefined> {
  const rolledUp = await journal.rolledUp();
  if (rolledUp === null) return () => undefined;
  const snapshot = await journal.snapshotAt(rolledUp.index);
  assert(snapshot, "the state after removed records is kept");
  // The only one that no record proves.
  if (hash("sha256", snapshot.body, "hex") !== snapshot.stateHash) throw changedBeginning(data, snapshot.index);
  return () => ({ state: decodeState(snapshot.body), counts: rolledUp.counts });
}

export async function replayed(
  journal: Journal,
  beginning: Beginning | undefined,
  until: number,
  from = beginning?.state.index ?? 0,
): Promise<Replay> {
  const replay = new Replay(beginning);
  for (let index = from; index < until; index = replay.state.index)
    for (const record of await journal.read(index + 1, Math.min(readAtOnce, until - index))) replay.take(record);
  return replay;
}

/**
 * The last record that goes: time never decreases, and the last one of all stays, with those of its millisecond: so a call has
 * ended in a record that goes exactly where it ended by that record's time. Null where none goes.
 */
async function lastBefore(journal: Journal, age: number): Promise<LedgerRecord | null> {
  const [head] = await journal.read(journal.head.index, 1);
  const before = Math.min(age, head?.at ?? 0);
  const first = ((await journal.rolledUp())?.index ?? 0) + 1;
  let [low, high] = [first, journal.head.index];
  while (low < high) {
    const middle = (low + high) >> 1;
    const [record] = await journal.read(middle, 1);
    assert(record, "a record between the first and the last is there");
    if (record.at < before) low = middle + 1;
    else high = middle;
  }
  const [last] = low > first ? await journal.read(low - 1, 1) : [];
  return last ?? null;
}

/** The balances are the ledger's, and what will be left sums up to what there was (L1, L38). */
function requireSame(all: Replay, rest: Replay): void {
  const differences = [...all.differences(), ...rest.differences()];
  const isSame = sumsOf(all) === sumsOf(rest);
  if (isSame && differences.length === 0) return;
  throw new CliFailure(exit.failed, {
    code: "totals-differ",
    says: `What would be left does not sum up to what there is${differences[0] ? ` (first: ${differences[0].account})` : ""}.`,
    next: "Nothing was removed. `waybill journal verify` says which balances are not their records'.",
  });
}

/** Totals, counts, and the whole state. */
export function sumsOf(replay: Replay): string {
  return JSON.stringify([replay.totals(), replay.counts(), encodeState(replay.state)]);
}

function placeOf(rolledUp: RolledUp | null): Compacted["rolledUp"] {
  return rolledUp && { index: rolledUp.index, at: iso(rolledUp.at), hash: rolledUp.hash };
}

function changedBeginning(file: string, index: number): JournalDamaged {
  return new JournalDamaged({ file, index, found: "the state after it, with which the records begin, was changed" });
}

function noJournal(folder: string): CliFailure {
  return new CliFailure(exit.notFound, {
    code: "no-journal",
    says: `There is no journal in ${folder}.`,
    next: "Name the platform's data folder with --data, or its database with --journal.",
  });
}
