/** The journal's file: its tables, and the statements that the writing thread runs on them. All of it blocks. */
import { hash } from "node:crypto";
import { closeSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { StatementSync } from "node:sqlite";
import type { Instant } from "../stdx/time.ts";
import { logPagesMax } from "./checkpointing.ts";
import { JournalFormatUnknown } from "./failures.ts";
import { fileFormats, isFileFormat, olderFileFormats } from "./formats.ts";
import { syncFolder } from "./mark.ts";
import { hashBytes } from "./packing.ts";
import type { Pack } from "./packing.ts";
import { genesisHash, snapshotsKept, workRecordsMax } from "./port.ts";
import type { Compaction, Head, RolledUp, Snapshot } from "./port.ts";
import { decodeRolledUp, encodeRolledUp, rolledUpKey } from "./rolled-up.ts";
import { partsOf, recordsOf, rowAt, rowsAtOnce, rowsFrom, storedOf } from "./rows.ts";
import type { Row, StoredRow } from "./rows.ts";

export const databaseName = "journal.db";
export const markName = "journal.mark";
export const lockName = "journal.lock";

/**
 * Records of one segment have their works side by side, put there in order once the segment is over; until then they are beside it as they
 * came. So the index costs a commit one row, and a segment a few pages, however large the journal is. A look-up asks each segment: 1 ms for a
 * million records.
 */
export const segmentRecords = 2048;

/**
 * While records come slowly, parts of a segment are put there before it is over: a whole one takes some 4 ms, in which no record is committed.
 * Each part writes most of the segment's pages again, which a busy journal is spared: it is the faster one's commits that are large.
 */
const partRecords = 256;
const partEveryMs = 50;

/** Works that the index does not have yet: for the last record of a pack a JSON array of [work, index of its record]. */
const recentWorks = "CREATE TABLE recent_works (idx INTEGER PRIMARY KEY, works TEXT NOT NULL) STRICT;";

const schema = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE journal (idx INTEGER PRIMARY KEY, at INTEGER NOT NULL, hash BLOB NOT NULL, body BLOB NOT NULL,
    parts BLOB) STRICT;
  CREATE TABLE works (segment INTEGER NOT NULL, work TEXT NOT NULL, idx INTEGER NOT NULL,
    PRIMARY KEY (segment, work, idx)) STRICT, WITHOUT ROWID;
  ${recentWorks}
  CREATE TABLE snapshots (idx INTEGER PRIMARY KEY, state_hash TEXT NOT NULL, digest TEXT NOT NULL, body TEXT NOT NULL) STRICT;
  INSERT INTO meta VALUES ('format', '${fileFormats.whole}');
`;

/** Makes a journal without records. It gets its name when it is whole, so that a crash leaves none or a good one. */
export function createDatabase(file: string): void {
  const unnamed = `${file}.new`;
  for (const suffix of ["", "-journal", "-wal", "-shm"]) rmSync(unnamed + suffix, { force: true });
  // It will hold keys and hashes of tokens; SQLite gives the files beside it the same rights.
  closeSync(openSync(unnamed, "w", 0o600));
  const db = new DatabaseSync(unnamed);
  try {
    db.exec(`PRAGMA synchronous = FULL; PRAGMA journal_mode = WAL; BEGIN; ${schema} COMMIT;`);
  } finally {
    db.close();
  }
  renameSync(unnamed, file);
  syncFolder(dirname(file));
}

/** Throws `JournalFormatUnknown` unless the file is of our format. */
export function checkFormat(db: DatabaseSync, file: string): void {
  const row = db.prepare("SELECT value FROM meta WHERE key = 'format'").get();
  if (!isFileFormat(row?.["value"])) throw new JournalFormatUnknown(file, row?.["value"] ?? null);
}

/** Makes a file of an older format one of ours, in one commit. */
function upgrade(db: DatabaseSync): void {
  const format = db.prepare("SELECT value FROM meta WHERE key = 'format'").get()?.["value"];
  const { whole, compacted } = olderFileFormats;
  if (format !== whole && format !== compacted) return;
  const next = format === whole ? fileFormats.whole : fileFormats.compacted;
  db.exec(
    `BEGIN; ALTER TABLE journal ADD COLUMN parts BLOB; ${recentWorks} UPDATE meta SET value = '${next}' WHERE key = 'format'; COMMIT;`,
  );
}

/** Null where no records were removed. Throws `JournalDamaged`. */
export function readRolledUp(db: DatabaseSync, file: string): RolledUp | null {
  const row = db.prepare("SELECT value FROM meta WHERE key = ?").get(rolledUpKey);
  return row === undefined ? null : decodeRolledUp(row["value"] as string, file);
}

/** The digest under which a snapshot's body is kept: a flipped bit in it must not become somebody's balance. */
export function snapshotDigest(snapshot: Snapshot): string {
  return hash("sha256", `${snapshot.index} ${snapshot.stateHash} ${snapshot.body}`, "hex");
}

/** sha256(previous ‖ body), in one buffer that has its first 32 bytes free for `previous`. */
export function chainHash(framed: Uint8Array, previous: Uint8Array): Buffer {
  framed.set(previous, 0);
  // Node takes half as long to give it as a string, a byte a character.
  return Buffer.from(hash("sha256", framed, "latin1"), "latin1");
}

/** The segment in which the index has a record's works. */
export function segmentOf(index: number): number {
  return Math.floor(index / segmentRecords);
}

/** A work, and the index of its record. */
type RecentWork = readonly [work: string, index: number];

const indexRecent = `
  INSERT OR IGNORE INTO works (segment, work, idx)
    SELECT (entry.value ->> 1) / ${segmentRecords}, entry.value ->> 0, entry.value ->> 1
    FROM recent_works, json_each(recent_works.works) AS entry ORDER BY 1, 2, 3
`;

/** The connection that writes. Holds the head, which moves with `append` and counts only after `commit`. */
export class JournalDatabase {
  readonly db: DatabaseSync;
  readonly #file: string;
  #rolledUp: RolledUp | null;
  #head: { index: number; at: Instant; hash: Buffer };
  /** What `recent_works` holds, as it came. */
  #recent: (readonly RecentWork[])[] = [];
  #indexedAt = 0;
  #indexedTo = 0;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #rollback: StatementSync;
  readonly #insert: StatementSync;
  readonly #insertRecent: StatementSync;
  readonly #indexRecent: StatementSync;
  readonly #dropRecent: StatementSync;
  readonly #work: StatementSync;

  /** This process alone has the folder's lock; {@link checkFormat} and the checks of the chain come before. */
  constructor(file: string) {
    this.db = new DatabaseSync(file);
    this.db.exec(
      `PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = ${logPagesMax}; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;`,
    );
    upgrade(this.db);
    this.#begin = this.db.prepare("BEGIN IMMEDIATE");
    this.#commit = this.db.prepare("COMMIT");
    this.#rollback = this.db.prepare("ROLLBACK");
    this.#insert = this.db.prepare("INSERT INTO journal (idx, at, hash, body, parts) VALUES (?, ?, ?, ?, ?)");
    this.#insertRecent = this.db.prepare("INSERT INTO recent_works (idx, works) VALUES (?, ?)");
    this.#indexRecent = this.db.prepare(indexRecent);
    this.#dropRecent = this.db.prepare("DELETE FROM recent_works");
    this.#work = this.db.prepare("SELECT idx FROM works WHERE segment = ? AND work = ? ORDER BY idx");
    this.#head = this.#readHead();
    this.#file = file;
    this.#rolledUp = readRolledUp(this.db, file);
    this.begin();
    this.#indexWorks(); // of a process that was killed
    this.commit();
  }

  get head(): Head {
    return { index: this.#head.index, at: this.#head.at, hash: this.#head.hash.toString("hex") };
  }

  begin(): void {
    this.#begin.run();
  }

  commit(): void {
    this.#commit.run();
  }

  rollback(): void {
    this.#rollback.run();
  }

  /** Inserts a pack, as one row, within the open transaction. Its free bytes are filled with the hashes. */
  append(pack: Pack): void {
    const segment = segmentOf(this.#head.index);
    let offset = 0;
    let previous = this.#head.hash;
    for (let i = 0; i < pack.lengths.length; i++) {
      const framed = pack.bytes.subarray(offset, offset + hashBytes + (pack.lengths[i] as number));
      offset += framed.length;
      previous = chainHash(framed, previous);
    }
    const last = pack.lengths.length - 1;
    this.#head = { index: pack.first + last, at: pack.ats[last] as Instant, hash: previous };
    const body = pack.bytes.subarray(hashBytes);
    this.#insert.run(this.#head.index, this.#head.at, previous, body, partsOf(pack.lengths, pack.ats));
    this.#keepWorks(pack);
    if (segmentOf(this.#head.index) > segment || this.#isPart()) this.#indexWorks();
  }

  #isPart(): boolean {
    return this.#head.index - this.#indexedTo >= partRecords && performance.now() - this.#indexedAt >= partEveryMs;
  }

  #keepWorks({ works, workIndexes }: Pack): void {
    if (works.length === 0) return;
    const entries = works.map((work, i): RecentWork => [work, workIndexes[i] as number]);
    this.#recent.push(entries);
    this.#insertRecent.run(this.#head.index, JSON.stringify(entries));
  }

  /** Moves the works that are beside the index into it, within the open transaction. */
  #indexWorks(): void {
    this.#indexRecent.run();
    this.#dropRecent.run();
    this.#recent = [];
    this.#indexedTo = this.#head.index;
    this.#indexedAt = performance.now();
  }

  /** Removes records that nobody was promised: those from `index` on. */
  cut(index: number): void {
    this.begin();
    this.#indexWorks();
    const stay = this.#rowOf(index).filter(({ idx }) => idx < index);
    this.db.prepare("DELETE FROM journal WHERE idx >= ?").run(index);
    this.#put(stay);
    this.db.prepare("DELETE FROM works WHERE idx >= ?").run(index);
    this.commit();
    this.#head = this.#readHead();
  }

  read(from: number, limit: number): Row[] {
    return [...rowsFrom(this.db, from, { atOnce: Math.min(limit, rowsAtOnce) }).take(limit)];
  }

  readWork(work: string): Row[] {
    const recent = this.#recent.flatMap((entries) => entries.flatMap(([of, index]) => (of === work ? [index] : [])));
    const found = [...new Set(recent)];
    const first = segmentOf(this.#rolledUp?.index ?? 0);
    for (let segment = segmentOf(this.#head.index); segment >= first; segment--) {
      const here = this.#work.all(segment, work).map((row) => row["idx"] as number);
      found.unshift(...here);
      if (found.length >= workRecordsMax) break;
    }
    return found.slice(0, workRecordsMax).map((index) => rowAt(this.db, index) as Row);
  }

  latestSnapshot(before = Number.MAX_SAFE_INTEGER): Snapshot | null {
    const latest = "SELECT idx, state_hash, body FROM snapshots WHERE idx < ? ORDER BY idx DESC LIMIT 1";
    return snapshotOf(this.db.prepare(latest).get(before));
  }

  snapshotAt(index: number): Snapshot | null {
    return snapshotOf(this.db.prepare("SELECT idx, state_hash, body FROM snapshots WHERE idx = ?").get(index));
  }

  saveSnapshot(snapshot: Snapshot): void {
    this.begin();
    this.#insertSnapshot(snapshot);
    this.db
      .prepare(
        "DELETE FROM snapshots WHERE idx <> ? AND idx NOT IN (SELECT idx FROM snapshots ORDER BY idx DESC LIMIT ?)",
      )
      .run(this.#rolledUp?.index ?? 0, snapshotsKept);
    this.commit();
  }

  rolledUp(): RolledUp | null {
    return this.#rolledUp;
  }

  /** Within one transaction. The last record has to stay. */
  compact({ snapshot, counts, also }: Compaction): void {
    const { index } = snapshot;
    const last = rowAt(this.db, index) as Row;
    const rolledUp = { index, at: last.at as Instant, hash: Buffer.from(last.hash).toString("hex"), counts };
    this.begin();
    this.#indexWorks();
    const row = this.#rowOf(index);
    this.db.prepare("DELETE FROM journal WHERE idx <= ?").run(row.at(-1)?.idx ?? index);
    this.#put(row.filter(({ idx }) => idx > index));
    this.db.prepare("DELETE FROM works WHERE segment <= ? AND idx <= ?").run(segmentOf(index), index);
    this.db.prepare("DELETE FROM snapshots WHERE idx <= ?").run(index);
    this.#insertSnapshot(snapshot);
    const setMeta = this.db.prepare("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)");
    setMeta.run("format", fileFormats.compacted);
    setMeta.run(rolledUpKey, encodeRolledUp(rolledUp));
    for (const { sql, params = [] } of also) this.db.prepare(sql).run(...params);
    this.commit();
    this.#rolledUp = readRolledUp(this.db, this.#file);
  }

  /** Gives the space of removed rows back to the disk: all is written anew, so as much has to be free. Gives why it was not, or null. */
  shrink(): string | null {
    try {
      // Beside the file and not in memory: it is as large as what is left.
      this.db.exec("PRAGMA temp_store = FILE; VACUUM");
      return null;
    } catch (error) {
      return (error as Error).message; // As it was before: it is one transaction.
    }
  }

  close(): void {
    this.db.close();
  }

  /** All records of the row that has this one; none where nothing follows it. */
  #rowOf(index: number): readonly Row[] {
    const columns = "SELECT idx, at, hash, body, parts FROM journal WHERE idx >= ? ORDER BY idx LIMIT 1";
    const stored = this.db.prepare(columns).get(index) as unknown as StoredRow | undefined;
    return stored === undefined ? [] : recordsOf(stored);
  }

  /** Records that had been part of a row. */
  #put(rows: readonly Row[]): void {
    if (rows.length === 0) return;
    const { idx, at, hash: last, body, parts } = storedOf(rows);
    this.#insert.run(idx, at, last, body, parts);
  }

  #insertSnapshot(snapshot: Snapshot): void {
    this.db
      .prepare("INSERT OR REPLACE INTO snapshots (idx, state_hash, digest, body) VALUES (?, ?, ?, ?)")
      .run(snapshot.index, snapshot.stateHash, snapshotDigest(snapshot), snapshot.body);
  }

  #readHead(): { index: number; at: Instant; hash: Buffer } {
    const row = this.db.prepare("SELECT idx, at, hash FROM journal ORDER BY idx DESC LIMIT 1").get();
    if (row === undefined) return { index: 0, at: 0 as Instant, hash: Buffer.from(genesisHash, "hex") };
    return { index: row["idx"] as number, at: row["at"] as Instant, hash: Buffer.from(row["hash"] as Uint8Array) };
  }
}

function snapshotOf(row: Record<string, unknown> | undefined): Snapshot | null {
  if (row === undefined) return null;
  return { index: row["idx"] as number, stateHash: row["state_hash"] as string, body: row["body"] as string };
}
