/** Blobs in a folder: each a file, written elsewhere first, synced, and then renamed to where it is looked for. */
import { link, mkdir, open, readdir, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { assert } from "../stdx/assert.ts";
import { newId, type RandomBytes } from "../stdx/ids.ts";
import { Turns } from "../stdx/turns.ts";
import { BlobMissing, isBlobName, type BlobName, type Blobs, type ByteRange, type ListedBlob } from "./blobs.ts";
import type { SweepRules, Swept } from "./blobs.ts";
import { fileBytes } from "./file-bytes.ts";
import { Holds } from "./holds.ts";

/** Where what comes in is written. */
const incoming = "incoming";

export class FolderBlobs implements Blobs {
  readonly #folder: string;
  readonly #within: string;
  readonly #random: RandomBytes;
  readonly #holds = new Holds();
  readonly #turns = new Turns();

  /** `folder` need not be there yet. `within`: what is over it, and has to be: it may be removed, and is never made again. */
  constructor(folder: string, random: RandomBytes, within = dirname(folder)) {
    this.#folder = folder;
    this.#within = within;
    this.#random = random;
  }

  /** Throws away what an earlier process left half. To be called before anything is put. */
  async recover(): Promise<void> {
    await rm(join(this.#folder, incoming), { recursive: true, force: true });
    await this.#make(join(this.#folder, incoming));
  }

  async put(name: BlobName, bytes: AsyncIterable<Uint8Array>): Promise<boolean> {
    const fresh = join(this.#folder, incoming, newId("i", this.#random));
    await this.#make(dirname(fresh));
    try {
      await write(fresh, bytes);
      // Of two who bring the same at once one comes first: what others read by then is never replaced.
      const isFresh = await this.#turns.take(this.fileOf(name), () => this.#moved(fresh, name));
      // Also where it was there: whoever brought it may have renamed it a moment ago, and wait for the disk as we do.
      await syncNames(this.fileOf(name));
      return isFresh;
    } finally {
      await rm(fresh, { force: true });
    }
  }

  /** False where it was there. */
  async #moved(fresh: string, name: BlobName): Promise<boolean> {
    if ((await this.size(name)) !== undefined) return false;
    await this.#make(dirname(this.fileOf(name)));
    await rename(fresh, this.fileOf(name));
    return true;
  }

  /** Keeps a file that lies elsewhere on the same disk, whole and durable, and is a blob of that name; it stays where it is, too. False where the blob was there. */
  async adopt(name: BlobName, file: string): Promise<boolean> {
    await this.#make(dirname(this.fileOf(name)));
    let isFresh = true;
    try {
      await link(file, this.fileOf(name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      isFresh = false;
    }
    await syncNames(this.fileOf(name)); // As in `put`.
    return isFresh;
  }

  async size(name: BlobName): Promise<number | undefined> {
    try {
      const found = await stat(this.fileOf(name));
      return found.isFile() ? found.size : undefined;
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  async *open(name: BlobName, range?: ByteRange): AsyncGenerator<Uint8Array> {
    try {
      yield* fileBytes(this.fileOf(name), range ?? { from: 0, to: (await stat(this.fileOf(name))).size });
    } catch (error) {
      throw isAbsent(error) ? new BlobMissing(name, { cause: error }) : error;
    }
  }

  async read(name: BlobName, { from, to }: ByteRange, into?: Uint8Array): Promise<Buffer> {
    await using handle = await this.#handle(name);
    const bytes =
      into !== undefined && into.length >= to - from
        ? Buffer.from(into.buffer, into.byteOffset, to - from)
        : Buffer.allocUnsafeSlow(to - from);
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, from + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  }

  async *list(kind: string): AsyncGenerator<ListedBlob> {
    for (const first of await namesIn(join(this.#folder, kind)))
      for (const second of await namesIn(join(this.#folder, kind, first)))
        for (const digest of await namesIn(join(this.#folder, kind, first, second))) {
          const name = { kind, digest };
          if (!isBlobName(name)) continue;
          const found = await stat(this.fileOf(name)).catch((error: unknown) => {
            if (isAbsent(error)) return undefined; // Removed meanwhile.
            throw error;
          });
          if (found) yield { ...name, bytes: found.size, storedAt: found.mtimeMs };
        }
  }

  async remove(name: BlobName): Promise<boolean> {
    try {
      await rm(this.fileOf(name));
      return true;
    } catch (error) {
      if (isAbsent(error)) return false;
      throw error;
    }
  }

  hold(names: readonly BlobName[]): Promise<Disposable> {
    return this.#holds.hold(names);
  }

  sweep(kind: string, rules: SweepRules): Promise<Swept> {
    return this.#holds.sweep(this, kind, rules);
  }

  /** Where a blob's file is, or would be. */
  fileOf(name: BlobName): string {
    assert(isBlobName(name), "a blob's name leads nowhere else", `${name.kind}/${name.digest}`);
    return join(this.#folder, name.kind, name.digest.slice(0, 2), name.digest.slice(2, 4), name.digest);
  }

  /** One after the other: where what is over all of them is gone, so are they. */
  async #make(folder: string): Promise<void> {
    let path = this.#within;
    for (const part of relative(path, folder).split(sep)) {
      path = join(path, part);
      try {
        await mkdir(path, { mode: 0o700 });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
    }
  }

  async #handle(name: BlobName): Promise<FileHandle> {
    try {
      return await open(this.fileOf(name));
    } catch (error) {
      throw isAbsent(error) ? new BlobMissing(name, { cause: error }) : error;
    }
  }
}

async function write(file: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  await using handle = await open(file, "wx", 0o644);
  for await (const piece of bytes) await writeAll(handle, piece);
  await handle.sync();
}

async function writeAll(handle: FileHandle, piece: Uint8Array): Promise<void> {
  for (let at = 0; at < piece.length;) at += (await handle.write(piece, at)).bytesWritten;
}

async function syncNames(final: string): Promise<void> {
  // The file's name, and those of the folders that may be new with it.
  const [second, first, kind] = [dirname(final), dirname(dirname(final)), dirname(dirname(dirname(final)))];
  // At once, so that a journalling file system does all of them in one go.
  await Promise.all(
    [second, first, kind, dirname(kind)].map(async (folder) => {
      await using handle = await open(folder);
      await handle.sync();
    }),
  );
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes(String((error as { code?: unknown }).code));
}
