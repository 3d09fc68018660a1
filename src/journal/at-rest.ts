/** A journal that nobody writes: a stopped platform's, or a backup's. Read from its first record to its last, changed in nothing. */
import type { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import type { LedgerRecord } from "../core/record.ts";
import { againstMark, checkChain, markOf, readOnly, rowsAfter } from "./check.ts";
import { checkFormat, databaseName, markName, readRolledUp, snapshotDigest } from "./database.ts";
import type { Row } from "./rows.ts";
import { decodeRecord } from "./encoding.ts";
import { JournalDamaged } from "./failures.ts";
import { lockFolder } from "./lock.ts";
import type { Mark } from "./mark.ts";
import { genesisHash } from "./port.ts";
import type { RolledUp } from "./port.ts";

/** What a walk through the whole journal found. */
export interface Walked {
  /** Index of the last record. */
  readonly records: number;
  /** Hash of the last of them, 64 hexadecimal digits. */
  readonly hash: string;
  /** The first record of a torn tail that nobody was promised, and that the next start cuts off; null without one. */
  readonly tornFrom: number | null;
}

/** A kept snapshot, without its body. */
export interface KeptSnapshot {
  readonly index: number;
  /** sha256 of the state that it was taken of. */
  readonly stateHash: string;
  /** It is as it was written. */
  readonly isWhole: boolean;
}

export interface Walk {
  /** Hears each record once its place in the chain is proved, with its stored text. */
  record(record: LedgerRecord, text: string): void;
}

/** The snapshots and the records of a folder's journal. */
export class JournalAtRest implements Disposable {
  readonly #lock: DatabaseSync;
  readonly #folder: string;

  /** Throws `DataFolderBusy` while a platform runs on the folder. */
  constructor(folder: string) {
    this.#folder = folder;
    this.#lock = lockFolder(folder);
  }

  /** What was kept of records that were removed, with the state after them as its snapshot has it; null where none were. */
  rolledUp(): (RolledUp & { readonly body: string }) | null {
    return readOnly(this.#file, (db) => {
      checkFormat(db, this.#file);
      const rolledUp = readRolledUp(db, this.#file);
      if (rolledUp === null) return null;
      const row = db.prepare("SELECT state_hash, digest, body FROM snapshots WHERE idx = ?").get(rolledUp.index);
      const kept = row && {
        index: rolledUp.index,
        stateHash: row["state_hash"] as string,
        body: row["body"] as string,
      };
      if (kept && snapshotDigest(kept) === row["digest"]) return { ...rolledUp, body: kept.body };
      const found = "the state after it is missing or was changed, and the records before it were removed";
      throw new JournalDamaged({ file: this.#file, index: rolledUp.index, found });
    });
  }

  /** Oldest first. */
  snapshots(): readonly KeptSnapshot[] {
    return readOnly(this.#file, (db) => {
      checkFormat(db, this.#file);
      return db
        .prepare("SELECT idx, state_hash, digest, body FROM snapshots ORDER BY idx")
        .all()
        .map((row) => {
          const kept = { index: row["idx"] as number, stateHash: row["state_hash"] as string };
          return { ...kept, isWhole: snapshotDigest({ ...kept, body: row["body"] as string }) === row["digest"] };
        });
    });
  }

  /**
   * Follows the chain from the first record that is kept (L26). Throws `JournalDamaged` with the first bad record,
   * `JournalFormatUnknown`, or `EventVersionUnknown`.
   */
  walk(walk: Walk): Walked {
    const mark = markOf(join(this.#folder, markName));
    return readOnly(this.#file, (db) => {
      checkFormat(db, this.#file);
      const start: Mark = readRolledUp(db, this.#file) ?? { index: 0, hash: genesisHash };
      const chain = checkChain(this.#told(rowsAfter(db, this.#file, start.index), walk), start);
      const { cutFrom } = againstMark(db, this.#file, { mark, start, chain });
      return { records: chain.last.index, hash: chain.last.hash, tornFrom: cutFrom };
    });
  }

  [Symbol.dispose](): void {
    this.#lock.close();
  }

  get #file(): string {
    return join(this.#folder, databaseName);
  }

  /** The rows; who asks for another one has found the last one good. */
  *#told(rows: Iterable<Row>, walk: Walk): Generator<Row> {
    for (const row of rows) {
      yield row;
      const text = Buffer.from(row.body).toString("utf8");
      walk.record(decodeRecord(text, { index: row.idx, file: this.#file }), text);
    }
  }
}
