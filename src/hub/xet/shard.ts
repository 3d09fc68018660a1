/**
 * A shard: what a writer says of files and xorbs. Of a file: its terms, ranges of chunks in order, which make it up; of a xorb: its chunks.
 * Writers send it with a footer or without one. Pure.
 */
import { fromHex, hashBytes, toHex } from "./hash-text.ts";
import { bytesOf, type FileTerm } from "./terms.ts";
import type { XorbTable } from "./xorb-table.ts";

export const shardMaxBytes = 64 << 20;
/** Files that one shard names: each is checked, and a writer sends more shards where it has more. */
export const shardFilesMax = 100_000;
/** Xorbs that the files of one shard name: each is looked up, and has 64 MB. */
const shardXorbsMax = 100_000;
/** Of one file: one of the largest size has some hundred, and many more where most of it was there before. */
const termsMax = 50_000;

export interface ShardFile {
  readonly hash: string;
  readonly terms: readonly FileTerm[];
  /** One for each term; null where the writer gives none. */
  readonly verification: readonly string[] | null;
  readonly sha256: string | null;
}

export interface Shard {
  readonly files: ShardFiles;
  /** Names of the xorbs that it describes. What it says of them is not believed: they are here, or are not. */
  readonly xorbs: readonly string[];
}

/** Terms that are read in one step: less than a millisecond. */
const stepTerms = 500;
const rowBytes = 48;
const headTag = Buffer.concat([
  Buffer.from("HFRepoMetaData\0"),
  Buffer.from("556967456a7b815783a5bdd95ccdd14aa9", "hex"),
]);
const headVersion = 2n;
const withVerification = 0x80000000;
const withMetadata = 0x40000000;
const footerBytes = 200;

/** Says what is wrong with it. */
export function readShard(bytes: Buffer): Shard | string {
  const reading = readingShard(bytes);
  for (;;) {
    const step = reading.next();
    if (step.done === true) return step.value;
  }
}

/** {@link readShard} in steps, as a shard of the largest size takes a second. */
export function* readingShard(bytes: Buffer): Generator<void, Shard | string> {
  if (bytes.length < rowBytes || !headTag.equals(bytes.subarray(0, headTag.length))) return "it is no shard";
  if (bytes.readBigUInt64LE(32) !== headVersion) return "the shard is of an unknown version";
  const rows = new Rows(bytes);
  const found = { count: 0, bytes: 0, largest: { hash: "", bytes: 0 } };
  const named = new Set<string>();
  for (const file of readFiles(rows)) {
    if (typeof file === "string") return file;
    yield;
    if (file === undefined) continue;
    const size = bytesOf(file.terms);
    found.bytes += size;
    if (size > found.largest.bytes) found.largest = { hash: file.hash, bytes: size };
    for (const { xorb } of file.terms) named.add(xorb);
    if (++found.count > shardFilesMax) return `the shard has more than ${shardFilesMax} files`;
    if (named.size > shardXorbsMax) return `the shard's files name more than ${shardXorbsMax} xorbs`;
  }
  const xorbs = readXorbs(rows);
  return typeof xorbs === "string" ? xorbs : { files: new ShardFiles(bytes, { ...found, xorbs: [...named] }), xorbs };
}

interface FilesFound {
  readonly count: number;
  readonly bytes: number;
  readonly largest: { readonly hash: string; readonly bytes: number };
  readonly xorbs: readonly string[];
}

/** The files of a shard that is right, each read anew whenever it comes: all of them as objects are four times the shard's bytes. */
export class ShardFiles implements Iterable<ShardFile>, FilesFound {
  readonly count: number;
  /** Of all together. */
  readonly bytes: number;
  readonly largest: FilesFound["largest"];
  /** That their terms name, each once. */
  readonly xorbs: readonly string[];
  readonly #shard: Buffer;

  constructor(shard: Buffer, { count, bytes, largest, xorbs }: FilesFound) {
    this.#shard = shard;
    this.count = count;
    this.bytes = bytes;
    this.largest = largest;
    this.xorbs = xorbs;
  }

