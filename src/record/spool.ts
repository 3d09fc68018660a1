/**
 * An emitter's own record on its own disk: what it signed for, in numbered lines, before anyone hears of it.
 *
 * `write` is in the kernel before it returns, so it survives SIGKILL of the process; on disk within a second. What the disk does not
 * take, or fails to sync, is kept in memory and written anew each second, into a file of its own: after a failed sync nobody knows what of the
 * old one is on the disk. Whether its owner goes on meanwhile is the owner's to say (`onBroken`); what memory can't hold any more is
 * an empty number, and that is a gap which `explain` names.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import type { Closing, Draft, Emitter, Entry, Watermark } from "../evidence/entry.ts";
import { assert } from "../stdx/assert.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { iso } from "../stdx/time.ts";
import type { Clock } from "../stdx/time.ts";
import { nextEpoch, syncFolder } from "./epoch-counter.ts";
import { RowLines } from "./rows.ts";
import type { Packable } from "./rows.ts";
import { bySegment, emitterNamePattern, parseSegmentFile, segmentFile } from "./segments.ts";
import type { SpoolLine } from "./segments.ts";

/** A segment is forgotten as a whole, so it is small against the folder's bound, and large enough that files stay few. */
export const segmentMaxBytes = 4 << 20;
/** Packed records wait at most so long, and at most so many of them, before they are written: the tail that a SIGKILL can take. */
export const packedWaitMs = 200;
export const packedWaitMax = 256;
/** What was written reaches the disk within this. */
export const syncWithinMs = 1000;
/** Unacknowledged evidence kept on an emitter's disk; beyond it the oldest segment goes, which is then a gap that is told. */
export const spoolMaxBytes = 512 << 20;
/** Lines that are not known to be on the disk, kept in memory for a disk that fails: some seconds' worth of a busy edge. */
export const unkeptMaxBytes = 8 << 20;
/** Failures in a row, a second apart, after which the disk is called broken: one may be a moment's lack of space. */
const brokenAfter = 2;

export interface SpoolOptions {
  readonly folder: string;
  /** The emitter's name; two live spools never share one. */
  readonly name: string;
  readonly clock: Clock;
  /** For the suffix of a new name after a lost counter. */
  readonly random?: RandomBytes;
  readonly segmentBytes?: number;
  readonly maxBytes?: number;
  /** Told of the first of some failures in a row, and of each gap. */
  readonly onFailure?: (error: Error) => void;
  /** Nothing can be kept, at the second try either. Called once; without it the spool goes on trying. */
  readonly onBroken?: (error: Error) => void;
  /** There is something to ship that was not there before. */
  readonly onWritten?: () => void;
}

/** Packed records are written here as they come, so that none is a text that waits: those would be most of what outlives a busy edge's garbage. */
const roomBytes = 256 << 10;
/** Packed records of one line: it fits a batch, also where each of them is a record by itself. */
const lineMaxBytes = 128 << 10;
const newline = 0x0a;

/** Lines that are not known to be on the disk. */
interface Unkept {
  /** Counts them. */
  readonly n: number;
  readonly lines: Buffer;
  /** Records in them. */
  readonly count: number;
}

/** Opens a spool under its next epoch; creates the folder. Rejects where the epoch can't be made durable. */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  assert(
    emitterNamePattern.test(options.name),
    `an emitter's name is lower-case letters, digits, . _ and -: ${options.name}`,
  );
  await fs.promises.mkdir(options.folder, { recursive: true });
  const epoch = nextEpoch(
    options.folder,
    options.name,
    options.random ?? ((count) => crypto.getRandomValues(new Uint8Array(count))),
  );
  return new Spool(options, epoch.emitter, epoch.epoch, epoch.renamed);
}

