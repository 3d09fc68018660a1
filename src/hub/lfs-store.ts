/**
 * Large files of repositories: each under the SHA-256 of its bytes, in the repository's own folder, where git-lfs keeps them too. One is
 * there whole and on disk, or not at all.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { FolderBlobs } from "../blobs/folder.ts";
import { gathered } from "../blobs/gathered.ts";
import { giveBack } from "../stdx/give-back.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { instant, type Instant } from "../stdx/time.ts";
import type { TermRow } from "../catalog/large-files.ts";
import { isOneOf } from "./errors.ts";
import { isLfsOid, type LfsPointer } from "./lfs-pointer.ts";

export interface LfsLimits {
  readonly fileMaxBytes: number;
  /** All large files of one repository. */
  readonly repositoryMaxBytes: number;
  /** What stays free on the disk, for the journal and all else that must be written. */
  readonly freeMinBytes: number;
}

export const lfsLimits: LfsLimits = {
  fileMaxBytes: 20 * 2 ** 30,
  repositoryMaxBytes: 100 * 2 ** 30,
  freeMinBytes: 2 ** 30,
};

/** What is hashed and written at once. */
const pieceBytes = 1 << 18;
/** The kind of blob that they are. */
const objects = "objects";
/** Of notes of what lies elsewhere; in a folder of their own, with what comes in for it. */
const notes = "notes";
const proposed = "proposed";

export interface Refusal {
  readonly ok: false;
  /** `no-room`: in the repository. */
  readonly refusal: "wrong-content" | "too-large" | "no-room" | "disk-full" | "too-much-at-once";
  readonly says: string;
}

export type Stored = { readonly ok: true } | Refusal;

/** A large file of a repository, by whichever way its bytes came. */
export type LargeObject = LfsPointer &
  (
    | {
        readonly by: "lfs";
        /** Where its bytes lie. */
        readonly file: string;
        /** When they were written there. */
        readonly writtenAt: Instant;
      }
    | {
        readonly by: "xet";
        /** Its hash of Xet. */
        readonly hash: string;
        /** Where its bytes are in the store of xorbs. */
        readonly terms: readonly TermRow[];
      }
  );

/** What the repository has under this SHA-256; undefined where it has nothing, or `oid` is none. */
export async function findLarge(repository: string, oid: string): Promise<LargeObject | undefined> {
  if (!isLfsOid(oid)) return undefined;
  return (await findOwn(repository, oid)) ?? findProposed(repository, oid);
}

/** The same without what git-lfs brought for pull requests. */
export async function findOwn(repository: string, oid: string): Promise<LargeObject | undefined> {
  const whole = await findWhole(repository, oid);
  if (whole !== undefined) return whole;
  const note = await readNote(repository, oid);
  return note && { oid, ...note, by: "xet" };
}

async function findWhole(folder: string, oid: string): Promise<LargeObject | undefined> {
  const file = objectFile(folder, oid);
  const found = await statOf(file);
  return found && { oid, size: found.size, by: "lfs", file, writtenAt: instant(found.mtimeMs) };
}

/** One that git-lfs brought for a pull request. */
async function findProposed(repository: string, oid: string): Promise<LargeObject | undefined> {
  const folders = await proposalFolders(repository);
  for (const folder of folders) {
    const found = await findWhole(folder, oid);
    if (found !== undefined) return found;
  }
  // It may have been taken since it was looked for there.
  return folders.length === 0 ? undefined : findWhole(repository, oid);
}

/**
 * Where files lie that the account, which may not write to the repository, has brought by git-lfs: a place as the repository's own, so that
 * they are counted apart from those.
 */
export function proposalFolder(repository: string, account: string): string {
  return join(repository, "lfs", proposed, account);
}

/** Makes that place in a repository that is there. */
export async function makeProposalFolder(repository: string, account: string): Promise<string> {
  const folder = proposalFolder(repository, account);
  for (const path of [dirname(dirname(folder)), dirname(folder), folder])
    await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
      if (!isOneOf(error, ["EEXIST"])) throw error;
    });
  return folder;
}

/** One for each account that has brought some. */
export async function proposalFolders(repository: string): Promise<readonly string[]> {
  const folder = join(repository, "lfs", proposed);
  const accounts = await readdir(folder).catch((error: unknown) => {
    if (isOneOf(error, ["ENOENT"])) return []; // Nobody has.
    throw error;
  });
  return accounts.map((account) => join(folder, account));
}