  *[Symbol.iterator](): Iterator<ShardFile> {
    for (const file of readFiles(new Rows(this.#shard))) if (typeof file === "object") yield file;
  }
}

class Rows {
  readonly #bytes: Buffer;
  #at = rowBytes;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** The next row; undefined where there is no whole one. */
  next(): Buffer | undefined {
    if (!this.has(1)) return undefined;
    this.#at += rowBytes;
    return this.#bytes.subarray(this.#at - rowBytes, this.#at);
  }

  has(count: number): boolean {
    return this.#at + count * rowBytes <= this.#bytes.length;
  }

  skip(count: number): void {
    this.#at += count * rowBytes;
  }
}

const cutOff = "the shard is cut off";
const isBookend = (row: Buffer): boolean => row.subarray(0, hashBytes).every((byte) => byte === 0xff);
const hashOf = (row: Buffer): string => toHex(row.subarray(0, hashBytes));

/** Each file, and undefined where it goes on for long; ends with what is wrong, where something is. `rows` is then behind them. */
function* readFiles(rows: Rows): Generator<ShardFile | string | undefined> {
  for (let head = rows.next(); head !== undefined; head = rows.next()) {
    if (isBookend(head)) return;
    yield yield* readFile(head, rows);
  }
  yield cutOff;
}

function* readFile(head: Buffer, rows: Rows): Generator<undefined, ShardFile | string> {
  const [hash, flags, count] = [hashOf(head), head.readUInt32LE(32), head.readUInt32LE(36)];
  const verified = (flags & withVerification) !== 0;
  if (!rows.has(verified ? 2 * count : count)) return cutOff;
  if (count > termsMax) return `file ${hash} has ${count} terms, and one may have ${termsMax}`;
  const terms: FileTerm[] = [];
  for (let n = 0; n < count; n++) {
    const row = rows.next() as Buffer;
    const [bytes, from, to] = [row.readUInt32LE(36), row.readUInt32LE(40), row.readUInt32LE(44)];
    if (from >= to) return `term ${n} of file ${hash} has no chunk`;
    terms.push({ xorb: hashOf(row), bytes, from, to });
    if (n % stepTerms === 0) yield;
  }
  const verification = verified ? Array.from({ length: count }, () => hashOf(rows.next() as Buffer)) : null;
  if ((flags & withMetadata) === 0) return { hash, terms, verification, sha256: null };
  const metadata = rows.next();
  return metadata === undefined ? cutOff : { hash, terms, verification, sha256: hashOf(metadata) };
}

/** A shard that is sent may end here: its writer knew of no new xorb. */
function readXorbs(rows: Rows): readonly string[] | string {
  const xorbs: string[] = [];
  for (;;) {
    const head = rows.next();
    if (head === undefined) return xorbs.length === 0 ? xorbs : cutOff;
    if (isBookend(head)) return xorbs;
    const count = head.readUInt32LE(36);
    if (!rows.has(count)) return cutOff;
    rows.skip(count);
    xorbs.push(hashOf(head));
  }
}

/** The answer to one who asks for a chunk: xorbs with all of their chunks. `now`, `until`: seconds since 1970. */
export function writeXorbShard(
  xorbs: readonly (readonly [hash: string, table: XorbTable])[],
  { now, until }: { readonly now: number; readonly until: number },
): Buffer {
  const head = Buffer.alloc(rowBytes);
  head.set(headTag);
  head.writeBigUInt64LE(headVersion, 32);
  head.writeBigUInt64LE(BigInt(footerBytes), 40);
  const body = Buffer.concat([head, bookend(), ...xorbs.map(([hash, table]) => xorbRows(hash, table)), bookend()]);
  const footer = Buffer.alloc(footerBytes);
  const [filesAt, xorbsAt] = [rowBytes, 2 * rowBytes];
  const offsets = [1, filesAt, xorbsAt, body.length, 0, body.length, 0, body.length, 0];
  for (const [n, value] of offsets.entries()) footer.writeBigUInt64LE(BigInt(value), 8 * n);
  footer.writeBigUInt64LE(BigInt(now), 104);
  footer.writeBigUInt64LE(BigInt(until), 112);
  footer.writeBigUInt64LE(BigInt(body.length), footerBytes - 8);
  return Buffer.concat([body, footer]);
}

function xorbRows(hash: string, table: XorbTable): Buffer {
  const rows = Buffer.alloc((table.count + 1) * rowBytes);
  writeRow(rows, 0, fromHex(hash) as Uint8Array, [0, table.count, table.length, table.packedBytes]);
  for (let [n, start] = [0, 0]; n < table.count; n++) {
    writeRow(rows, n + 1, table.hash(n), [start, table.chunkLength(n), 0, 0]);
    start += table.chunkLength(n);
  }
  return rows;
}

function writeRow(rows: Buffer, n: number, hash: Uint8Array, numbers: readonly number[]): void {
  rows.set(hash, n * rowBytes);
  for (const [place, value] of numbers.entries()) rows.writeUInt32LE(value, n * rowBytes + hashBytes + 4 * place);
}

function bookend(): Buffer {
  return Buffer.concat([Buffer.alloc(hashBytes, 0xff), Buffer.alloc(rowBytes - hashBytes)]);
}
