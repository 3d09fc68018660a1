/**
 * The large files of repositories, whichever way they came: by git-lfs they lie whole in the repository, by Xet in xorbs. Each is read as a
 * stream with ranges, and each has a hash of Xet; that of one that git-lfs brought is worked out when it is first asked for.
 */
import { stat } from "node:fs/promises";
import type { ConversionRow } from "../catalog/large-files.ts";
import type { ByteRange } from "../blobs/blobs.ts";
import { fileBytes } from "../blobs/file-bytes.ts";
import { gathered } from "../blobs/gathered.ts";
import { instant, type Clock } from "../stdx/time.ts";
import type { LfsPointer } from "./lfs-pointer.ts";
import { findObject, type LargeObject } from "./lfs-store.ts";
import type { Threads } from "./xet/threads.ts";
import type { XetStore } from "./xet/store.ts";

export interface LargeFilesOptions {
  readonly xet: XetStore;
  readonly threads: Threads;
  readonly clock: Pick<Clock, "wall">;
  onFailure(what: string, error: unknown): void;
}

type WholeObject = LargeObject & { readonly by: "lfs" };

/** Files that wait to be read for their hash of Xet; of one more it is worked out when it is asked for again. */
const waitingMax = 1_000;
/** To a thread at once. */
const pieceBytes = 1 << 20;

export class LargeFiles implements AsyncDisposable {
  readonly #options: LargeFilesOptions;
  /** Files by their SHA-256, in the order of asking; one is worked out at a time. */
  readonly #waiting = new Map<string, WholeObject>();
  #working: Promise<void> | undefined;
  #closed = false;

  constructor(options: LargeFilesOptions) {
    this.#options = options;
  }

  /** Its bytes `[from, to)`; all of them without `range`. A piece is good until the next is asked for. */
  open(object: LargeObject, range: ByteRange = { from: 0, to: object.size }): AsyncIterable<Uint8Array> {
    if (object.by === "xet") return this.#options.xet.open({ terms: object.terms, bytes: object.size }, range);
    return fileBytes(object.file, range);
  }

  /** Undefined where it is not worked out yet: then that begins, and who asks again later is told. */
  async xetHashOf(object: LargeObject): Promise<string | undefined> {
    // One that a backup was taken in the middle of is not known by its hash yet: it is read as every other is.
    if (object.by === "xet") return (await this.#options.xet.sha256Of(object.hash)) && object.hash;
    // What was worked out before it came is another's: that somebody has the same file is told to nobody.
    const known = await this.#options.xet.rows.convertedHash(object.oid, object.writtenAt);
    if (known === undefined) this.#begin(object);
    return known;
  }

  /** Of files that this repository has; undefined where it has none of that size, or the hash is not known yet. */
  async xetHashIn(repository: string, pointer: LfsPointer): Promise<string | undefined> {
    const object = await findObject(repository, pointer);
    return object && this.xetHashOf(object);
  }

  /** Until no hash is being worked out, nor waits for that. */
  async idle(): Promise<void> {
    await this.#working;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#waiting.clear();
    await this.idle();
  }

  #begin(object: WholeObject): void {
    const { oid } = object;
    if (this.#closed || this.#waiting.has(oid) || this.#waiting.size >= waitingMax) return;
    this.#waiting.set(oid, object);
    this.#working ??= this.#work().finally(() => (this.#working = undefined));
  }

  async #work(): Promise<void> {
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined) return;
      const [oid, object] = next;
      try {
        await this.#convert(object);
      } catch (error) {
        if (!this.#closed) this.#options.onFailure(`the hash of Xet of ${oid}`, error);
      }
      this.#waiting.delete(oid);
    }
  }

  /** Its chunks are found and nothing of it is stored again: xorbs of it are given from where it lies. */
  async #convert({ oid, file, writtenAt }: WholeObject): Promise<void> {
    const { threads, xet, clock } = this.#options;
    using job = threads.begin("convert");
    let bytes = 0;
    // The same memory goes to the thread and comes back.
    let memory: Uint8Array | undefined;
    const { size } = await stat(file);
    const pieces = gathered(
      fileBytes(file, { from: 0, to: size }),
      pieceBytes,
      () => memory ?? new Uint8Array(pieceBytes),
    );
    for await (const piece of pieces) {
      if (this.#closed) return;
      bytes += piece.length;
      ({ memory } = await job.take(piece));
    }
    const { hash, sha256, xorbs } = await job.end();
    if (sha256 !== oid) throw new Error(`the stored file is damaged: its SHA-256 is ${sha256}`);
    const row: ConversionRow = { sha256, hash, bytes, xorbs };
    // Not before it was written, whatever clock said when that was: else it would be worked out for ever.
    await xet.rows.keepConversion(row, instant(Math.max(clock.wall(), writtenAt)));
  }
}
