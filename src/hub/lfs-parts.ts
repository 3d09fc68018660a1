/**
 * Large files that come in parts (the Hub's `multipart` transfer): each part is kept when it has come whole, so a transfer that broke off
 * goes on with the next one; together they are checked as any other file is.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { FolderBlobs } from "../blobs/folder.ts";
import type { BlobName } from "../blobs/blobs.ts";
import { gathered } from "../blobs/gathered.ts";
import { giveBack } from "../stdx/give-back.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { Turns } from "../stdx/turns.ts";
import type { LfsPointer } from "./lfs-pointer.ts";
import { findOwn, type LfsStore, type Stored } from "./lfs-store.ts";

/** What a client sends again at the most after a break; a file of the largest size has 320. */
export const partBytes = 64 << 20;

/** What is hashed and written at once. */
const pieceBytes = 1 << 18;

export const partsOf = ({ size }: LfsPointer): number => Math.ceil(size / partBytes);

export type PartTaken =
  | { readonly ok: true; readonly etag: string }
  | { readonly ok: false; readonly status: 413 | 422 | 507; readonly says: string };

export interface LfsPartsOptions {
  readonly store: LfsStore;
  readonly random: RandomBytes;
}

export class LfsParts {
  readonly #options: LfsPartsOptions;
  readonly #turns = new Turns();

  constructor(options: LfsPartsOptions) {
    this.#options = options;
  }

  /** The part of this number, from 1 on. Throws what `bytes` throws, and what the disk does. */
  async put(
    repository: string,
    pointer: LfsPointer,
    number: number,
    bytes: AsyncIterable<Uint8Array>,
  ): Promise<PartTaken> {
    const size = sizeOf(pointer, number);
    if (size === undefined) return { ok: false, status: 422, says: `this file has parts 1 to ${partsOf(pointer)}` };
    const parts = partsIn(repository, this.#options.random);
    // What was never put together counts until it is swept.
    const waiting = await bytesIn(parts);
    const refused = await this.#options.store.refuse(repository, waiting + size);
    if (refused?.refusal === "disk-full") return { ok: false, status: 507, says: refused.says };
    if (refused?.refusal === "no-room") return { ok: false, status: 413, says: refused.says };
    if (waiting > 0 && refused)
      return {
        ok: false,
        status: 413,
        says: `${waiting} bytes of parts wait to be put together here; go on with those`,
      };
    const digest = createHash("sha256");
    const name = nameOf(pointer, number);
    const memory = new Uint8Array(Math.min(pieceBytes, Math.max(1, size)));
    try {
      // One that is sent again may be another: the last is what counts.
      await parts.remove(name);
      await parts.put(
        name,
        checked(
          gathered(bytes, memory.length, () => memory),
          size,
          digest,
        ),
      );
    } catch (error) {
      if (error instanceof WrongPart) return { ok: false, status: 422, says: error.message };
      throw error;
    } finally {
      giveBack(memory);
    }
    return { ok: true, etag: `"${digest.digest("hex")}"` };
  }

  /**
   * All of them as one file, by the account that sends; whether that was taken or not, the parts are gone. Whoever says so again, as after
   * an answer that was lost, is told the same.
   */
  join(repository: string, pointer: LfsPointer, by: string): Promise<Stored> {
    // Of two at once the second finds what the first has made.
    return this.#turns.take(`${repository} ${pointer.oid}`, () => this.#join(repository, pointer, by));
  }

  async #join(repository: string, pointer: LfsPointer, by: string): Promise<Stored> {
    const parts = partsIn(repository, this.#options.random);
    const names = Array.from({ length: partsOf(pointer) }, (_, n) => nameOf(pointer, n + 1));
    for (const [n, name] of names.entries()) {
      if ((await parts.size(name)) === sizeOf(pointer, n + 1)) continue;
      if ((await findOwn(repository, pointer.oid))?.size === pointer.size) return { ok: true };
      return { ok: false, refusal: "wrong-content", says: `its part ${n + 1} has not come` };
    }
    const whole = (async function* () {
      for (const name of names) yield* parts.open(name);
    })();
    const stored = await this.#options.store.put(repository, pointer, whole, by);
    if (stored.ok || stored.refusal === "wrong-content") for (const name of names) await parts.remove(name);
    return stored;
  }
}

/** Removes parts that were not put together since `before`, milliseconds since 1970. */
export async function sweepParts(repository: string, before: number, random: RandomBytes): Promise<void> {
  await partsIn(repository, random).sweep(kind, { before, isReferred: () => false });
}

/** Bytes of parts that wait to be put together. */
export function waitingBytes(repository: string, random: RandomBytes): Promise<number> {
  return bytesIn(partsIn(repository, random));
}

class WrongPart extends Error {}

const kind = "parts";

function partsIn(repository: string, random: RandomBytes): FolderBlobs {
  return new FolderBlobs(join(repository, "lfs", "multipart"), random, repository);
}

async function bytesIn(parts: FolderBlobs): Promise<number> {
  let sum = 0;
  for await (const { bytes } of parts.list(kind)) sum += bytes;
  return sum;
}

/** By whose part it is: what is in it is known when all are there. */
function nameOf({ oid, size }: LfsPointer, number: number): BlobName {
  return { kind, digest: createHash("sha256").update(`${oid}\n${size}\n${number}`).digest("hex") };
}

function sizeOf(pointer: LfsPointer, number: number): number | undefined {
  const count = partsOf(pointer);
  if (number < 1 || number > count) return undefined;
  return number < count ? partBytes : pointer.size - (count - 1) * partBytes;
}

async function* checked(
  bytes: AsyncIterable<Uint8Array>,
  size: number,
  digest: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array> {
  let came = 0;
  for await (const piece of bytes) {
    came += piece.length;
    if (came > size) throw new WrongPart(`this part has more than ${size} bytes`);
    digest.update(piece);
    yield piece;
  }
  if (came !== size) throw new WrongPart(`${came} bytes instead of the ${size} of this part`);
}
