/**
 * A journal in SQLite, at rest, copied into an empty PostgreSQL database: records with their hashes, snapshots, what a compaction left,
 * and the rows of other parts, in one transaction. Whatever cuts it off leaves the database empty, or with all of it.
 */
import type { LedgerRecord } from "../core/record.ts";
import { assert } from "../stdx/assert.ts";
import type { SqlRunner } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import { decodeRecord } from "./encoding.ts";
import { DatabaseFilled } from "./failures.ts";
import { inBytes, Packer } from "./packing.ts";
import { genesisHash } from "./port.ts";
import type { Head } from "./port.ts";
import { appendParams } from "./postgres.ts";
import { Connection } from "./postgres-connection.ts";
import type { Ask } from "./postgres-connection.ts";
import { lock } from "./postgres-open.ts";
import { changeOf, paramsOf } from "./postgres-rows.ts";
import * as sql from "./postgres-schema.ts";
import { encodeRolledUp } from "./rolled-up.ts";
import type { SqliteJournal } from "./sqlite.ts";

/** Some hundreds of kilobytes at once. */
const recordsAtOnce = 1_000;
/** For one statement, and for the commit of some gigabytes on a slow disk. */
const withinMs = 3_600_000;
/** Of the epoch before the first: whoever writes there next begins the first one. */
const noEpoch = 0;

export interface CopyTo {
  readonly url: string;
  /** Fills the tables of other parts, in the same transaction; the schema is there and is searched. */
  rows(to: SqlRunner): Promise<void>;
}

/**
 * True where it copied; false where the database holds this very journal already. Rejects with `DatabaseFilled` where it holds another one,
 * `DatabaseBusy` or `DatabaseUnfit`, or with what the database refused: then it is empty still.
 */
export async function copyToPostgres(journal: SqliteJournal, { url, rows }: CopyTo): Promise<boolean> {
  let lost: Error | undefined;
  await using connection = await Connection.open(url, (cause) => (lost = cause));
  await lock(connection, undefined);
  const found = await headIn(connection);
  if (found !== null) {
    if (found.index === journal.head.index && found.hash === journal.head.hash) return false;
    throw new DatabaseFilled(connection.place, found.index);
  }
  await connection.transaction(
    async (ask) => {
      await ask(sql.createTables);
      await copyRecords(journal, ask);
      await rows(runnerOf(ask));
      if (lost !== undefined) throw lost;
    },
    { withinMs },
  );
  return true;
}

async function headIn(connection: Connection): Promise<Pick<Head, "index" | "hash"> | null> {
  const [known] = await connection.query<{ head: string | null; tables: number }>(
    "SELECT to_regclass('waybill.journal_head')::text AS head, (SELECT count(*) FROM information_schema.tables WHERE table_schema = 'waybill') AS tables",
  );
  if (known?.head === null) {
    if (Number(known.tables) > 0) throw new DatabaseFilled(connection.place, 0);
    return null;
  }
  const [head] = await connection.query<{ idx: number; hash: Buffer }>("SELECT idx, hash FROM waybill.journal_head");
  if (head === undefined) throw new DatabaseFilled(connection.place, 0);
  return { index: head.idx, hash: head.hash.toString("hex") };
}

async function copyRecords(journal: SqliteJournal, ask: Ask): Promise<void> {
  const rolledUp = await journal.rolledUp();
  let head: Head = { index: 0, at: 0 as Instant, hash: genesisHash };
  if (rolledUp !== null) {
    const { index, at, hash } = rolledUp;
    head = { index, at, hash };
    await ask(sql.createMeta);
    await ask(sql.setRolledUp, [encodeRolledUp(rolledUp)]);
    await ask(sql.setCompacted);
    await ask(sql.beginAfter, [index, at, Buffer.from(hash, "hex")]);
  }
  while (head.index < journal.head.index) head = await copyNext(journal, head, ask);
  assert(head.hash === journal.head.hash, "L26: what was copied is the chain that was read");
  const snapshots = await journal.sql.all("SELECT idx, state_hash, digest, body FROM snapshots ORDER BY idx");
  for (const { idx, state_hash: stateHash, digest, body } of snapshots)
    await ask(sql.insertSnapshot, [Number(idx), String(stateHash), String(digest), String(body)]);
}

async function copyNext(journal: SqliteJournal, head: Head, ask: Ask): Promise<Head> {
  const rows = await journal.rows(head.index + 1, recordsAtOnce);
  const works = await journal.worksOf(head.index + 1, head.index + rows.length);
  const packer = new Packer(head.index + 1);
  for (const { idx, at, body } of rows) {
    const text = Buffer.from(body).toString("utf8");
    const record: LedgerRecord = decodeRecord(text, { index: idx, file: "journal.db" });
    packer.add(text, at, works.get(record.index) ?? []);
  }
  const { params, head: reached } = appendParams(inBytes(packer.seal()), head);
  const { rowCount } = await ask(sql.append, [noEpoch, ...params]);
  assert(rowCount === 1, "a new journal's head is where its copy is");
  return reached;
}

/** One transaction's statements as rows of other parts; what is refused ends it. */
function runnerOf(ask: Ask): SqlRunner {
  return {
    dialect: "postgres",
    all: async (text, params = []) => (await ask(text, paramsOf(params))).rows,
    run: async (text, params = []) => changeOf(await ask(text, paramsOf(params))),
    transaction: async (statements) => {
      const changes = [];
      for (const { sql: text, params = [] } of statements) changes.push(changeOf(await ask(text, paramsOf(params))));
      return changes;
    },
  };
}
