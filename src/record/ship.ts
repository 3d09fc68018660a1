/**
 * Reads spools for whoever sends them on: from an acknowledged position, in bounded batches, again after a lost connection, also
 * those of other processes and after their death. A segment is forgotten only when all of it is acknowledged.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import type { EvidenceBatch } from "../contract/agent.ts";
import { lastSeqIn, lastSeqOf, lineOf, recordsOf } from "./lines.ts";
import type { SpoolText } from "./lines.ts";
import { bySegment, parseSegmentFile } from "./segments.ts";
import type { SegmentName } from "./segments.ts";

/** A batch has to fit a frame of the contract (1 MiB) beside its envelope; a record that does not fit is left out and told as a gap. */
export const batchMaxBytes = 512 << 10;
/** And no further line, of up to 256 packed records, once there are so many, so that one commit of the store stays short. */
export const batchMaxRecords = 1000;
/** Of a text that goes to the store, unless its first line is longer: some thousand packed records. */
const textMaxBytes = 256 << 10;
/** Texts that are under way to the store: while some are stored in one commit, the next are read. Whoever reads waits for all of them at most. */
const textsUnderWay = 4;
const newline = 0x0a;

export interface ShipperOptions {
  readonly folder: string;
  /** Only this emitter's spools; all of the folder's without it. */
  readonly emitter?: string;
}

export interface Acknowledgement {
  readonly emitter: string;
  readonly epoch: number;
  readonly seq: number;
}

interface Segment extends SegmentName {
  readonly path: string;
  offset: number;
  /** Highest number handed out from this segment; 0 before any. */
  lastSeq: number;
}

/** Opens the spools of a folder for sending. Reads nothing yet; a folder that does not exist (yet) is empty. */
export function openShipper(options: ShipperOptions): Shipper {
  return new Shipper(options);
}

export class Shipper {
  #segments: Segment[] = [];
  readonly #folder: string;
  readonly #emitter: string | undefined;

  constructor({ folder, emitter }: ShipperOptions) {
    this.#folder = folder;
    this.#emitter = emitter;
  }

  /** The next records that were not handed out yet, of one emitter and epoch, in the order written; null when there are none now. */
  next(): EvidenceBatch | null {
    this.#scan();
    for (const segment of this.#segments) {
      const records = this.#read(segment);
      if (records.length > 0) return { emitter: segment.emitter, epoch: segment.epoch, records };
    }
    return null;
  }

  /** As {@link Shipper.next}, and not read as records. */
  nextText(): SpoolText | null {
    this.#scan();
    for (const segment of this.#segments) {
      const lines = this.#wholeLines(segment, textMaxBytes);
      if (lines.length === 0) continue;
      segment.offset += lines.length;
      segment.lastSeq = Math.max(segment.lastSeq, lastSeqIn(lines) ?? 0);
      return { emitter: segment.emitter, epoch: segment.epoch, lines, seq: segment.lastSeq };
    }
    return null;
  }

