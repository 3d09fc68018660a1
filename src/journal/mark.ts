/**
 * The mark: which record was last acknowledged, kept in a second file, at most a second old (L26).
 *
 * It tells a torn tail (records past the mark: nobody was promised them) from a loss (records at or before it). Two slots are
 * written in turn, each within one sector and with its own check, so that a torn write costs at most the newer mark.
 */
import { createHash } from "node:crypto";
import { closeSync, fdatasyncSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";

export interface Mark {
  readonly index: number;
  /** The chain's hash at that record, in hexadecimal digits. */
  readonly hash: string;
}

/** One sector, the largest write that a disk does all or not at all. */
export const slotBytes = 512;

export type MarkRead =
  | { readonly state: "whole"; readonly mark: Mark; readonly slot: number }
  | { readonly state: "missing" }
  | { readonly state: "bad" };

/** Reads the newer of the two slots that are whole. */
export function readMark(file: string): MarkRead {
  const bytes = readIfThere(file);
  if (bytes === null) return { state: "missing" };
  const slots = [0, 1].flatMap((slot) => {
    const mark = parseSlot(bytes.subarray(slot * slotBytes, (slot + 1) * slotBytes));
    return mark === null ? [] : [{ mark, slot }];
  });
  const newest = slots.sort((a, b) => b.mark.index - a.mark.index)[0];
  return newest === undefined ? { state: "bad" } : { state: "whole", ...newest };
}

/** The 512 bytes of one slot: a line of JSON, its check, and spaces. */
export function encodeSlot({ index, hash }: Mark): Buffer {
  const text = JSON.stringify({ index, hash });
  return Buffer.from(`${text} ${check(text)}\n`.padEnd(slotBytes));
}

/** The open mark file. Its owner moves it on after each commit; what goes wrong is thrown as the system says it. */
export class MarkFile {
  readonly #fd: number;
  readonly #file: string;
  #marked: Mark;
  #slot: number;

  /** Opens the file, or makes it for `head` where there is none. Throws on one that can't be read. */
  constructor(file: string, head: Mark) {
    if (readMark(file).state === "missing") createMark(file, head);
    const read = readMark(file);
    if (read.state !== "whole") throw new Error(`${file} can't be read`);
    this.#file = file;
    this.#fd = openSync(file, "r+");
    this.#marked = read.mark;
    this.#slot = read.slot;
    this.moveTo(head);
  }

  /** Durable when it returns. The other slot keeps what was said before. */
  moveTo(head: Mark): void {
    if (head.index === this.#marked.index) return;
    const slot = 1 - this.#slot;
    const written = writeSync(this.#fd, encodeSlot(head), 0, slotBytes, slot * slotBytes);
    if (written !== slotBytes) throw new Error(`${this.#file} took ${written} of ${slotBytes} bytes`);
    fdatasyncSync(this.#fd);
    this.#marked = head;
    this.#slot = slot;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** The mark of a journal's last record, in a file of its own. Durable when it returns. */
export function leaveMark(file: string, head: Mark): void {
  new MarkFile(file, head).close();
}

/** It gets its name when it is whole: a crash leaves no mark, or a good one. */
function createMark(file: string, mark: Mark): void {
  const unnamed = `${file}.new`;
  const fd = openSync(unnamed, "w");
  try {
    writeSync(fd, Buffer.concat([encodeSlot(mark), encodeSlot(mark)]));
    fdatasyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(unnamed, file);
  syncFolder(dirname(file));
}

/** What was written to a file is durable when it returns, whoever wrote it. */
export function syncFile(file: string): void {
  const fd = openSync(file, "r");
  try {
    fdatasyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** A new name is durable only once its folder is. */
export function syncFolder(folder: string): void {
  const fd = openSync(folder, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function parseSlot(bytes: Buffer): Mark | null {
  const match = /^(\{"index":(\d{1,16}),"hash":"([0-9a-f]{64})"\}) ([0-9a-f]{16})\n *$/.exec(bytes.toString("latin1"));
  const [, text, index, hash, sum] = match ?? [];
  if (text === undefined || index === undefined || hash === undefined || sum !== check(text)) return null;
  return { index: Number(index), hash };
}

function check(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

function readIfThere(file: string): Buffer | null {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
