/**
 * The store of xorbs: takes what clients bring by the Xet protocol, checks all of it before anything refers to it, and gives files out of
 * it. A xorb is named only by who has brought it: nobody learns that a chunk is here from another's bytes, and nobody reads those.
 */
import { proposalHolder, type LargeFiles as Rows, type XetFileRow } from "../../catalog/large-files.ts";
import type { Blobs, ByteRange } from "../../blobs/blobs.ts";
import { gathered } from "../../blobs/gathered.ts";
import { giveBack } from "../../stdx/give-back.ts";
import type { RandomBytes } from "../../stdx/ids.ts";
import type { Clock } from "../../stdx/time.ts";
import { findLarge, noteLarge } from "../lfs-store.ts";
import { Kept } from "./kept.ts";
import { toHex } from "./hash-text.ts";
import { nameOf, refuseDamage, StoredChunks } from "./stored-chunks.ts";
import { writeXorbShard, type Shard, type ShardFile } from "./shard.ts";
import { bytesOf, partOf, type FileTerm } from "./terms.ts";
import type { Threads } from "./threads.ts";
import { sentXorbMaxBytes, xorbChunksMax, xorbMaxBytes } from "./xorb.ts";
import { tableMaxBytes, XorbTable } from "./xorb-table.ts";

/** Who brings something, and for which repository. */
export interface Scope {
  /** Its address without a slash before it, as `spaces/alice/app`. */
  readonly repository: string;
  readonly owner: string;
  readonly account: string;
  /** Whether what it shows is good for all that the account has, and not for this repository alone. */
  readonly whole: boolean;
  /** Whether it is for pull requests alone: of the repository it names only what the account brought for those. */
  readonly proposes?: boolean;
}

export type Taken =
  /** `fresh`: this scope had not brought it before. */
  | { readonly ok: true; readonly fresh: boolean }
  | {
      readonly ok: false;
      readonly says: string;
      /** It names what is not here, or is not the writer's to name. */
      readonly isMissing?: boolean;
    };

export interface XetStoreOptions {
  readonly blobs: Blobs;
  readonly rows: Rows;
  readonly threads: Threads;
  readonly clock: Pick<Clock, "wall">;
  readonly random: RandomBytes;
  readonly limits: XetLimits;
}

/** A term costs a writer 48 bytes and may stand for 64 MiB, which are read to be checked. */
export interface XetLimits {
  readonly fileMaxBytes: number;
  /** All files of one shard. */
  readonly shardFilesMaxBytes: number;
}

/** What goes to a thread, or to the disk, at once: two of them for each who writes. */
const pieceBytes = 1 << 18;
/** Of writers that we know no chunk but a file's last one is under 8 kB; eight times as many are nobody's. */
const chunkLeastBytes = 1 << 10;
/** Tables that were looked at lately, 330 KB each at the most: what some dozen clients are in the middle of. */
const tablesKept = 64;
/** Files that were asked for lately, two hashes each. */
const filesKept = 256;
/** Files of one shard that are being kept at once: as many as threads of Node wait for the disk. */
const keptAtOnce = 4;
/** Writers ask for a chunk where it begins a file, and for one of so many others. */
const askedFor = 1024n;
/** In one answer: a file of 8 GB, in 6 MB of tables; with the most chunks that xorbs may have it would be 50. */
const toldXorbsMax = 128;
/** Of those tables: no writer that we know has such small chunks that it would be more. */
const toldChunksMax = 1 << 18;
/** How long a client may go by what it was told of a chunk. */
const toldSeconds = 14 * 86_400;

export class XetStore {
  readonly blobs: Blobs;
  readonly rows: Rows;
  readonly #options: XetStoreOptions;
  readonly #tables = new Kept<XorbTable>(tablesKept);
  /** Their SHA-256 by their hashes of Xet. */
  readonly #files = new Kept<string>(filesKept);
  readonly #stored: StoredChunks;

  constructor(options: XetStoreOptions) {
    this.#options = options;
    const { blobs, threads } = options;
    this.#stored = new StoredChunks({ blobs, threads, tableOf: (xorb) => this.table(xorb) });
    this.blobs = options.blobs;
    this.rows = options.rows;
  }

