/** Becoming the one writer of a database, and what must hold of it before it is written to (L26, L29). */
import { setTimeout } from "node:timers/promises";
import { assert } from "../stdx/assert.ts";
import type { Instant } from "../stdx/time.ts";
import { checkChain } from "./check.ts";
import { snapshotDigest } from "./database.ts";
import type { Row } from "./rows.ts";
import { DatabaseBusy, JournalDamaged, JournalFormatUnknown } from "./failures.ts";
import type { Mark } from "./mark.ts";
import { genesisHash } from "./port.ts";
import type { Head, RolledUp, Snapshot } from "./port.ts";
import type { Connection } from "./postgres-connection.ts";
import * as sql from "./postgres-schema.ts";
import { decodeRolledUp } from "./rolled-up.ts";

/** How often a standby tries the lock: what it adds to a take-over. */
const tryLockEveryMs = 200;

/** Rows that are checked in one step: a few hundred kilobytes. */
const checkAtOnce = 2000;

export interface Epoch {
  readonly epoch: number;
  readonly head: Head;
}

/** Holds the lock for as long as the session lasts. Rejects with `DatabaseBusy`, or waits until `standBy` is aborted. */
export async function lock(connection: Connection, standBy: AbortSignal | undefined): Promise<void> {
  for (;;) {
    const [row] = await connection.query<{ locked: boolean }>(
      "SELECT pg_try_advisory_lock($1, $2) AS locked",
      sql.lockKey,
    );
    if (row?.locked === true) return;
    if (standBy === undefined) throw new DatabaseBusy(connection.place);
    await setTimeout(tryLockEveryMs, undefined, { signal: standBy });
  }
}

export async function unlock(connection: Connection): Promise<void> {
  await connection.query("SELECT pg_advisory_unlock($1, $2)", sql.lockKey);
}

/**
 * Begins the next epoch; makes the tables first where there are none. From here on nobody else's append succeeds. Rejects
 * with `JournalFormatUnknown` or `JournalDamaged`.
 */
export async function beginEpoch(connection: Connection): Promise<Epoch> {
  const [known] = await connection.query<{ head: string | null; records: string | null }>(
    "SELECT to_regclass('waybill.journal_head')::text AS head, to_regclass('waybill.journal')::text AS records",
  );
  assert(known, "one row");
  if (known.head === null && known.records === null) await connection.script(sql.createTables);
  const missing = (found: string): JournalDamaged => new JournalDamaged({ file: connection.place, index: null, found });
  if (known.head === null && known.records !== null) throw missing("the table waybill.journal_head is missing");
  const row = await connection.transaction(async (ask) => {
    // What the writer before is changing in other rows is whole before it is over, and what comes later finds another epoch.
    await ask("SELECT pg_advisory_xact_lock($1, $2)", sql.rowsLockKey);
    const { rows } = await ask(sql.beginEpoch);
    return rows[0] as { epoch: number; idx: number; at: Instant; hash: Buffer } | undefined;
  });
  if (row !== undefined) {
    return { epoch: row.epoch, head: { index: row.idx, at: row.at, hash: row.hash.toString("hex") } };
  }
  const [other] = await connection.query<{ format: string }>("SELECT format FROM waybill.journal_head");
  if (other !== undefined) throw new JournalFormatUnknown(connection.place, other.format);
  throw missing("the row of the last acknowledged record is missing");
}

/** Follows the chain from the latest whole snapshot to the head; gives those that were passed over. Rejects with `JournalDamaged`. */
export async function checkFromSnapshot(connection: Connection, head: Head): Promise<readonly number[]> {
  const { start, passedOver } = await snapshotStart(connection);
  await checkUpTo(connection, start, head);
  const [beyond] = await readRows(connection, head.index + 1, 1);
  if (beyond === undefined) return passedOver;
  throw new JournalDamaged({
    file: connection.place,
    index: beyond.idx,
    found: "it is there, and was never acknowledged",
  });
}

