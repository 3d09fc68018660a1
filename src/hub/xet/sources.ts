/**
 * Where a client gets a file's chunks: ranges of stored xorbs, or, of a file that git-lfs brought, of xorbs that it would be, made while
 * they are sent from the bytes where they lie.
 */
import type { ConversionRow } from "../../catalog/large-files.ts";
import type { ByteRange } from "../../blobs/blobs.ts";
import { fileBytes } from "../../blobs/file-bytes.ts";
import { findLarge, type LargeNote } from "../lfs-store.ts";
import type { XetStore } from "./store.ts";
import { xorbKind } from "./stored-chunks.ts";
import { rangesByXorb, type ChunkLengths, type FileTerm } from "./terms.ts";
import { chunkHeaderBytes, writeHeader } from "./xorb.ts";
import type { ChunkRange } from "./xorb-table.ts";

/** A file that a repository has, as its terms. */
export interface Source {
  readonly bytes: number;
  readonly terms: readonly FileTerm[];
  tableOf(xorb: string): Promise<ChunkLengths>;
  /** Bytes `[from, to)` of the xorb as it is packed. */
  open(xorb: string, range: ByteRange): AsyncIterable<Uint8Array>;
}

/** What is at `folder` under that hash of Xet; undefined where the repository has no such file, whoever else has. */
export async function sourceOf(xet: XetStore, folder: string, hash: string): Promise<Source | undefined> {
  const sha256 = await xet.sha256Of(hash);
  const here = sha256 && (await findLarge(folder, sha256));
  // By the repository's own terms: whoever brought the same file elsewhere may have it in other xorbs.
  if (here && here.by === "xet" && here.hash === hash) return stored(xet, here);
  const converted = await xet.rows.conversion({ hash });
  const object = converted && (await findLarge(folder, converted.sha256));
  if (converted === undefined || object?.by !== "lfs") return undefined;
  // As where the file says its hash: one that was worked out of another's is not known here.
  const isKnown = (await xet.rows.convertedHash(converted.sha256, object.writtenAt)) !== undefined;
  return isKnown ? whole(converted, object.file) : undefined;
}

function stored(xet: XetStore, { size, terms }: LargeNote): Source {
  return {
    bytes: size,
    terms,
    tableOf: (xorb) => xet.table(xorb),
    open: (xorb, range) => xet.blobs.open({ kind: xorbKind, digest: xorb }, range),
  };
}

function whole({ bytes, xorbs }: ConversionRow, file: string): Source {
  const all = new Map<string, WholeXorb>();
  const terms: FileTerm[] = [];
  let start = 0;
  for (const { hash, lengths } of xorbs) {
    const xorb = new WholeXorb(file, start, lengths);
    const length = xorb.lengthOf({ from: 0, to: lengths.length });
    all.set(hash, xorb);
    terms.push({ xorb: hash, from: 0, to: lengths.length, bytes: length });
    start += length;
  }
  const found = (hash: string): WholeXorb => {
    const xorb = all.get(hash);
    if (xorb === undefined) throw new Error(`${hash} is no xorb of this file`);
    return xorb;
  };
  return { bytes, terms, tableOf: async (hash) => found(hash), open: (hash, range) => found(hash).open(range) };
}

/** A xorb of chunks that are not packed, whose bytes are a part of a file. */
class WholeXorb implements ChunkLengths {
  readonly #file: string;
  /** Where its bytes begin in the file. */
  readonly #start: number;
  readonly #lengths: readonly number[];
  /** Where each chunk begins, without headers; and where the last ends. */
  readonly #starts: readonly number[];

  constructor(file: string, start: number, lengths: readonly number[]) {
    this.#file = file;
    this.#start = start;
    this.#lengths = lengths;
    let at = 0;
    this.#starts = [0, ...lengths.map((length) => (at += length))];
  }

  get count(): number {
    return this.#lengths.length;
  }

  chunkLength(n: number): number {
    return this.#lengths[n] ?? 0;
  }

  lengthOf({ from, to }: ChunkRange): number {
    return (this.#starts[to] ?? 0) - (this.#starts[from] ?? 0);
  }

  packed({ from, to }: ChunkRange): { readonly start: number; readonly end: number } {
    return { start: this.#packedStart(from), end: this.#packedStart(to) };
  }

  #packedStart(n: number): number {
    return (this.#starts[n] ?? 0) + n * chunkHeaderBytes;
  }

  async *open({ from, to }: ByteRange): AsyncGenerator<Uint8Array> {
    let first = 0;
    while (first + 1 < this.count && this.#packedStart(first + 1) <= from) first += 1;
    const chunks = this.#chunks(first);
    let at = this.#packedStart(first);
    for await (const piece of chunks) {
      const begin = Math.max(0, from - at);
      const end = Math.min(piece.length, to - at);
      at += piece.length;
      if (begin < end) yield piece.subarray(begin, end);
      if (at >= to) return;
    }
  }

  /** From that chunk on: header and bytes of each, many together. */
  async *#chunks(first: number): AsyncGenerator<Uint8Array> {
    // Of one piece and its headers, used again for the next.
    let memory = Buffer.alloc(0);
    const joined = (parts: readonly Uint8Array[]): Uint8Array => {
      const length = parts.reduce((sum, part) => sum + part.length, 0);
      if (memory.length < length) memory = Buffer.allocUnsafeSlow(length);
      let at = 0;
      for (const part of parts) {
        memory.set(part, at);
        at += part.length;
      }
      return memory.subarray(0, length);
    };
    const start = this.#start + (this.#starts[first] ?? 0);
    const end = this.#start + (this.#starts.at(-1) ?? 0);
    let [chunk, left] = [first, this.chunkLength(first)];
    let isHeaded = false;
    for await (const piece of fileBytes(this.#file, { from: start, to: end })) {
      const parts: Uint8Array[] = [];
      for (let at = 0; at < piece.length;) {
        if (!isHeaded) parts.push(headerOf(this.chunkLength(chunk)));
        const taken = Math.min(left, piece.length - at);
        parts.push(piece.subarray(at, at + taken));
        at += taken;
        left -= taken;
        isHeaded = left > 0;
        if (!isHeaded) left = this.chunkLength(++chunk);
      }
      yield joined(parts);
    }
  }
}

function headerOf(length: number): Uint8Array {
  const header = new Uint8Array(chunkHeaderBytes);
  writeHeader(length, header, 0);
  return header;
}

/** Bytes of the xorb that belong to the file: of what else is in it, nothing may be read by the file's address. */
export async function allowedOf({ terms, tableOf }: Source, xorb: string): Promise<readonly ByteRange[]> {
  const ranges = rangesByXorb(terms).get(xorb) ?? [];
  if (ranges.length === 0) return [];
  const table = await tableOf(xorb);
  return ranges.map((range) => {
    const { start, end } = table.packed(range);
    return { from: start, to: end };
  });
}