/** What it has that is what the pointer says; undefined where the bytes are not here, or are others. */
export async function findObject(repository: string, { oid, size }: LfsPointer): Promise<LargeObject | undefined> {
  const object = await findLarge(repository, oid);
  return object?.size === size ? object : undefined;
}

export interface LargeNote {
  readonly size: number;
  readonly hash: string;
  readonly terms: readonly TermRow[];
}

/**
 * The repository's own word that a file of the store of xorbs is its too, with all that is needed to read it: it goes where the repository
 * goes, and a copy of both is whole.
 */
export async function noteLarge(repository: string, oid: string, note: LargeNote, random: RandomBytes): Promise<void> {
  const bytes = Buffer.from(JSON.stringify(note));
  await notesOf(repository, random).put(
    { kind: notes, digest: oid },
    (async function* () {
      yield bytes;
    })(),
  );
}

/** All that it has by Xet. */
export async function* notedLarge(repository: string, random: RandomBytes): AsyncGenerator<LfsPointer & LargeNote> {
  for await (const { digest } of notesOf(repository, random).list(notes)) {
    const note = await readNote(repository, digest);
    if (note !== undefined) yield { oid: digest, ...note };
  }
}

function notesOf(repository: string, random: RandomBytes): FolderBlobs {
  return new FolderBlobs(join(repository, "lfs", "xet"), random, repository);
}

async function readNote(repository: string, oid: string): Promise<LargeNote | undefined> {
  try {
    return JSON.parse(
      await readFile(join(repository, "lfs", "xet", notes, oid.slice(0, 2), oid.slice(2, 4), oid), "utf8"),
    ) as LargeNote;
  } catch (error) {
    if (isOneOf(error, ["ENOENT", "ENOTDIR"])) return undefined;
    throw error;
  }
}

/** Bytes of the file that is stored under this SHA-256; undefined where none is. */
export async function storedSize(repository: string, oid: string): Promise<number | undefined> {
  return (await findLarge(repository, oid))?.size;
}

export class LfsStore {
  readonly #random: RandomBytes;
  readonly #limits: LfsLimits;
  /** Bytes that are stored or on their way, by repository. */
  readonly #used = new Map<string, Promise<number>>();
  /** Bytes that were let in and have not come yet, of all repositories: the disk needs room for them too. */
  #awaited = 0;
  /** Of them, by the account that sends. */
  readonly #awaitedOf = new Map<string, number>();

  constructor(random: RandomBytes, limits: Partial<LfsLimits> = {}) {
    this.#random = random;
    this.#limits = { ...lfsLimits, ...limits };
  }

  /** Why a file of this size cannot be taken now; undefined where it can. */
  async refuse(repository: string, size: number): Promise<Refusal | undefined> {
    return this.#whyNot(repository, size, (await this.usedBy(repository)) + size);
  }

  /**
   * Takes the bytes in, and keeps them if they are what the pointer says. Throws what `bytes` throws, and what the disk does. `by`: the
   * account that sends.
   */
  async put(repository: string, pointer: LfsPointer, bytes: AsyncIterable<Uint8Array>, by: string): Promise<Stored> {
    const { oid, size } = pointer;
    const refused = await this.#whyNot(repository, size, await this.#account(repository, size), by);
    if (refused) {
      await this.#account(repository, -size);
      return refused;
    }
    let [kept, missing] = [false, size];
    this.#await(by, size);
    const came = (count: number): void => {
      const counted = Math.min(count, missing);
      missing -= counted;
      this.#await(by, -counted);
    };
    const memory = new Uint8Array(Math.min(pieceBytes, Math.max(1, size)));
    try {
      const blobs = this.#blobs(repository);
      const pieces = gathered(bytes, memory.length, () => memory);
      kept = await blobs.put({ kind: objects, digest: oid }, checked(counted(pieces, came), pointer));
      return { ok: true };
    } catch (error) {
      if (error instanceof WrongContent) return no("wrong-content", error.message);
      throw error;
    } finally {
      giveBack(memory);
      came(missing);
      if (!kept) await this.#account(repository, -size);
    }
  }