  /** Everything of this emitter and epoch up to `seq` is stored: segments that hold nothing more are removed. */
  acknowledge({ emitter, epoch, seq }: Acknowledgement): void {
    this.#scan();
    const done = this.#segments.filter(
      (segment) =>
        segment.emitter === emitter && segment.epoch === epoch && segment.lastSeq <= seq && this.#isOver(segment),
    );
    for (const segment of done) fs.rmSync(segment.path, { force: true });
    if (done.length > 0) this.#segments = this.#segments.filter((segment) => !done.includes(segment));
  }

  /** Hands out again everything that is not yet forgotten: after a connection was lost. Repeats are harmless. */
  rewind(): void {
    for (const segment of this.#segments) {
      segment.offset = 0;
      segment.lastSeq = 0;
    }
  }

  /** Read to its end, and nobody writes to it any more. The last segment of an emitter stays, also when its process is dead. */
  #isOver(segment: Segment): boolean {
    return this.#isLeft(segment) && segment.offset >= sizeOf(segment.path);
  }

  #isLeft(segment: Segment): boolean {
    return this.#segments.some((other) => other.emitter === segment.emitter && bySegment(other, segment) > 0);
  }

  #scan(): void {
    for (const file of filesOf(this.#folder)) {
      const name = parseSegmentFile(file);
      if (!name || (this.#emitter !== undefined && name.emitter !== this.#emitter)) continue;
      const path = join(this.#folder, file);
      if (!this.#segments.some((segment) => segment.path === path))
        this.#segments.push({ ...name, path, offset: 0, lastSeq: 0 });
    }
    this.#segments.sort(bySegment);
  }

  #read(segment: Segment): EvidenceBatch["records"] {
    const records: EvidenceBatch["records"][number][] = [];
    while (records.length === 0) {
      const lines = this.#wholeLines(segment, batchMaxBytes);
      if (lines.length === 0) return records;
      let at = 0;
      for (let bytes = 0; at < lines.length && records.length < batchMaxRecords;) {
        const stop = lines.indexOf(newline, at);
        const line = lineOf(lines.toString("utf8", at, stop));
        const more = line ? recordsOf(line) : [];
        // Rows take more where each is a record by itself.
        bytes += line?.kind === "rows" ? Buffer.byteLength(JSON.stringify(more)) : stop - at;
        if (bytes > batchMaxBytes && records.length > 0) break;
        records.push(...more);
        at = stop + 1;
      }
      segment.offset += at;
    }
    segment.lastSeq = Math.max(segment.lastSeq, lastSeqOf({ ...segment, records }));
    return records;
  }

  /**
   * As many as there is room for, and one of any length that a batch may have; none where the rest of a line is still to come. What is torn
   * off is passed over: its number becomes a gap.
   */
  #wholeLines(segment: Segment, maxBytes: number): Buffer<ArrayBuffer> {
    for (let most = maxBytes; ;) {
      const chunk = readChunk(segment.path, segment.offset, most);
      const lines = chunk.subarray(0, chunk.lastIndexOf(newline) + 1);
      const torn = chunk.length > 0 && this.#isLeft(segment);
      if (lines.length > 0 || (!torn && chunk.length < most)) return lines;
      if (chunk.length === most && most < batchMaxBytes) {
        most = batchMaxBytes;
        continue;
      }
      segment.offset += chunk.length; // torn off by a crash, or longer than a batch: then its tail is no record either
    }
  }
}

/** Where texts go: resolves when all of one is stored durably. */
export type Ingest = (text: SpoolText) => Promise<Acknowledgement>;

/**
 * Sends everything that a shipper has now and forgets what is acknowledged: the next texts are read while some are stored. Where `ingest`
 * rejects, so does this, and the next call begins again with all that is not acknowledged.
 */
export async function drain(shipper: Shipper, ingest: Ingest): Promise<void> {
  const underWay: Promise<Acknowledgement>[] = [];
  try {
    for (;;) {
      while (underWay.length < textsUnderWay) {
        const text = shipper.nextText();
        if (text === null) break;
        const stored = ingest(text);
        stored.catch(() => undefined); // heard of in its turn, or one before it has failed
        underWay.push(stored);
      }
      const oldest = underWay.shift();
      if (oldest === undefined) return;
      shipper.acknowledge(await oldest);
    }
  } catch (error) {
    shipper.rewind();
    throw error;
  }
}

function filesOf(folder: string): readonly string[] {
  try {
    return fs.readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

function sizeOf(path: string): number {
  return fs.statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** In memory of its own, which can be handed to another thread. */
function readChunk(path: string, offset: number, maxBytes: number): Buffer<ArrayBuffer> {
  let file: number;
  try {
    file = fs.openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return Buffer.alloc(0); // dropped by its emitter's own bound
    throw error;
  }
  try {
    const room = Math.min(maxBytes, Math.max(0, fs.fstatSync(file).size - offset));
    const chunk = Buffer.allocUnsafeSlow(room);
    return chunk.subarray(0, fs.readSync(file, chunk, 0, room, offset));
  } finally {
    fs.closeSync(file);
  }
}