  /** Throws what `bytes` throws, and what the disk does. */
  async putXorb(xorb: string, bytes: AsyncIterable<Uint8Array>, scope: Scope): Promise<Taken> {
    using _held = await this.blobs.hold([nameOf(xorb)]);
    const holders = holdersOf(scope);
    const before = await this.rows.held([xorb], namesOf(scope));
    try {
      if (await this.blobs.put(nameOf(xorb), this.#checked(xorb, bytes))) this.#tables.delete(xorb);
    } catch (error) {
      if (error instanceof WrongXorb) return { ok: false, says: error.message };
      throw error;
    }
    // Of what is stored: another may have brought the same chunks first, and packed otherwise.
    const { packedBytes, length } = await this.table(xorb);
    await this.rows.addXorb({ hash: xorb, packedBytes, bytes: length }, holders, this.#options.clock.wall());
    return { ok: true, fresh: !before.has(xorb) };
  }

  async *#checked(xorb: string, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    using job = this.#options.threads.begin("check");
    // It goes to the thread and comes back: while one is checked, the next is put together.
    const free: Uint8Array[] = [];
    let [came, checking]: [number, Promise<unknown>] = [0, Promise.resolve()];
    for await (const piece of gathered(bytes, pieceBytes, () => free.pop() ?? new Uint8Array(pieceBytes))) {
      came += piece.length;
      if (came > sentXorbMaxBytes) throw new WrongXorb(`the xorb has more than ${xorbMaxBytes} bytes`);
      await checking;
      yield piece; // It is written by now, and may be given away.
      checking = job.take(piece).then(({ memory }) => free.push(memory));
      checking.catch(() => undefined); // Awaited with the next piece.
    }
    await checking;
    for (const used of free) giveBack(used);
    const found = await job.end();
    if ("wrong" in found) throw new WrongXorb(found.wrong);
    if (found.hash !== xorb) throw new WrongXorb(`what was sent is the xorb ${found.hash}, not ${xorb}`);
    yield found.table;
  }

  /**
   * Files that were brought: each is checked against the xorbs that it names, and is the repository's from then on. What is not right of one
   * leaves it out, and all after it. `onProgress`: bytes that were looked at.
   */
  async putShard(
    { files }: Shard,
    scope: Scope,
    { folder, onProgress }: { readonly folder: string; readonly onProgress?: (done: number, all: number) => void },
  ): Promise<Taken> {
    const { fileMaxBytes, shardFilesMaxBytes } = this.#options.limits;
    const { bytes: all, largest, xorbs } = files;
    if (largest.bytes > fileMaxBytes)
      return { ok: false, says: `The file ${largest.hash} is too large: one file may have ${fileMaxBytes} bytes.` };
    if (all > shardFilesMaxBytes)
      return { ok: false, says: `The files of one shard may have ${shardFilesMaxBytes} bytes together, not ${all}.` };
    using _held = await this.blobs.hold(xorbs.map(nameOf));
    const held = await this.rows.held(xorbs, namesOf(scope));
    const missing = xorbs.find((xorb) => !held.has(xorb));
    if (missing !== undefined)
      return {
        ok: false,
        says: `The xorb ${missing} was not sent by you, or is not here any more: send it again.`,
        isMissing: true,
      };
    let [done, fresh] = [0, false];
    // Keeping one is waiting for the disk: meanwhile the next is checked.
    const keeping = new Set<Promise<void>>();
    try {
      for (const file of files) {
        const start = done;
        const checked = await this.#checkFile(file, {
          folder,
          onProgress: (bytes) => onProgress?.((done = start + bytes), all),
        });
        if ("says" in checked) return { ok: false, says: checked.says };
        fresh ||= !checked.known;
        if (keeping.size >= keptAtOnce) await Promise.race(keeping);
        const kept = this.#keep(checked.row, scope, folder).then(() => void keeping.delete(kept));
        keeping.add(kept);
        kept.catch(() => undefined); // Awaited below, or by the next.
      }
      await Promise.all(keeping);
    } finally {
      // Whatever it is answered, nothing of it goes on, and the xorbs are held until then.
      await Promise.allSettled(keeping);
    }
    return { ok: true, fresh };
  }