export class Spool implements Emitter {
  readonly name: string;
  readonly epoch: number;
  /** Why the name is not the one asked for (a lost counter); null otherwise. */
  readonly renamed: string | null;
  /** Records that are given up: gaps in the numbers. */
  lost = 0;
  #seq = 0;
  #segment = 0;
  #file = -1;
  #bytes = 0;
  #torn = false;
  /** Oldest first: those that no sync has made durable. */
  #unkept: Unkept[] = [];
  #unkeptBytes = 0;
  #held = 0;
  /** Records that memory had no room for: lost, where no sync of a file that they are in goes well. */
  #unheld = 0;
  /** What is unkept is in the file too; else all of it goes into the next one. */
  #isWritten = true;
  /** In a row. */
  #failures = 0;
  #isBroken = false;
  /** The segment of the last sync that went well; and paths of those begun since that failed: what is in them is written again. */
  #good = 0;
  readonly #doubtful: string[] = [];
  #closed = false;
  /** From its start on, the packed records that are not handed to the kernel yet. */
  #room = Buffer.alloc(0);
  #roomUsed = 0;
  #packTimer: NodeJS.Timeout | undefined;
  #syncTimer: NodeJS.Timeout | undefined;
  #retired: number[] = [];
  #syncing: Promise<void> = Promise.resolve();
  readonly #rows: RowLines;
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #segmentBytes: number;
  readonly #maxBytes: number;
  readonly #onFailure: (error: Error) => void;
  readonly #onBroken: (error: Error) => void;
  readonly #onWritten: () => void;

  constructor(options: SpoolOptions, name: string, epoch: number, renamed: string | null) {
    this.name = name;
    this.epoch = epoch;
    this.renamed = renamed;
    this.#rows = new RowLines(name, epoch);
    this.#folder = options.folder;
    this.#clock = options.clock;
    this.#segmentBytes = options.segmentBytes ?? segmentMaxBytes;
    this.#maxBytes = options.maxBytes ?? spoolMaxBytes;
    this.#onFailure = options.onFailure ?? (() => {});
    this.#onBroken = options.onBroken ?? (() => {});
    this.#onWritten = options.onWritten ?? (() => {});
  }

  write(draft: Draft): Entry {
    const entry = this.#entryOf(draft);
    this.#append({ kind: "entry", body: entry });
    return entry;
  }

  writeAll(drafts: readonly Draft[]): void {
    this.#append(...drafts.map((draft) => ({ kind: "entry", body: this.#entryOf(draft) }) as const));
  }

