/** The chunks of stored xorbs, some whole ones at a time, as they are packed or unpacked: in memory that is used again for the next. */
import type { BlobName, Blobs } from "../../blobs/blobs.ts";
import { giveBack } from "../../stdx/give-back.ts";
import type { Wrong } from "./jobs.ts";
import type { FileTerm } from "./terms.ts";
import type { RunningJob, Threads } from "./threads.ts";
import { joinPlain } from "./xorb.ts";
import type { ChunkRange, XorbTable } from "./xorb-table.ts";

export const xorbKind = "xorbs";
export const nameOf = (xorb: string): BlobName => ({ kind: xorbKind, digest: xorb });

/** Read at once: two average chunks, or the largest that is not packed. Two of them for each who reads. */
const packedMaxBytes = 132 << 10;
/** Unpacked at once: two of them for each who reads what is packed. */
const unpackedMaxBytes = 1 << 18;

export interface StoredChunksOptions {
  readonly blobs: Pick<Blobs, "read">;
  readonly threads: Threads;
  tableOf(xorb: string): Promise<XorbTable>;
}

/** Some chunks of a file, and where their memory goes when they were used. */
interface Piece {
  readonly content: Uint8Array;
  readonly free: Uint8Array[];
}

export class StoredChunks {
  readonly #options: StoredChunksOptions;

  constructor(options: StoredChunksOptions) {
    this.#options = options;
  }

  /** The terms' bytes. While one piece is used, the next is read and unpacked. Each is good until the next is asked for. */
  async *unpacked(terms: readonly FileTerm[]): AsyncGenerator<Uint8Array> {
    const free = { packed: [] as Uint8Array[], unpacked: [] as Uint8Array[] };
    const pieces = this.packed(terms, free.packed);
    let job: RunningJob<"unpack"> | undefined;
    const load = async (): Promise<Piece | undefined> => {
      const next = await pieces.next();
      if (next.done === true) return undefined;
      const { packed } = next.value;
      // What does not pack is most of what is large: it needs no thread.
      const plain = joinPlain(packed);
      if (plain !== undefined) return { content: plain, free: free.packed };
      job ??= this.#options.threads.begin("unpack");
      const { value, memory } = await job.take(packed, free.unpacked.pop() ?? new Uint8Array(unpackedMaxBytes));
      free.packed.push(memory);
      return { content: refuseDamage(value), free: free.unpacked };
    };
    let loading = load();
    try {
      for (;;) {
        const piece = await loading;
        if (piece === undefined) {
          for (const used of [...free.packed, ...free.unpacked]) giveBack(used);
          return;
        }
        loading = load();
        loading.catch(() => undefined); // Awaited in the next round.
        yield piece.content;
        piece.free.push(new Uint8Array(piece.content.buffer));
      }
    } finally {
      await loading.catch(() => undefined); // Whoever read has gone, or has been told.
      job?.[Symbol.dispose]();
    }
  }

  /** As they are stored, in memory out of `free` where some is there. */
  async *packed(
    terms: readonly FileTerm[],
    free: Uint8Array[],
  ): AsyncGenerator<{ readonly packed: Uint8Array; readonly bytes: number }> {
    const { blobs, tableOf } = this.#options;
    for (const { xorb, ...chunks } of terms) {
      const table = await tableOf(xorb);
      for (const range of pieces(table, chunks)) {
        const { start, end } = table.packed(range);
        const memory = free.pop() ?? new Uint8Array(packedMaxBytes);
        const packed = await blobs.read(nameOf(xorb), { from: start, to: end }, memory);
        if (packed.length !== end - start) throw new Error(`the xorb ${xorb} is shorter than its table says`);
        yield { packed, bytes: table.lengthOf(range) };
      }
    }
  }
}

/** A xorb was whole when it was stored, so what is not now is the disk's fault. */
export function refuseDamage<Value extends Uint8Array | undefined>(answer: Value | Wrong): Value {
  if (isWrong(answer)) throw new Error(`a stored xorb is damaged: ${answer.wrong}`);
  return answer;
}

function isWrong(answer: Uint8Array | Wrong | undefined): answer is Wrong {
  return answer !== undefined && "wrong" in answer;
}

function* pieces(table: XorbTable, { from, to }: ChunkRange): Generator<ChunkRange> {
  for (let first = from; first < to;) {
    const limit = table.packedEnd(first - 1) + packedMaxBytes;
    let last = first + 1;
    let bytes = table.chunkLength(first);
    // What packs very well is no reason to have very much of it at once.
    for (; last < to && table.packedEnd(last) <= limit; last++) {
      if (bytes + table.chunkLength(last) > unpackedMaxBytes) break;
      bytes += table.chunkLength(last);
    }
    yield { from: first, to: last };
    first = last;
  }
}
