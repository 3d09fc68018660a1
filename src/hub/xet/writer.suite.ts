/** What a client of the Xet protocol writes, for tests: chunks into xorbs in every packing, files into shards. */
import { createHash } from "node:crypto";
import { Chunker } from "./chunker.ts";
import { fromHex } from "./hash-text.ts";
import type { Leaf, XetHashes } from "./hashes.ts";
import { chunkHeaderBytes, writeHeader } from "./xorb.ts";
import type { FileTerm } from "./terms.ts";
import type { ChunkRange } from "./xorb-table.ts";

export type Packing = "none" | "lz4" | "planes";
export const packings: readonly Packing[] = ["none", "lz4", "planes"];

/** The bytes that a seed stands for. */
export function bytesOf(seed: string, size: number): Buffer {
  return createHash("shake256", { outputLength: size }).update(seed).digest();
}

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

export function cut(bytes: Uint8Array, pieceBytes = bytes.length): readonly Uint8Array[] {
  const chunker = new Chunker();
  const chunks: Uint8Array[] = [];
  let start = 0;
  for (let piece = 0; piece < bytes.length; piece += pieceBytes) {
    const end = Math.min(bytes.length, piece + pieceBytes);
    for (let from = piece; from < end;) {
      const next = chunker.next(bytes.subarray(piece, end), from - piece);
      from = piece + next.end;
      if (!next.cut) continue;
      chunks.push(bytes.subarray(start, from));
      start = from;
    }
  }
  return start < bytes.length ? [...chunks, bytes.subarray(start)] : chunks;
}

export function packXorb(chunks: readonly Uint8Array[], how: (n: number) => Packing = () => "none"): Buffer {
  return Buffer.concat(chunks.flatMap((chunk, n) => pack(chunk, how(n))));
}

function pack(chunk: Uint8Array, how: Packing): readonly Uint8Array[] {
  const head = Buffer.alloc(chunkHeaderBytes);
  writeHeader(chunk.length, head, 0);
  if (how === "none") return [head, chunk];
  const packed = lz4Frame(how === "lz4" ? chunk : toPlanes(chunk));
  head.writeUIntLE(packed.length, 1, 3);
  head[4] = how === "lz4" ? 1 : 2;
  return [head, packed];
}

function toPlanes(bytes: Uint8Array): Uint8Array {
  const planes: number[] = [];
  for (let plane = 0; plane < 4; plane++) for (let n = plane; n < bytes.length; n += 4) planes.push(bytes[n] as number);
  return Uint8Array.from(planes);
}

/** One block, in which bytes that were there before, at most 65,535 earlier, are copied. */
export function lz4Frame(bytes: Uint8Array): Buffer {
  const block = lz4Block(bytes);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(block.length);
  return Buffer.concat([Buffer.from("04224d18604082", "hex"), size, block, Buffer.alloc(4)]);
}

function lz4Block(bytes: Uint8Array): Buffer {
  const seen = new Map<number, number>();
  const out: number[] = [];
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const long = (length: number): number[] =>
    length < 15 ? [] : [...Array<number>(Math.floor((length - 15) / 255)).fill(255), (length - 15) % 255];
  let from = 0;
  // The last five bytes are literals, and no match begins in the last twelve (LZ4 block format).
  for (let at = 0; at + 12 < bytes.length;) {
    const key = view.readUInt32LE(at);
    const before = seen.get(key);
    seen.set(key, at);
    if (before === undefined || at - before > 65_535) {
      at += 1;
      continue;
    }
    let match = 4;
    while (at + match < bytes.length - 5 && bytes[before + match] === bytes[at + match]) match += 1;
    const literals = bytes.subarray(from, at);
    const [first, second] = [Math.min(literals.length, 15), Math.min(match - 4, 15)];
    out.push((first << 4) | second, ...long(literals.length));
    for (const byte of literals) out.push(byte);
    out.push((at - before) & 0xff, (at - before) >> 8, ...long(match - 4));
    at += match;
    from = at;
  }
  const literals = bytes.subarray(from);
  out.push(Math.min(literals.length, 15) << 4, ...long(literals.length));
  for (const byte of literals) out.push(byte);
  return Buffer.from(out);
}