  pack(record: Packable): void {
    this.#keep(this.#rows.add(record, this.#next()));
    if (this.#rows.count >= packedWaitMax || this.#roomUsed >= lineMaxBytes) this.#flush();
    else this.#packTimer ??= setTimeout(() => this.#flush(), packedWaitMs).unref();
  }

  async answer(mark: {
    readonly channel: string;
    readonly upTo: number;
    readonly taken?: readonly number[];
    readonly from?: number;
  }): Promise<Watermark> {
    const { seq, at } = this.#number();
    const body: Watermark = { ...mark, emitter: this.name, epoch: this.epoch, seq, at };
    this.#append({ kind: "watermark", body });
    await this.sync();
    return body;
  }

  /** Everything written so far is on disk when this resolves. Rejects where the disk refuses. */
  async sync(): Promise<void> {
    this.#flush();
    const turn = this.#syncing.then(() => this.#syncFiles());
    this.#syncing = turn.catch(() => {}); // the caller of this turn hears of it; the next turn tries again
    return turn;
  }

  /** Ends the epoch with a closing record, on disk when this resolves. Nothing may be written afterwards. */
  async close(): Promise<void> {
    if (this.#closed) return;
    const { seq, at } = this.#number();
    const body: Closing = { emitter: this.name, epoch: this.epoch, seq, at };
    this.#append({ kind: "closing", body });
    this.#closed = true;
    clearTimeout(this.#packTimer);
    clearTimeout(this.#syncTimer);
    try {
      await this.sync();
    } finally {
      clearTimeout(this.#syncTimer);
      this.#leaveFile();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #entryOf({ work, hop, mark, facts }: Draft): Entry {
    const { seq, at } = this.#number();
    const id = `${this.name}/${this.epoch}/${seq}`;
    return { id, work, hop, mark, emitter: this.name, epoch: this.epoch, seq, at, facts };
  }

  #number(): { readonly seq: number; readonly at: string } {
    return { seq: this.#next(), at: iso(this.#clock.wall()) };
  }

  #next(): number {
    assert(!this.#closed, "a closed spool takes nothing more: its closing record says so");
    this.#seq += 1;
    return this.#seq;
  }

  #append(...records: readonly SpoolLine[]): void {
    this.#flush();
    if (records.length === 0) return;
    const lines = records.map((record) => `${JSON.stringify(record)}\n`).join("");
    this.#put(Buffer.from(lines, "utf8"), records.length);
  }

  /** A piece of the line of packed records; there is room for its end behind each. */
  #keep(text: string): void {
    // No character of a text has more than three bytes in UTF-8.
    const needs = 3 * (text.length + this.#rows.endLength);
    if (this.#roomUsed + needs > this.#room.length) {
      const begun = this.#room.subarray(0, this.#roomUsed);
      this.#room = Buffer.allocUnsafeSlow(Math.max(roomBytes, begun.length + needs));
      this.#room.set(begun);
    }
    this.#roomUsed += this.#room.write(text, this.#roomUsed, "utf8");
  }

  #flush(): void {
    clearTimeout(this.#packTimer);
    this.#packTimer = undefined;
    const { count } = this.#rows;
    if (count === 0) return;
    const used = this.#roomUsed + this.#room.write(this.#rows.end(), this.#roomUsed, "utf8");
    const lines = this.#room.subarray(0, used);
    this.#room = this.#room.subarray(used);
    this.#roomUsed = 0;
    this.#put(lines, count);
  }

  /** One or a few whole lines to the kernel; where it takes none they wait for the next try. */
  #put(lines: Buffer, count: number): void {
    this.#hold(lines, count);
    this.#syncSoon();
    if (!this.#isWritten) return;
    try {
      this.#openSegment();
      this.#writeOut(lines);
    } catch (error) {
      this.#failed(new Error(`${count} records of ${this.name}/${this.epoch} could not be written`, { cause: error }));
    }
  }

  /** A part that was written before a failure is cut off by the newline that comes first next time. */
  #writeOut(lines: Buffer): void {
    const bytes = this.#torn ? Buffer.concat([Buffer.of(newline), lines]) : lines;
    this.#torn = true;
    for (let done = 0; done < bytes.length;) done += fs.writeSync(this.#file, bytes, done);
    this.#torn = false;
    this.#bytes += bytes.length;
    this.#onWritten();
  }

  #hold(lines: Buffer, count: number): void {
    this.#unkept.push({ n: ++this.#held, lines, count });
    this.#unkeptBytes += lines.length;
    while (this.#unkeptBytes > unkeptMaxBytes && this.#unkept.length > 1) {
      const oldest = this.#unkept.shift() as Unkept;
      this.#unkeptBytes -= oldest.lines.length;
      this.#unheld += oldest.count;
    }
  }

  /** Once for each try, however many they are. */
  #giveUp(): void {
    const count = this.#unheld;
    this.#unheld = 0;
    if (count === 0) return;
    this.lost += count;
    this.#onFailure(new Error(`${count} records of ${this.name}/${this.epoch} are lost: the disk takes nothing`));
  }

  /** The file is not written to again: all that is unkept goes into another one. */
  #failed(error: Error): void {
    this.#isWritten = false;
    this.#leaveFile();
    this.#failures += 1;
    if (this.#failures === 1) this.#onFailure(error);
    this.#giveUp();
    if (this.#failures < brokenAfter || this.#isBroken) return;
    this.#isBroken = true;
    this.#onBroken(error);
  }

  /** Closed when no sync is at work on it any more. A disk that fails for long is not filled with what failed. */
  #leaveFile(): void {
    if (this.#file >= 0 && this.#segment > this.#good) this.#doubtful.push(this.#pathOf(this.#segment));
    this.#dropDoubtful(1);
    const left = this.#file < 0 ? this.#retired : [...this.#retired, this.#file];
    this.#retired = [];
    this.#file = -1;
    void this.#syncing.then(() => left.forEach((file) => this.#close(file)));
  }

  #close(file: number): void {
    try {
      fs.closeSync(file);
    } catch (error) {
      // What a disk has to say as late as now; all that is in the file is unkept, and written anew.
      this.#onFailure(new Error(`a file of the spool of ${this.name} could not be closed`, { cause: error }));
    }
  }

  /** All but the latest `but`. */
  #dropDoubtful(but: number): void {
    for (const path of this.#doubtful.splice(0, Math.max(0, this.#doubtful.length - but))) {
      try {
        fs.rmSync(path, { force: true });
      } catch (error) {
        // It stays: what is in it is told twice, and stored once.
        if ((error as NodeJS.ErrnoException).code === undefined) throw error;
      }
    }
  }

  #pathOf(n: number): string {
    return join(this.#folder, segmentFile({ emitter: this.name, epoch: this.epoch, n }));
  }

  #writeAgain(): void {
    this.#giveUp();
    this.#openSegment();
    for (const { lines } of this.#unkept) this.#writeOut(lines);
    this.#isWritten = true;
  }

  #openSegment(): void {
    if (this.#file >= 0 && this.#bytes < this.#segmentBytes) return;
    const file = fs.openSync(this.#pathOf(this.#segment + 1), "a", 0o600);
    if (this.#file >= 0) this.#retired.push(this.#file);
    this.#file = file;
    this.#segment += 1;
    this.#bytes = 0;
    this.#torn = false;
    syncFolder(this.#folder);
    if (this.#segment > 1 || this.epoch > 1) this.#dropOldest();
  }

  #dropOldest(): void {
    const files = fs.readdirSync(this.#folder).flatMap((file) => {
      const name = parseSegmentFile(file);
      return name?.emitter === this.name
        ? [{ ...name, path: join(this.#folder, file), bytes: fs.statSync(join(this.#folder, file)).size }]
        : [];
    });
    let total = files.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { path, bytes, epoch, n } of files.sort(bySegment)) {
      if (total <= this.#maxBytes || (epoch === this.epoch && n === this.#segment)) return;
      fs.unlinkSync(path);
      total -= bytes;
      this.#onFailure(
        new Error(`the spool of ${this.name} is over ${this.#maxBytes} bytes: its oldest segment was dropped`),
      );
    }
  }

  #syncSoon(): void {
    if (this.#closed) return;
    this.#syncTimer ??= setTimeout(() => {
      this.#syncTimer = undefined;
      // Its failure is told where it is counted; the next try comes as soon again.
      this.sync().catch(() => this.#syncSoon());
    }, syncWithinMs).unref();
  }

  /** All that is held when it begins is on the disk when it resolves. */
  async #syncFiles(): Promise<void> {
    const upTo = this.#held;
    if (this.#unkept.length === 0 && this.#retired.length === 0) return;
    const failures = this.#failures;
    try {
      if (!this.#isWritten) this.#writeAgain();
      const retired = [...this.#retired];
      for (const file of [...retired, this.#file]) await datasync(file);
      if (this.#failures > failures) throw new Error("the disk failed meanwhile");
      this.#retired = this.#retired.filter((file) => !retired.includes(file));
      for (const file of retired) this.#close(file);
    } catch (error) {
      if (this.#failures === failures)
        this.#failed(new Error(`the spool of ${this.name} could not be synced`, { cause: error }));
      throw error;
    }
    this.#failures = 0;
    this.#unheld = 0;
    this.#good = this.#segment;
    this.#dropDoubtful(0);
    const next = this.#unkept.findIndex(({ n }) => n > upTo);
    for (const { lines } of this.#unkept.splice(0, next < 0 ? this.#unkept.length : next))
      this.#unkeptBytes -= lines.length;
  }
}

function datasync(file: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.fdatasync(file, (error) => (error ? reject(error) : resolve()));
  });
}
