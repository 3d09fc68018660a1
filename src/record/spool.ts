/**
 * An emitter's own record on its own disk: what it signed for, in numbered lines, before anyone hears of it.
 *
 * `write` is in the kernel before it returns, so it survives SIGKILL of the process; on disk within a second. A line that can't be
 * written (disk full) never stops the work that it tells of: its number stays empty, and an empty number is a gap that `explain` names.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import type { Closing, Draft, Emitter, Entry, Facts, Hop, Packed, Watermark, WorkKind } from "../evidence/entry.ts";
import { assert } from "../stdx/assert.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { iso } from "../stdx/time.ts";
import type { Clock, Instant } from "../stdx/time.ts";
import { nextEpoch, syncFolder } from "./epoch-counter.ts";
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

export interface SpoolOptions {
  readonly folder: string;
  /** The emitter's name; two live spools never share one. */
  readonly name: string;
  readonly clock: Clock;
  /** For the suffix of a new name after a lost counter. */
  readonly random?: RandomBytes;
  readonly segmentBytes?: number;
  readonly maxBytes?: number;
  /** Told of each failure of the disk; the spool goes on and leaves a gap. */
  readonly onFailure?: (error: Error) => void;
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
  /** Records that the disk did not take: gaps in the numbers. */
  lost = 0;
  #seq = 0;
  #segment = 0;
  #file = -1;
  #bytes = 0;
  #torn = false;
  #dirty = false;
  #closed = false;
  #packed: string[] = [];
  #packTimer: NodeJS.Timeout | undefined;
  #syncTimer: NodeJS.Timeout | undefined;
  #retired: number[] = [];
  #syncing: Promise<void> = Promise.resolve();
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #segmentBytes: number;
  readonly #maxBytes: number;
  readonly #onFailure: (error: Error) => void;

  constructor(options: SpoolOptions, name: string, epoch: number, renamed: string | null) {
    this.name = name;
    this.epoch = epoch;
    this.renamed = renamed;
    this.#folder = options.folder;
    this.#clock = options.clock;
    this.#segmentBytes = options.segmentBytes ?? segmentMaxBytes;
    this.#maxBytes = options.maxBytes ?? spoolMaxBytes;
    this.#onFailure = options.onFailure ?? (() => {});
  }

  write(draft: Draft): Entry {
    const { seq, at } = this.#number();
    const { work, hop, mark, facts } = draft;
    const id = `${this.name}/${this.epoch}/${seq}`;
    const entry: Entry = { id, work, hop, mark, emitter: this.name, epoch: this.epoch, seq, at, facts };
    this.#append({ kind: "entry", body: entry });
    return entry;
  }

  pack(record: {
    readonly work: string;
    readonly kind: WorkKind;
    readonly stages: readonly (readonly [hop: Hop, ms: number])[];
    readonly facts: Facts;
    readonly startedAt: number;
  }): void {
    const { seq } = this.#number();
    const at = iso(record.startedAt as Instant);
    const body: Packed = {
      work: record.work,
      kind: record.kind,
      emitter: this.name,
      epoch: this.epoch,
      seq,
      at,
      stages: record.stages,
      facts: record.facts,
    };
    this.#packed.push(line({ kind: "packed", body }));
    if (this.#packed.length >= packedWaitMax) this.#flush();
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
    if (!this.#append({ kind: "watermark", body })) throw new Error("the answer could not be written to the spool");
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
      if (this.#file >= 0) fs.closeSync(this.#file);
      this.#file = -1;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #number(): { readonly seq: number; readonly at: string } {
    assert(!this.#closed, "a closed spool takes nothing more: its closing record says so");
    this.#seq += 1;
    return { seq: this.#seq, at: iso(this.#clock.wall()) };
  }

  #append(record: SpoolLine): boolean {
    const text = this.#packed.join("") + line(record);
    const count = this.#packed.length + 1;
    this.#packed = [];
    return this.#put(text, count);
  }

  #flush(): void {
    clearTimeout(this.#packTimer);
    this.#packTimer = undefined;
    if (this.#packed.length === 0) return;
    const text = this.#packed.join("");
    const count = this.#packed.length;
    this.#packed = [];
    this.#put(text, count);
  }

  /** One or a few whole lines to the kernel. A part that was written before a failure is cut off by the newline that comes first next time. */
  #put(lines: string, count: number): boolean {
    try {
      this.#openSegment();
      const bytes = Buffer.from(this.#torn ? `\n${lines}` : lines, "utf8");
      this.#torn = true;
      for (let done = 0; done < bytes.length;) done += fs.writeSync(this.#file, bytes, done);
      this.#torn = false;
      this.#bytes += bytes.length;
      this.#markDirty();
      return true;
    } catch (error) {
      this.lost += count;
      this.#onFailure(
        new Error(`${count} records of ${this.name}/${this.epoch} could not be written`, { cause: error }),
      );
      return false;
    }
  }

  #openSegment(): void {
    if (this.#file >= 0 && this.#bytes < this.#segmentBytes) return;
    const file = fs.openSync(
      join(this.#folder, segmentFile({ emitter: this.name, epoch: this.epoch, n: this.#segment + 1 })),
      "a",
      0o600,
    );
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

  #markDirty(): void {
    this.#dirty = true;
    if (this.#closed) return;
    this.#syncTimer ??= setTimeout(() => {
      this.#syncTimer = undefined;
      this.sync().catch((error: unknown) =>
        this.#onFailure(new Error(`the spool of ${this.name} could not be synced`, { cause: error })),
      );
    }, syncWithinMs).unref();
  }

  async #syncFiles(): Promise<void> {
    const retired = this.#retired;
    this.#retired = [];
    const dirty = this.#dirty;
    this.#dirty = false;
    try {
      for (const file of retired) await datasync(file);
      if (dirty && this.#file >= 0) await datasync(this.#file);
    } catch (error) {
      this.#retired.unshift(...retired);
      this.#dirty = true;
      throw error;
    }
    for (const file of retired) fs.closeSync(file);
  }
}

function line(record: SpoolLine): string {
  return `${JSON.stringify(record)}\n`;
}

function datasync(file: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.fdatasync(file, (error) => (error ? reject(error) : resolve()));
  });
}
