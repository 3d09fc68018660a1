/**
 * Beside a server whose journal is in PostgreSQL: which record was last acknowledged, at most a second old (L26). A database that
 * was restored to an older state is a whole journal with fewer records; this file tells.
 */
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { JournalDamaged } from "./failures.ts";
import { encodeSlot, MarkFile, readMark, slotBytes } from "./mark.ts";
import type { Mark } from "./mark.ts";
import { readRolledUp, readRows } from "./postgres-open.ts";
import type { Connection } from "./postgres-connection.ts";

/** As often as the mark beside SQLite moves. */
const moveEveryMs = 1_000;

/** Rejects with `JournalDamaged` where the database lacks what the mark in this file says was acknowledged. */
export async function checkAgainstMark(connection: Connection, file: string, head: Mark): Promise<void> {
  const read = readMark(file);
  if (read.state === "missing") return;
  const damaged = (index: number | null, found: string, where = connection.place): JournalDamaged =>
    new JournalDamaged({ file: where, index, found });
  if (read.state === "bad") throw damaged(null, "neither of its two halves can be read", file);
  const { index, hash } = read.mark;
  if (index > head.index)
    throw damaged(head.index + 1, `it is missing; ${file} says that records up to ${index} were acknowledged`);
  // What was removed by a compaction was read then, after the head that this file lags behind.
  const rolledUp = await readRolledUp(connection);
  if (index === 0 || (rolledUp !== null && index < rolledUp.index)) return;
  if (index === rolledUp?.index && hash === rolledUp.hash) return;
  const [row] = await readRows(connection, index, 1);
  if (row?.idx !== index || Buffer.from(row.hash).toString("hex") !== hash)
    throw damaged(index, `it is not the record that ${file} says was acknowledged`);
}

/** Moves the mark while the journal grows. Nothing waits for it. */
export class MarkKeeper implements AsyncDisposable {
  readonly #handle: FileHandle;
  readonly #head: () => Mark;
  readonly #timer: NodeJS.Timeout;
  #marked: number;
  #slot: number;
  #moving: Promise<void> = Promise.resolve();

  /** Makes the file where there is none. `onFailed`: the disk did not take it. */
  static async open(file: string, head: () => Mark, onFailed: (error: unknown) => void): Promise<MarkKeeper> {
    new MarkFile(file, head()).close();
    const read = readMark(file);
    return new MarkKeeper(await open(file, "r+"), head, read.state === "whole" ? read.slot : 0, onFailed);
  }

  private constructor(handle: FileHandle, head: () => Mark, slot: number, onFailed: (error: unknown) => void) {
    this.#handle = handle;
    this.#head = head;
    this.#marked = head().index;
    this.#slot = slot;
    this.#timer = setInterval(() => void this.#move().catch(onFailed), moveEveryMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#move();
    await this.#handle.close();
  }

  #move(): Promise<void> {
    return (this.#moving = this.#moving.then(async () => {
      const head = this.#head();
      if (head.index === this.#marked) return;
      this.#slot = 1 - this.#slot;
      await this.#handle.write(encodeSlot(head), 0, slotBytes, this.#slot * slotBytes);
      await this.#handle.datasync();
      this.#marked = head.index;
    }));
  }
}