/** Recomputes the chain after `start` up to `head`, which was acknowledged. Rejects with `JournalDamaged`. */
export async function checkUpTo(connection: Connection, start: Mark, head: Mark): Promise<void> {
  const damaged = (index: number, found: string): JournalDamaged =>
    new JournalDamaged({ file: connection.place, index, found });
  let last = start;
  while (last.index < head.index) {
    const rows = await readRows(connection, last.index + 1, Math.min(checkAtOnce, head.index - last.index));
    if (rows.length === 0)
      throw damaged(last.index + 1, `it is missing; records up to ${head.index} were acknowledged`);
    const { last: reached, bad } = checkChain(rows, last);
    if (bad !== null) throw damaged(bad.index, bad.found);
    last = reached;
  }
  if (last.index === head.index && last.hash !== head.hash)
    throw damaged(last.index, "its hash is not the one that was acknowledged");
  if (last.index > head.index)
    throw damaged(last.index, `a snapshot was taken after it, and the last record is ${head.index}`);
}

export async function readRows(connection: Connection, from: number, limit: number): Promise<readonly Row[]> {
  return connection.query<Row>(sql.read, [from, limit], "read");
}

/** The latest snapshot of a record before `before`, or null. */
export async function readSnapshot(
  connection: Connection,
  before = Number.MAX_SAFE_INTEGER,
): Promise<StoredSnapshot | null> {
  return snapshotOf(await connection.query<SnapshotRow>(sql.latestSnapshot, [before]));
}

/** The same of that record's. */
export async function readSnapshotAt(connection: Connection, index: number): Promise<StoredSnapshot | null> {
  return snapshotOf(await connection.query<SnapshotRow>(sql.snapshotAt, [index]));
}

interface StoredSnapshot {
  readonly snapshot: Snapshot;
  /** Its digest is still the one that was kept with it. */
  readonly isWhole: boolean;
}

interface SnapshotRow {
  readonly idx: number;
  readonly state_hash: string;
  readonly digest: string;
  readonly body: string;
}

function snapshotOf([row]: readonly SnapshotRow[]): StoredSnapshot | null {
  if (row === undefined) return null;
  const snapshot = { index: row.idx, stateHash: row.state_hash, body: row.body };
  return { snapshot, isWhole: snapshotDigest(snapshot) === row.digest };
}

/** Null where no records were removed. Rejects with `JournalDamaged`. */
export async function readRolledUp(connection: Connection): Promise<RolledUp | null> {
  const [meta] = await connection.query<{ has: boolean }>(sql.hasMeta);
  if (meta?.has !== true) return null;
  const [row] = await connection.query<{ value: string }>(sql.rolledUp);
  return row === undefined ? null : decodeRolledUp(row.value, connection.place);
}

/** As beside SQLite: the latest snapshot that is whole, or the beginning. */
async function snapshotStart(connection: Connection): Promise<{ start: Mark; passedOver: number[] }> {
  const rolledUp = await readRolledUp(connection);
  const passedOver: number[] = [];
  for (let stored = await readSnapshot(connection); stored !== null;) {
    const { index } = stored.snapshot;
    if (stored.isWhole) return { start: await chainAt(connection, index, rolledUp), passedOver };
    passedOver.push(index);
    stored = await readSnapshot(connection, index);
  }
  if (rolledUp === null) return { start: { index: 0, hash: genesisHash }, passedOver };
  const found = "the state after it is missing or was changed, and the records before it were removed";
  throw new JournalDamaged({ file: connection.place, index: rolledUp.index, found });
}

async function chainAt(connection: Connection, index: number, rolledUp: RolledUp | null): Promise<Mark> {
  if (index === 0) return { index: 0, hash: genesisHash };
  if (index === rolledUp?.index) return rolledUp;
  const [row] = await readRows(connection, index, 1);
  if (row?.idx === index) return { index: row.idx, hash: Buffer.from(row.hash).toString("hex") };
  const found = "it is missing, though a snapshot was taken after it";
  throw new JournalDamaged({ file: connection.place, index, found });
}
