/**
 * A xorb: up to 8,192 chunks of files behind each other, each packed by itself behind a header of eight bytes. Read as it comes, piece by
 * piece; what a header announces is bounded before it is believed.
 */
import { chunkMaxBytes } from "./chunker.ts";
import { readLz4Frame } from "./lz4.ts";

export const xorbChunksMax = 8_192;
export const chunkHeaderBytes = 8;
/** Of chunks, without what stands before each. */
export const xorbContentMaxBytes = 64 << 20;
/** As it is sent: 64 MiB of what does not pack, with all headers that there may be. */
export const xorbMaxBytes = xorbContentMaxBytes + xorbChunksMax * chunkHeaderBytes;
/** With the table of their own that some writers put behind the chunks. */
export const sentXorbMaxBytes = xorbMaxBytes + (1 << 20);
/** A writer packs a chunk only where that makes it smaller; LZ4 adds little where it does not. */
const packedMaxBytes = 2 * chunkMaxBytes;
/** Begins what some writers put behind the chunks: nothing that the chunks do not say. */
const footerTag = Buffer.from("XETBLOB");

/** How a chunk is packed. */
const scheme = { none: 0, lz4: 1, planes: 2 } as const;

export interface ReadChunk {
  /** Good until whoever is given it returns. */
  readonly bytes: Uint8Array;
  /** Where its packed form ends in the xorb. */
  readonly packedEnd: number;
}

/** Where chunks are unpacked, each in the place of the one before: enough for all readers of a thread. */
export class ChunkMemory {
  #content: Uint8Array | undefined;
  #planes: Uint8Array | undefined;

