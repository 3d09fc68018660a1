/** What the threads compute: each job takes bytes in pieces, in order, and says something at its end. Pure but for what it holds meanwhile. */
import { createHash } from "node:crypto";
import { Chunker } from "./chunker.ts";
import { XetHashes, type Leaf } from "./hashes.ts";
import { ChunkMemory, XorbReader, xorbChunksMax, xorbContentMaxBytes } from "./xorb.ts";
import { leavesOf, XorbTable } from "./xorb-table.ts";

/** A job's answer to what is wrong with the bytes. */
export interface Wrong {
  readonly wrong: string;
}

export interface CheckedXorb {
  readonly hash: string;
  readonly table: Uint8Array;
}

export interface Converted {
  readonly hash: string;
  readonly sha256: string;
  readonly xorbs: readonly { readonly hash: string; readonly lengths: readonly number[] }[];
}

export interface Jobs {
  /** A xorb's bytes; its name by what is in it, and its table. */
  check: { piece: undefined; end: CheckedXorb | Wrong };
  /** Whole packed chunks, in each piece; gives their bytes, in the memory that comes along. */
  unpack: { piece: Uint8Array | Wrong; end: undefined };
  /** The same; the SHA-256 over all of them. */
  digest: { piece: Wrong | undefined; end: string };
  /** Rows of xorbs' tables, those of a term in each piece: its verification; at the end the file's hash. */
  tree: { piece: string; end: string };
  /** A file's own bytes; what it is by Xet. */
  convert: { piece: undefined; end: Converted };
}
export type JobKind = keyof Jobs;

export interface Job<Kind extends JobKind> {
  /** The bytes go back after it: what is kept of them is copied. */
  take(bytes: Uint8Array, into?: Uint8Array): Jobs[Kind]["piece"];
  end(): Jobs[Kind]["end"];
}

/** Of a thread, whose jobs use them in turn. */
export class Tools {
  readonly hashes = new XetHashes();
  readonly memory = new ChunkMemory();
}

export const jobs: { readonly [Kind in JobKind]: (tools: Tools) => Job<Kind> } = {
  check: checkJob,
  unpack: unpackJob,
  digest: digestJob,
  tree: treeJob,
  convert: convertJob,
};

function checkJob({ hashes, memory }: Tools): Job<"check"> {
  const chunks: (Leaf & { packedEnd: number })[] = [];
  let wrong: string | undefined;
  const reader = new XorbReader(
    ({ bytes, packedEnd }) => chunks.push({ hash: hashes.chunk(bytes), length: bytes.length, packedEnd }),
    memory,
  );
  return {
    take: (bytes) => {
      wrong ??= reader.feed(bytes);
      return undefined;
    },
    end: () => {
      wrong ??= reader.end();
      if (wrong !== undefined) return { wrong };
      return { hash: hashes.xorb(chunks), table: XorbTable.of(chunks).bytes };
    },
  };
}

function unpackJob({ memory }: Tools): Job<"unpack"> {
  return {
    take: (packed, into = new Uint8Array()) => {
      let length = 0;
      const wrong = readWhole(packed, memory, (bytes) => {
        if (length + bytes.length <= into.length) into.set(bytes, length);
        length += bytes.length;
      });
      if (wrong !== undefined) return { wrong };
      return length <= into.length ? into.subarray(0, length) : { wrong: `its chunks have ${length} bytes` };
    },
    end: () => undefined,
  };
}

function digestJob({ memory }: Tools): Job<"digest"> {
  const sha256 = createHash("sha256");
  return {
    take: (packed) => {
      const wrong = readWhole(packed, memory, (bytes) => sha256.update(bytes));
      return wrong === undefined ? undefined : { wrong };
    },
    end: () => sha256.digest("hex"),
  };
}

function readWhole(packed: Uint8Array, memory: ChunkMemory, onChunk: (bytes: Uint8Array) => void): string | undefined {
  const reader = new XorbReader(({ bytes }) => onChunk(bytes), memory);
  return reader.feed(packed) ?? reader.end();
}

function treeJob({ hashes }: Tools): Job<"tree"> {
  const all: Leaf[] = [];
  return {
    take: (rows) => {
      const leaves = leavesOf(new Uint8Array(rows));
      for (const leaf of leaves) all.push(leaf);
      return hashes.verification(leaves);
    },
    end: () => hashes.file(all),
  };
}

function convertJob({ hashes }: Tools): Job<"convert"> {
  const sha256 = createHash("sha256");
  const chunker = new Chunker();
  const all: Leaf[] = [];
  const open = hashes.chunksInPieces();
  let length = 0;
  const close = (): void => {
    all.push({ hash: open.digest(), length });
    length = 0;
  };
  return {
    take: (bytes) => {
      sha256.update(bytes);
      for (let from = 0; from < bytes.length;) {
        const { end, cut } = chunker.next(bytes, from);
        open.update(bytes.subarray(from, end));
        length += end - from;
        from = end;
        if (cut) close();
      }
      return undefined;
    },
    end: () => {
      if (length > 0) close();
      const xorbs = groups(all).map((chunks) => ({
        hash: hashes.xorb(chunks),
        lengths: chunks.map((chunk) => chunk.length),
      }));
      return { hash: hashes.file(all), sha256: sha256.digest("hex"), xorbs };
    },
  };
}

/** As many chunks in each xorb as one may have. */
function groups(chunks: readonly Leaf[]): readonly (readonly Leaf[])[] {
  const found: Leaf[][] = [];
  let bytes = Infinity;
  for (const chunk of chunks) {
    if (bytes + chunk.length > xorbContentMaxBytes || (found.at(-1)?.length ?? 0) === xorbChunksMax) {
      found.push([]);
      bytes = 0;
    }
    found.at(-1)?.push(chunk);
    bytes += chunk.length;
  }
  return found;
}