  /** `known`: the repository had it before. */
  async #checkFile(
    file: ShardFile,
    { folder, onProgress }: { readonly folder: string; readonly onProgress: (bytes: number) => void },
  ): Promise<{ readonly row: XetFileRow; readonly known: boolean } | { readonly says: string }> {
    const wrong = await this.#wrongTree(file);
    if (wrong !== undefined) return { says: wrong };
    const bytes = bytesOf(file.terms);
    const here = file.sha256 === null ? undefined : await findLarge(folder, file.sha256);
    // Its digest was checked when it came to this repository, and never is again: a writer of another learns nothing of it by the time.
    const known = here?.by === "xet" && here.hash === file.hash;
    const sha256 = known ? here.oid : await this.#digest(file.terms, onProgress);
    if (file.sha256 !== null && sha256 !== file.sha256)
      return { says: `The SHA-256 of file ${file.hash} is ${sha256}, not ${file.sha256}.` };
    return { row: { hash: file.hash, sha256, bytes, terms: file.terms }, known };
  }

  async #keep(row: XetFileRow, scope: Scope, folder: string): Promise<void> {
    const { hash, sha256, bytes, terms } = row;
    const at = this.#options.clock.wall();
    await this.rows.addFile(row, { holders: holdersOf(scope), chunks: await this.#places(terms), at });
    await noteLarge(folder, sha256, { size: bytes, hash, terms }, this.#options.random);
  }

  /** Whether the terms are what they are said to be, by the hashes of their chunks alone. */
  async #wrongTree({ hash, terms, verification }: ShardFile): Promise<string | undefined> {
    for (const [n, { xorb, to }] of terms.entries()) {
      const { count } = await this.table(xorb);
      if (to > count) return `Term ${n} of file ${hash} is of chunks to ${to}, and the xorb ${xorb} has ${count}.`;
    }
    const [chunks, all] = terms.reduce(([n, sum], { from, to, bytes }) => [n + to - from, sum + bytes], [0, 0]);
    if (chunks > all / chunkLeastBytes + xorbChunksMax) return `The chunks of file ${hash} are too small: ${chunks}.`;
    using job = this.#options.threads.begin("tree");
    for (const [n, { xorb, from, to, bytes }] of terms.entries()) {
      const table = await this.table(xorb);
      const which = `Term ${n} of file ${hash}`;
      const length = table.lengthOf({ from, to });
      if (length !== bytes) return `${which} has ${length} bytes, not ${bytes}.`;
      const { value: found } = await job.take(table.rows({ from, to }));
      if (verification !== null && verification[n] !== found) return `${which} is not verified by its chunks' hashes.`;
    }
    const found = await job.end();
    return found === hash ? undefined : `These terms make the file ${found}, not ${hash}.`;
  }

  /** The SHA-256 of a file, read once from the disk. */
  async #digest(terms: readonly FileTerm[], onProgress: (bytes: number) => void): Promise<string> {
    using job = this.#options.threads.begin("digest");
    const free: Uint8Array[] = [];
    let done = 0;
    let taking: Promise<void> = Promise.resolve();
    for await (const { packed, bytes } of this.#stored.packed(terms, free)) {
      await taking;
      taking = job.take(packed).then(({ value, memory }) => {
        refuseDamage(value);
        free.push(memory);
      });
      taking.catch(() => undefined); // Awaited with the next piece.
      onProgress((done += bytes));
    }
    await taking;
    for (const used of free) giveBack(used);
    return await job.end();
  }

  /** Chunks by which writers may ask for the xorbs of these terms. */
  async #places(terms: readonly FileTerm[]): Promise<readonly { chunk: string; xorb: string }[]> {
    const places = new Map<string, { chunk: string; xorb: string }>();
    for (const [n, { xorb, from, to }] of terms.entries()) {
      const table = await this.table(xorb);
      for (let at = from; at < to; at++) {
        const hash = table.hash(at);
        if ((n !== 0 || at !== from) && !isAskedFor(hash)) continue;
        const chunk = toHex(hash);
        places.set(`${chunk} ${xorb}`, { chunk, xorb });
      }
    }
    return [...places.values()];
  }

  /** Of a file that somebody has brought. What it is made of is said by the repository that has it, of what was brought there. */
  async sha256Of(hash: string): Promise<string | undefined> {
    const known = this.#files.get(hash) ?? (await this.rows.fileSha256(hash));
    if (known !== undefined) this.#files.set(hash, known);
    return known;
  }

  /** Of a stored xorb. Throws where there is none. */
  async table(xorb: string): Promise<XorbTable> {
    const known = this.#tables.get(xorb);
    if (known !== undefined) return known;
    const table = await this.readTable(xorb);
    if (table === undefined) throw new Error(`the xorb ${xorb} is not stored, or without its table`);
    this.#tables.set(xorb, table);
    return table;
  }

  /** As it lies on the disk; undefined where it does not. */
  async readTable(xorb: string): Promise<XorbTable | undefined> {
    const name = nameOf(xorb);
    const size = await this.blobs.size(name);
    if (size === undefined) return undefined;
    return XorbTable.read(await this.blobs.read(name, { from: Math.max(0, size - tableMaxBytes), to: size }));
  }

  /** It is removed: a file or a xorb. */
  forget(hash: string): void {
    this.#files.delete(hash);
    this.#tables.delete(hash);
  }

  /**
   * For one who brought it: the xorb that has this chunk, and those beside it in its files, as what comes next is likely to be there too;
   * each with all of its chunks. Undefined where none is.
   */
  async shardOf(chunk: string, scope: Scope): Promise<Buffer | undefined> {
    const names = namesOf(scope);
    const found = await this.rows.xorbOfChunk(chunk, names);
    if (found === undefined) return undefined;
    const beside = await this.rows.beside(found, names, toldXorbsMax);
    const xorbs = [found, ...beside.filter((xorb) => xorb !== found)];
    using _held = await this.blobs.hold(xorbs.map(nameOf));
    await this.rows.touch(xorbs, names, this.#options.clock.wall());
    // From here on none of them goes; one may have gone a moment before.
    const told: [string, XorbTable][] = [];
    let chunks = 0;
    for (const xorb of xorbs) {
      if ((await this.blobs.size(nameOf(xorb))) === undefined) continue;
      const table = await this.table(xorb);
      chunks += table.count;
      if (chunks > toldChunksMax) break;
      told.push([xorb, table]);
    }
    if (told.length === 0) return undefined;
    const now = Math.floor(this.#options.clock.wall() / 1000);
    return writeXorbShard(told, { now, until: now + toldSeconds });
  }

  /** The file's bytes `[from, to)`, some of them at a time. */
  async *open(
    { terms, bytes }: Pick<XetFileRow, "terms" | "bytes">,
    range: ByteRange = { from: 0, to: bytes },
  ): AsyncGenerator<Uint8Array> {
    const part = await partOf(terms, range, (xorb) => this.table(xorb));
    let [skip, left] = [part.skip, Math.min(range.to, bytes) - range.from];
    for await (const piece of this.#stored.unpacked(part.terms)) {
      const bytesHere = piece.subarray(skip, skip + left);
      skip = Math.max(0, skip - piece.length);
      left -= bytesHere.length;
      if (bytesHere.length > 0) yield bytesHere;
    }
    if (left > 0) throw new Error(`a file's terms have ${left} bytes less than it should`);
  }
}

class WrongXorb extends Error {}

function isAskedFor(hash: Uint8Array): boolean {
  return Buffer.from(hash.buffer, hash.byteOffset, hash.length).readBigUInt64LE(24) % askedFor === 0n;
}

/** Under which names it may use what was brought before. */
function namesOf({ repository, account, whole, proposes = false }: Scope): readonly string[] {
  const holder = proposes ? proposalHolder(repository, account) : repository;
  return whole ? [holder, `account/${account}`] : [holder];
}

function holdersOf(scope: Scope): readonly { readonly holder: string; readonly owner: string }[] {
  return namesOf(scope).map((holder) => ({ holder, owner: scope.owner }));
}