export interface SentFile {
  readonly hash: string;
  readonly terms: readonly FileTerm[];
  readonly verification?: readonly string[];
  readonly sha256?: string;
}

/** As hf_xet sends it: no footer, and no word of xorbs. */
export function packShard(files: readonly SentFile[]): Buffer {
  const head = Buffer.alloc(48);
  head.write("HFRepoMetaData\0", "latin1");
  head.write("556967456a7b815783a5bdd95ccdd14aa9", 15, "hex");
  head.writeBigUInt64LE(2n, 32);
  const bookend = Buffer.concat([Buffer.alloc(32, 0xff), Buffer.alloc(16)]);
  return Buffer.concat([head, ...files.flatMap(fileRows), bookend, bookend]);
}

function fileRows({ hash, terms, verification, sha256: digest }: SentFile): readonly Buffer[] {
  const flags = (verification ? 0x80000000 : 0) + (digest === undefined ? 0 : 0x40000000);
  return [
    row(hash, [flags, terms.length]),
    ...terms.map(({ xorb, bytes, from, to }) => row(xorb, [0, bytes, from, to])),
    ...(verification ?? []).map((one) => row(one, [])),
    ...(digest === undefined ? [] : [row(digest, [])]),
  ];
}

function row(hash: string, numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(48);
  bytes.set(fromHex(hash) as Uint8Array);
  for (const [n, value] of numbers.entries()) bytes.writeUInt32LE(value >>> 0, 32 + 4 * n);
  return bytes;
}

/** A file as a client would send it: one xorb with all of its chunks. */
export interface Upload {
  readonly bytes: Buffer;
  readonly chunks: readonly Uint8Array[];
  readonly leaves: readonly Leaf[];
  readonly xorb: string;
  readonly packed: Buffer;
  readonly file: Required<SentFile>;
}

export function uploadOf(hashes: XetHashes, bytes: Buffer, how?: (n: number) => Packing): Upload {
  const chunks = cut(bytes);
  const leaves = chunks.map((chunk) => ({ hash: hashes.chunk(chunk), length: chunk.length }));
  const xorb = hashes.xorb(leaves);
  const file = {
    hash: hashes.file(leaves),
    terms: [{ xorb, bytes: bytes.length, from: 0, to: chunks.length }],
    verification: [hashes.verification(leaves)],
    sha256: sha256(bytes),
  };
  return { bytes, chunks, leaves, xorb, packed: packXorb(chunks, how), file };
}

/** A file of its own that has these chunks of another's xorb. */
export function partOf(hashes: XetHashes, upload: Upload, { from, to }: ChunkRange): SentFile {
  const bytes = Buffer.concat(upload.chunks.slice(from, to));
  return {
    hash: hashes.file(upload.leaves.slice(from, to)),
    terms: [{ xorb: upload.xorb, from, to, bytes: bytes.length }],
    sha256: sha256(bytes),
  };
}

/** The same file out of two xorbs, as one sends it whose client divides it otherwise. */
export function inTwo(
  hashes: XetHashes,
  { chunks, leaves, file }: Upload,
): { readonly xorbs: readonly Pick<Upload, "xorb" | "packed">[]; readonly file: SentFile } {
  const middle = chunks.length >> 1;
  const parts = [
    { from: 0, to: middle },
    { from: middle, to: chunks.length },
  ].map(({ from, to }) => {
    const own = leaves.slice(from, to);
    const bytes = own.reduce((sum, { length }) => sum + length, 0);
    const term = { xorb: hashes.xorb(own), bytes, from: 0, to: own.length };
    return { term, verification: hashes.verification(own), packed: packXorb(chunks.slice(from, to)) };
  });
  return {
    xorbs: parts.map(({ term: { xorb }, packed }) => ({ xorb, packed })),
    file: {
      ...file,
      terms: parts.map(({ term }) => term),
      verification: parts.map(({ verification }) => verification),
    },
  };
}
