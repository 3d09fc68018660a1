/**
 * What must hold before a journal is written to (L26). Reads only: a damaged folder is left byte for byte as it was found,
 * since it is the evidence, and perhaps the only copy.
 */
import { existsSync, rmSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { chainHash, checkFormat, databaseName, markName, readRolledUp, snapshotDigest } from "./database.ts";
import { rowAt, rowsFrom } from "./rows.ts";
import type { Row } from "./rows.ts";
import { JournalDamaged } from "./failures.ts";
import { readMark } from "./mark.ts";
import type { Mark } from "./mark.ts";
import { hashBytes } from "./packing.ts";
import { genesisHash } from "./port.ts";
import type { RolledUp } from "./port.ts";

/** What was found: nothing yet, or a journal, with the first record to cut off if its tail is torn. */
export type Found =
  | { readonly state: "new" }
  | {
      readonly state: "whole";
      readonly cutFrom: number | null;
      readonly mark: Mark;
      /** The records after which snapshots were changed: the chain was followed from an older one, or from its beginning. */
      readonly passedOver: readonly number[];
    };

/** Checks a data folder's journal from its last snapshot on. Throws `JournalDamaged` or `JournalFormatUnknown`. */
export function checkFolder(folder: string): Found {
  const file = join(folder, databaseName);
  const mark = markOf(join(folder, markName));
  if (sizeOf(file) === 0) {
    if ((mark === null || mark.index === 0) && sizeOf(`${file}-wal`) === 0) return { state: "new" };
    const were = mark === null ? "its log is still there" : `${mark.index} records were acknowledged`;
    throw new JournalDamaged({ file, index: 1, found: `the file is missing or empty, and ${were}` });
  }
  return readOnly(file, (db) => checkDatabase(db, file, mark));
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** Where the chain stopped being good, and where it ended. */
export interface ChainCheck {
  readonly last: Mark;
  readonly bad: { readonly index: number; readonly found: string } | null;
}

/** Recomputes the chain after `start`, to the end or the first bad record. */
export function checkChain(rows: Iterable<Row>, start: Mark): ChainCheck {
  const chain = new Chain(start);
  for (const row of rows) {
    const found = chain.take(row);
    if (found !== null) return { last: chain.last, bad: { index: chain.last.index + 1, found } };
  }
  return { last: chain.last, bad: null };
}

/** The chain as far as it was followed. */
class Chain {
  #index: number;
  #hash: Uint8Array;
  #at = 0;
  /** Grows to the longest record. */
  #framed = new Uint8Array(4096);

  constructor({ index, hash }: Mark) {
    this.#index = index;
    this.#hash = Buffer.from(hash, "hex");
  }

  get last(): Mark {
    return { index: this.#index, hash: Buffer.from(this.#hash).toString("hex") };
  }

  /** What is wrong with the next record; null where it fits. */
  take({ idx, at, hash, body }: Row): string | null {
    if (idx !== this.#index + 1) return `it is missing; the next one is ${idx}`;
    if (at < this.#at) return "its time is before the one ahead of it";
    const length = hashBytes + body.length;
    if (this.#framed.length < length) this.#framed = new Uint8Array(2 * length);
    this.#framed.set(body, hashBytes);
    const hashed = chainHash(this.#framed.subarray(0, length), this.#hash);
    if (!hashed.equals(hash)) return "its hash does not fit its content and the record before it";
    this.#index = idx;
    this.#at = at;
    this.#hash = hashed;
    return null;
  }
}

function checkDatabase(db: DatabaseSync, file: string, mark: Mark | null): Found {
  checkFormat(db, file);
  const { start, passedOver } = snapshotStart(db, file);
  const chain = checkChain(rowsAfter(db, file, start.index), start);
  return { ...againstMark(db, file, { mark, start, chain }), state: "whole", passedOver };
}

/** Whether a chain that was followed from `start` holds all that was acknowledged. Throws `JournalDamaged`. */
export function againstMark(
  db: DatabaseSync,
  file: string,
  { mark, start, chain }: { readonly mark: Mark | null; readonly start: Mark; readonly chain: ChainCheck },
): Pick<Extract<Found, { state: "whole" }>, "cutFrom" | "mark"> {
  if (mark === null) {
    if (chain.last.index === 0 && chain.bad === null) return { cutFrom: null, mark: start };
    throw new JournalDamaged({
      file: join(file, "..", markName),
      index: null,
      found: "the mark of the last acknowledged record is missing",
    });
  }
  if (chain.bad !== null && chain.bad.index <= mark.index) throw new JournalDamaged({ file, ...chain.bad });
  if (chain.last.index < mark.index) {
    throw new JournalDamaged({
      file,
      index: chain.last.index + 1,
      found: `it is missing; records up to ${mark.index} were acknowledged`,
    });
  }
  checkMarked(db, file, mark);
  return { cutFrom: chain.bad?.index ?? null, mark };
}

/** The record that the mark names has the hash that the mark remembers: else the chain was written anew. */
function checkMarked(db: DatabaseSync, file: string, mark: Mark): void {
  if (mark.index === 0) return;
  const row = rowAt(db, mark.index);
  const found = row === undefined ? "it is missing" : "its hash is not the one that was acknowledged";
  const same = row !== undefined && Buffer.from(row.hash).toString("hex") === mark.hash;
  if (!same) throw new JournalDamaged({ file, index: mark.index, found });
}

/** The record of the latest snapshot that is whole, from which the chain is followed; the beginning where none is. */
function snapshotStart(db: DatabaseSync, file: string): { readonly start: Mark; readonly passedOver: number[] } {
  const rolledUp = readRolledUp(db, file);
  const passedOver: number[] = [];
  for (const row of db.prepare("SELECT idx, state_hash, digest, body FROM snapshots ORDER BY idx DESC").iterate()) {
    const index = row["idx"] as number;
    const snapshot = { index, stateHash: row["state_hash"] as string, body: row["body"] as string };
    if (snapshotDigest(snapshot) === row["digest"]) return { start: chainAt(db, file, index, rolledUp), passedOver };
    passedOver.push(index);
  }
  if (rolledUp === null) return { start: { index: 0, hash: genesisHash }, passedOver };
  const found = "the state after it is missing or was changed, and the records before it were removed";
  throw new JournalDamaged({ file, index: rolledUp.index, found });
}

/** The chain's hash at a record of which a snapshot was taken. */
function chainAt(db: DatabaseSync, file: string, index: number, rolledUp: RolledUp | null): Mark {
  if (index === 0) return { index: 0, hash: genesisHash };
  if (index === rolledUp?.index) return rolledUp;
  const head = rowAt(db, index);
  if (head === undefined)
    throw new JournalDamaged({ file, index, found: "it is missing, though a snapshot was taken after it" });
  return { index, hash: Buffer.from(head.hash).toString("hex") };
}

/** The records after `index`. Throws `JournalDamaged` where SQLite can't read them. */
export function rowsAfter(db: DatabaseSync, file: string, index: number): Generator<Row> {
  return rowsFrom(db, index + 1, { guard: (at, read) => guarded(file, at, read) });
}

/** The file's mark; null where there is none. Throws `JournalDamaged`. */
export function markOf(file: string): Mark | null {
  const read = readMark(file);
  if (read.state === "bad")
    throw new JournalDamaged({ file, index: null, found: "the mark of the last acknowledged record can't be read" });
  return read.state === "whole" ? read.mark : null;
}

/** Opens without the right to write: closing such a connection moves nothing from the log into the file. */
export function readOnly<T>(file: string, use: (db: DatabaseSync) => T): T {
  const hadLog = existsSync(`${file}-wal`);
  const tidy = (): void => {
    rmSync(`${file}-shm`, { force: true }); // the readers' index of the log: rebuilt, never data
    if (!hadLog) rmSync(`${file}-wal`, { force: true });
  };
  tidy();
  return guarded(file, null, () => {
    const db = new DatabaseSync(file, { readOnly: true });
    try {
      return use(db);
    } finally {
      db.close();
      tidy();
    }
  });
}

/** SQLite's I/O errors that are about what is in the file: read, short read, data, file system corrupt. Others are of a disk that takes nothing. */
const readErrors: readonly number[] = [266, 522, 8202, 8458];

/** Says "damaged" for what SQLite says about a file that is not whole. */
function guarded<T>(file: string, index: number | null, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const code = (cause as { errcode?: number }).errcode;
    if (code === undefined) throw cause;
    const says = (cause as Error).message;
    // The primary result code is the low byte: 1 no such table, 11 corrupt, 26 not a database.
    if (![1, 11, 26].includes(code & 255) && !readErrors.includes(code)) throw cause;
    throw new JournalDamaged({ file, index, found: `SQLite says "${says}"` }, { cause });
  }
}
