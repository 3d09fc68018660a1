/**
 * Reads spools for whoever sends them on: from an acknowledged position, in bounded batches, again after a lost connection, also
 * those of other processes and after their death. A segment is forgotten only when all of it is acknowledged.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import type { EvidenceBatch } from "../contract/agent.ts";
import { bySegment, parseSegmentFile } from "./segments.ts";
import type { SegmentName } from "./segments.ts";

/** A batch has to fit a frame of the contract (1 MiB) beside its envelope; a record that does not fit is left out and told as a gap. */
export const batchMaxBytes = 512 << 10;
/** And so many records at most, so that one commit of the store stays short. */
export const batchMaxRecords = 1000;

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
  /** Lines that are not records: torn by a crash, or too long for a frame. Their numbers become gaps of the record. */
  skipped = 0;
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
      const chunk = readChunk(segment.path, segment.offset);
      const end = chunk.lastIndexOf(0x0a) + 1;
      if (end === 0) {
        const torn = chunk.length > 0 && this.#isLeft(segment);
        if (!torn && chunk.length < batchMaxBytes) return records; // the rest of the line is still to come
        segment.offset += chunk.length; // torn off by a crash, or longer than a batch: then its tail will not parse either
        this.skipped += 1;
        continue;
      }
      let at = 0;
      while (at < end && records.length < batchMaxRecords) {
        const stop = chunk.indexOf(0x0a, at);
        this.#take(segment, chunk.toString("utf8", at, stop), records);
        at = stop + 1;
      }
      segment.offset += at;
    }
    return records;
  }

  #take(segment: Segment, text: string, records: EvidenceBatch["records"][number][]): void {
    if (text === "") return;
    const record = parseLine(text);
    if (record === undefined) {
      this.skipped += 1;
      return;
    }
    segment.lastSeq = Math.max(segment.lastSeq, record.seq);
    records.push({ kind: record.kind, body: record.body });
  }
}

/** Where batches go: resolves when the batch is stored durably. */
export type Ingest = (batch: EvidenceBatch) => Promise<Acknowledgement>;

/**
 * Sends everything that a shipper has now and forgets what is acknowledged: the next batch is read while one is stored. Resolves with the
 * number of records; where `ingest` rejects, so does this, and the next call begins again with all that is not acknowledged.
 */
export async function drain(shipper: Shipper, ingest: Ingest): Promise<number> {
  let sent = 0;
  let before: Promise<Acknowledgement> | undefined;
  try {
    for (;;) {
      const batch = shipper.next();
      const stored = batch === null ? undefined : ingest(batch);
      stored?.catch(() => undefined); // heard of in its turn, or the one before it has failed
      if (before) shipper.acknowledge(await before);
      if (batch === null) return sent;
      before = stored;
      sent += batch.records.length;
    }
  } catch (error) {
    shipper.rewind();
    throw error;
  }
}

/** Highest number in a batch; 0 where it has none. */
export function lastSeqOf(batch: EvidenceBatch): number {
  return batch.records.reduce((last, { body }) => Math.max(last, seqOf(body) ?? 0), 0);
}

const kinds: ReadonlySet<string> = new Set(["entry", "packed", "watermark", "closing"]);

function parseLine(
  text: string,
):
  | { readonly kind: EvidenceBatch["records"][number]["kind"]; readonly body: unknown; readonly seq: number }
  | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // counted by the caller: a torn line
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { kind, body } = value as { kind?: unknown; body?: unknown };
  const seq = seqOf(body);
  if (typeof kind !== "string" || !kinds.has(kind) || seq === undefined) return undefined;
  return { kind: kind as EvidenceBatch["records"][number]["kind"], body, seq };
}

function seqOf(body: unknown): number | undefined {
  const seq: unknown = typeof body === "object" && body !== null ? (body as { seq?: unknown }).seq : undefined;
  return typeof seq === "number" && Number.isSafeInteger(seq) && seq > 0 ? seq : undefined;
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

function readChunk(path: string, offset: number): Buffer {
  let file: number;
  try {
    file = fs.openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return Buffer.alloc(0); // dropped by its emitter's own bound
    throw error;
  }
  try {
    const room = Math.min(batchMaxBytes, Math.max(0, fs.fstatSync(file).size - offset));
    const chunk = Buffer.allocUnsafe(room);
    return chunk.subarray(0, fs.readSync(file, chunk, 0, room, offset));
  } finally {
    fs.closeSync(file);
  }
}
