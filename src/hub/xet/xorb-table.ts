/**
 * What is known of a stored xorb's chunks: each one's hash, length and where its packed form ends. It is kept behind the xorb's own bytes,
 * in the same blob, so that neither is ever there without the other.
 */
import { hashBytes } from "./hash-text.ts";
import type { Leaf } from "./hashes.ts";
import { xorbChunksMax } from "./xorb.ts";

const rowBytes = hashBytes + 8;
const tag = Buffer.from("WBXORB1\0");
export const tableEndBytes = 16;
/** A table with its end: what is read to have all of any. */
export const tableMaxBytes = xorbChunksMax * rowBytes + tableEndBytes;

/** A part of a xorb: chunks `[from, to)`. */
export interface ChunkRange {
  readonly from: number;
  readonly to: number;
}

export class XorbTable {
  readonly #rows: Buffer;

  private constructor(rows: Uint8Array) {
    this.#rows = Buffer.from(rows.buffer, rows.byteOffset, rows.length);
  }

  static of(chunks: readonly (Leaf & { readonly packedEnd: number })[]): XorbTable {
    const rows = Buffer.alloc(chunks.length * rowBytes);
    for (const [n, { hash, length, packedEnd }] of chunks.entries()) {
      rows.set(hash, n * rowBytes);
      rows.writeUInt32LE(length, n * rowBytes + hashBytes);
      rows.writeUInt32LE(packedEnd, n * rowBytes + hashBytes + 4);
    }
    return new XorbTable(rows);
  }

  /** The table at the end of a blob; `tail`: its last bytes, at least {@link tableMaxBytes} of them where it has so many. */
  static read(tail: Buffer): XorbTable | undefined {
    const at = tail.length - tableEndBytes;
    if (at < 0 || !tag.equals(tail.subarray(at + 8))) return undefined;
    const from = at - tail.readUInt32LE(at) * rowBytes;
    // Its own: what stands before it is not kept alive by it.
    return from < 0 ? undefined : new XorbTable(new Uint8Array(tail.subarray(from, at)));
  }

  /** As it stands at the end of a blob. */
  get bytes(): Uint8Array {
    const end = Buffer.alloc(tableEndBytes);
    end.writeUInt32LE(this.count, 0);
    end.writeUInt32LE(this.packedBytes, 4);
    end.set(tag, 8);
    return Buffer.concat([this.#rows, end]);
  }

  get count(): number {
    return this.#rows.length / rowBytes;
  }

  get packedBytes(): number {
    return this.packedEnd(this.count - 1);
  }

  get length(): number {
    return this.lengthOf({ from: 0, to: this.count });
  }

  hash(n: number): Uint8Array {
    return this.#rows.subarray(n * rowBytes, n * rowBytes + hashBytes);
  }

  chunkLength(n: number): number {
    return this.#rows.readUInt32LE(n * rowBytes + hashBytes);
  }

  /** Of all chunks of the range together. */
  lengthOf({ from, to }: ChunkRange): number {
    let sum = 0;
    for (let n = from; n < to; n++) sum += this.chunkLength(n);
    return sum;
  }

  packedEnd(n: number): number {
    return n < 0 ? 0 : this.#rows.readUInt32LE(n * rowBytes + hashBytes + 4);
  }

  /** Where the range lies in the xorb: bytes `[start, end)`. */
  packed({ from, to }: ChunkRange): { readonly start: number; readonly end: number } {
    return { start: this.packedEnd(from - 1), end: this.packedEnd(to - 1) };
  }

  /** Its rows, as {@link leavesOf} reads them. */
  rows({ from, to }: ChunkRange): Uint8Array {
    return new Uint8Array(this.#rows.subarray(from * rowBytes, to * rowBytes));
  }
}

export function leavesOf(rows: Uint8Array): Leaf[] {
  const view = new DataView(rows.buffer, rows.byteOffset, rows.byteLength);
  const leaves: Leaf[] = [];
  for (let at = 0; at < rows.length; at += rowBytes)
    leaves.push({ hash: rows.subarray(at, at + hashBytes), length: view.getUint32(at + hashBytes, true) });
  return leaves;
}