  /** A file that was brought for a pull request is the repository's own; nothing where it is, or was brought otherwise. */
  async take(repository: string, oid: string): Promise<void> {
    for (const folder of await proposalFolders(repository)) {
      const found = await findWhole(folder, oid);
      if (found?.by !== "lfs") continue;
      // Known before it is another: what is read from the disk afterwards has it already.
      await Promise.all([this.usedBy(repository), this.usedBy(folder)]);
      const isFresh = await this.#blobs(repository).adopt({ kind: objects, digest: oid }, found.file);
      if (isFresh) await this.#account(repository, found.size);
      // Of two who take it at once one removes it.
      if (await this.#blobs(folder).remove({ kind: objects, digest: oid })) await this.#account(folder, -found.size);
    }
  }

  /** The repository is gone: another may be made in its folder. */
  forget(repository: string): void {
    for (const known of this.#used.keys())
      if (known === repository || known.startsWith(`${repository}/`)) this.#used.delete(known);
  }

  async #whyNot(repository: string, size: number, used: number, by?: string): Promise<Refusal | undefined> {
    const { fileMaxBytes, repositoryMaxBytes, freeMinBytes } = this.#limits;
    if (size > fileMaxBytes) return no("too-large", `it has ${size} bytes, and one file may have ${fileMaxBytes}`);
    if (used > repositoryMaxBytes)
      return no("no-room", `large files of a repository may have ${repositoryMaxBytes} bytes; it would be ${used}`);
    const { bavail, bsize } = await statfs(repository);
    const room = bavail * bsize - freeMinBytes - this.#awaited;
    if (room < size) return no("disk-full", "the platform's disk is full");
    const own = by === undefined ? 0 : (this.#awaitedOf.get(by) ?? 0);
    // One file may have all that is free; what is announced beside it leaves half of the room to others.
    return own > 0 && own + size > (room + own) / 2
      ? no(
          "too-much-at-once",
          `${own} bytes of yours are still to come, and the files that one account sends at once may have half of what is free; send it when others have come`,
        )
      : undefined;
  }

  /** They lie where git-lfs looks for them in a repository. */
  #blobs(repository: string): FolderBlobs {
    return new FolderBlobs(join(repository, "lfs"), this.#random);
  }

  #await(by: string, change: number): void {
    this.#awaited += change;
    const own = (this.#awaitedOf.get(by) ?? 0) + change;
    if (own > 0) this.#awaitedOf.set(by, own);
    else this.#awaitedOf.delete(by);
  }

  /**
   * Bytes of a repository's large files, those on their way among them. Known from the disk once; what an earlier process left half is
   * thrown away then.
   */
  usedBy(repository: string): Promise<number> {
    const known = this.#used.get(repository);
    if (known) return known;
    const looked = (async () => {
      await this.#blobs(repository).recover();
      return sizeOfAll(join(repository, "lfs", objects));
    })();
    this.#used.set(repository, looked);
    looked.catch(() => this.#used.delete(repository));
    return looked;
  }

  /** At once, so that of two who come together the second counts the first; resolves with what is used then. */
  #account(repository: string, change: number): Promise<number> {
    const used = this.usedBy(repository).then((before) => before + change);
    this.#used.set(repository, used);
    return used;
  }
}

async function* counted(bytes: AsyncIterable<Uint8Array>, came: (count: number) => void): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes) {
    yield piece;
    came(piece.length); // It is written by now.
  }
}

function objectFile(repository: string, oid: string): string {
  return join(repository, "lfs", objects, oid.slice(0, 2), oid.slice(2, 4), oid);
}

class WrongContent extends Error {}

/** Throws {@link WrongContent} where they are not what the pointer says, at the end at the latest. */
async function* checked(
  bytes: AsyncIterable<Uint8Array>,
  { oid, size }: LfsPointer,
): AsyncGenerator<Uint8Array, void, void> {
  const hash = createHash("sha256");
  let came = 0;
  for await (const piece of bytes) {
    came += piece.length;
    if (came > size) throw new WrongContent(`more than the ${size} bytes that were announced`);
    hash.update(piece);
    yield piece;
  }
  if (came !== size) throw new WrongContent(`${came} bytes instead of the ${size} that were announced`);
  const found = hash.digest("hex");
  if (found !== oid) throw new WrongContent(`its SHA-256 is ${found}, not the ${oid} that was announced`);
}

async function sizeOfAll(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch((error: unknown) => {
    if (isOneOf(error, ["ENOENT"])) return [];
    throw error;
  });
  let sum = 0;
  for (const name of names) sum += (await statOf(join(folder, name)))?.size ?? 0;
  return sum;
}

/** Undefined for a folder, and where nothing is. */
async function statOf(path: string): Promise<{ readonly size: number; readonly mtimeMs: number } | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? found : undefined;
  } catch (error) {
    if (isOneOf(error, ["ENOENT", "ENOTDIR"])) return undefined;
    throw error;
  }
}

function no(refusal: Refusal["refusal"], says: string): Refusal {
  return { ok: false, refusal, says };
}