  content(bytes: number): Uint8Array {
    return (this.#content ??= new Uint8Array(chunkMaxBytes)).subarray(0, bytes);
  }

  /** Of one that is to be put together of planes. */
  planes(bytes: number): Uint8Array {
    return (this.#planes ??= new Uint8Array(chunkMaxBytes)).subarray(0, bytes);
  }
}

/** Takes a xorb, or chunks of one, in pieces of any size. */
export class XorbReader {
  readonly #onChunk: (chunk: ReadChunk) => void;
  readonly #memory: ChunkMemory;
  /** The beginning of a chunk that has not come whole: so many bytes of this. */
  #left = new Uint8Array();
  #leftBytes = 0;
  #at = 0;
  #chunks = 0;
  #ended = false;

  constructor(onChunk: (chunk: ReadChunk) => void, memory = new ChunkMemory()) {
    this.#onChunk = onChunk;
    this.#memory = memory;
  }

  /** Says what is wrong with it. */
  feed(piece: Uint8Array): string | undefined {
    let from = 0;
    // What comes behind the chunks is its footer.
    while (from < piece.length && !this.#ended) {
      // What was left begins a chunk: as much is put to it as that lacks.
      const isNext = this.#leftBytes === 0;
      const part = piece.subarray(from, isNext ? piece.length : from + this.#lacking());
      const taken = this.#take(isNext ? part : this.#leave(part));
      if (typeof taken === "string") return taken;
      from += isNext && taken > 0 ? taken : part.length;
      if (taken > 0 || this.#ended) this.#leftBytes = 0;
      else if (isNext) this.#leave(part);
    }
    return undefined;
  }

  /** Bytes until there is a header, or until the chunk is whole. */
  #lacking(): number {
    const left = this.#leftBytes;
    return (left < chunkHeaderBytes ? chunkHeaderBytes : chunkHeaderBytes + readHeader(this.#left).packed) - left;
  }

  /** Puts it behind what was left; gives all of it. */
  #leave(part: Uint8Array): Uint8Array {
    const bytes = this.#leftBytes + part.length;
    if (bytes > this.#left.length) {
      const more = new Uint8Array(bytes <= chunkHeaderBytes + chunkMaxBytes ? chunkHeaderBytes + chunkMaxBytes : bytes);
      more.set(this.#left.subarray(0, this.#leftBytes));
      this.#left = more;
    }
    this.#left.set(part, this.#leftBytes);
    this.#leftBytes = bytes;
    return this.#left.subarray(0, bytes);
  }

  /** Says why this cannot be its end. */
  end(): string | undefined {
    if (this.#leftBytes > 0) return `chunk ${this.#chunks} of the xorb is cut off`;
    return this.#chunks === 0 ? "the xorb has no chunk" : undefined;
  }

  /** Bytes of the chunk at the beginning of `bytes`; 0 where it is not there whole. */
  #take(bytes: Uint8Array): number | string {
    if (bytes.length < chunkHeaderBytes) return 0;
    if (footerTag.equals(bytes.subarray(0, footerTag.length))) {
      this.#ended = true;
      return 0;
    }
    const which = `chunk ${this.#chunks} of the xorb`;
    const head = readHeader(bytes);
    if (head.version !== 0) return `${which} is of an unknown version`;
    if (head.length === 0 || head.length > chunkMaxBytes) return `${which} would have ${head.length} bytes`;
    if (head.packed === 0 || head.packed > packedMaxBytes) return `${which} would have ${head.packed} packed bytes`;
    if (this.#chunks === xorbChunksMax) return `the xorb has more than ${xorbChunksMax} chunks`;
    const end = chunkHeaderBytes + head.packed;
    if (this.#at + end > xorbMaxBytes) return `the xorb has more than ${xorbMaxBytes} bytes`;
    if (bytes.length < end) return 0;
    const content = unpack(head, bytes.subarray(chunkHeaderBytes, end), this.#memory);
    if (typeof content === "string") return `${which}: ${content}`;
    this.#at += end;
    this.#chunks += 1;
    this.#onChunk({ bytes: content, packedEnd: this.#at });
    return end;
  }
}

/** Whole chunks that are not packed: their bytes put together where they lie, without what stands before each. Undefined where one is packed, or not whole. */
export function joinPlain(chunks: Uint8Array): Uint8Array | undefined {
  const ends: number[] = [];
  for (let at = 0; at < chunks.length;) {
    if (at + chunkHeaderBytes > chunks.length) return undefined;
    const head = readHeader(chunks.subarray(at, at + chunkHeaderBytes));
    at += chunkHeaderBytes + head.packed;
    if (head.version !== 0 || head.scheme !== scheme.none || head.packed !== head.length || at > chunks.length)
      return undefined;
    ends.push(at);
  }
  let [start, filled] = [0, 0];
  for (const end of ends) {
    chunks.copyWithin(filled, start + chunkHeaderBytes, end);
    filled += end - start - chunkHeaderBytes;
    start = end;
  }
  return chunks.subarray(0, filled);
}

interface Header {
  readonly version: number;
  readonly packed: number;
  readonly scheme: number;
  readonly length: number;
}

function readHeader(bytes: Uint8Array): Header {
  const u24 = (at: number): number =>
    (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16);
  return { version: bytes[0] as number, packed: u24(1), scheme: bytes[4] as number, length: u24(5) };
}

/** Of a chunk whose bytes follow as they are. */
export function writeHeader(length: number, into: Uint8Array, at: number): void {
  into.fill(0, at, at + chunkHeaderBytes);
  for (const from of [at + 1, at + 5]) for (let n = 0; n < 3; n++) into[from + n] = (length >> (8 * n)) & 0xff;
  into[at + 4] = scheme.none;
}

function unpack({ scheme: how, length }: Header, packed: Uint8Array, memory: ChunkMemory): Uint8Array | string {
  if (how === scheme.none)
    return packed.length === length ? packed : `${packed.length} bytes instead of the ${length} announced`;
  if (how !== scheme.lz4 && how !== scheme.planes) return `it is packed in a way that is not known (${how})`;
  const content = memory.content(length);
  const read = how === scheme.lz4 ? content : memory.planes(length);
  const wrong = readLz4Frame(packed, read);
  if (wrong !== undefined) return wrong;
  if (how === scheme.planes) fromPlanes(read, content);
  return content;
}

/** First all bytes whose place is a multiple of four, then those after them, and so on: numbers of four bytes pack better so. */
function fromPlanes(planes: Uint8Array, bytes: Uint8Array): void {
  let at = 0;
  for (let plane = 0; plane < 4; plane++)
    for (let n = plane; n < bytes.length; n += 4) bytes[n] = planes[at++] as number;
}
