/**
 * Looks after the store of large files: whether all that is stored is what it should be, how much of it is whose, and what of it nobody
 * needs any more.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { FolderBlobs } from "../blobs/folder.ts";
import { gathered } from "../blobs/gathered.ts";
import type { CollectedFiles, VerifiedFiles } from "../contract/hub-storage.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { instant, type Clock, type Instant } from "../stdx/time.ts";
import { isOneOf } from "./errors.ts";
import { sweepParts } from "./lfs-parts.ts";
import { notedLarge, proposalFolders, type LargeNote } from "./lfs-store.ts";
import type { LfsPointer } from "./lfs-pointer.ts";
import type { Threads } from "./xet/threads.ts";
import type { XetStore } from "./xet/store.ts";
import { xorbKind } from "./xet/stored-chunks.ts";

export interface KeeperOptions {
  readonly xet: XetStore;
  readonly threads: Threads;
  /** The folder in which the repositories are. */
  readonly repositories: string;
  /** Whose a repository is, by what it is called in that folder; undefined where that is nobody's any more. */
  readonly whose: (stored: string) => { readonly holder: string; readonly owner: string } | undefined;
  readonly clock: Pick<Clock, "wall">;
  readonly random: RandomBytes;
}

export interface KeeperRun {
  readonly signal?: AbortSignal;
  /** So many bytes more were read. */
  onRead?(bytes: number): void;
}

/** Clients go for three weeks by what they remember; a week more for those that were told of it late. */
export const keptUnusedMs = 28 * 86_400_000;
const partsKeptMs = 86_400_000;
/** Sentences of what is wrong: more of them say nothing more. */
const problemsMax = 100;
const rowsAtOnce = 200;
/** Below the folder of all: owners, kinds and owners. */
const depthMax = 4;
const pieceBytes = 4 << 20;

export class HubKeeper {
  readonly #options: KeeperOptions;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** Reads all that is stored. It may be used meanwhile. */
  async verify(run: KeeperRun = {}): Promise<VerifiedFiles> {
    const found = new Findings(run);
    await this.#verifyXorbs(found);
    for (const repository of await this.#repositories()) {
      await this.#verifyNotes(repository, found);
      for (const place of [repository, ...(await proposalFolders(repository))])
        await this.#verifyWhole(place, { repository, found });
    }
    return found.all;
  }

  async #verifyXorbs(found: Findings): Promise<void> {
    const { xet } = this.#options;
    for await (const { digest: xorb } of xet.blobs.list(xorbKind)) {
      found.goOn();
      found.xorbs += 1;
      const wrong = await this.#wrongXorb(xorb, found);
      if (wrong !== undefined) found.say(`The xorb ${xorb} is damaged: ${wrong}.`);
    }
    for (let after = ""; ;) {
      const rows = await xet.rows.xorbs(after, rowsAtOnce);
      for (const { hash } of rows)
        // One that is removed meanwhile is known no longer, either.
        if ((await xet.blobs.size({ kind: xorbKind, digest: hash })) === undefined && (await xet.rows.xorb(hash)))
          found.say(`The xorb ${hash} is known, and its bytes are not there.`);
      if (rows.length < rowsAtOnce) return;
      after = rows.at(-1)?.hash ?? "";
    }
  }

  async #wrongXorb(xorb: string, found: Findings): Promise<string | undefined> {
    const { xet, threads } = this.#options;
    const name = { kind: xorbKind, digest: xorb };
    const size = await xet.blobs.size(name);
    if (size === undefined) return undefined; // Swept meanwhile.
    const table = await xet.readTable(xorb);
    if (table === undefined) return "it has no table";
    using job = threads.begin("check");
    // The same memory goes to the thread and comes back.
    let memory: Uint8Array | undefined;
    const bytes = xet.blobs.open(name, { from: 0, to: table.packedBytes });
    for await (const piece of gathered(bytes, pieceBytes, () => memory ?? new Uint8Array(pieceBytes))) {
      found.read(piece.length);
      ({ memory } = await job.take(piece));
    }
    const checked = await job.end();
    if ("wrong" in checked) return checked.wrong;
    if (checked.hash !== xorb) return `it is the xorb ${checked.hash}`;
    return Buffer.from(checked.table).equals(Buffer.from(table.bytes)) ? undefined : "its table is another's";
  }

  async #verifyNotes(repository: string, found: Findings): Promise<void> {
    for await (const note of this.#notes(repository)) {
      found.goOn();
      found.files += 1;
      const wrong = await this.#wrongNote(note);
      if (wrong !== undefined) found.say(`${basename(repository)} has ${note.oid} by Xet, and ${wrong}.`);
    }
  }

  /** By the hashes of its chunks: that these are right is said of the xorbs. */
  async #wrongNote({ size, hash, terms }: LargeNote): Promise<string | undefined> {
    const { xet, threads } = this.#options;
    using job = threads.begin("tree");
    let bytes = 0;
    for (const { xorb, from, to } of terms) {
      const table = await xet.readTable(xorb);
      if (table === undefined) return `its xorb ${xorb} is not there`;
      if (to > table.count) return `its xorb ${xorb} has only ${table.count} chunks`;
      bytes += table.lengthOf({ from, to });
      await job.take(table.rows({ from, to }));
    }
    if (bytes !== size) return `it has ${bytes} bytes instead of ${size}`;
    const made = await job.end();
    return made === hash ? undefined : `its terms make the file ${made}, not ${hash}`;
  }

  /** Of what git-lfs brought, for a pull request or not. */
  async #verifyWhole(
    place: string,
    { repository, found }: { readonly repository: string; readonly found: Findings },
  ): Promise<void> {
    const objects = new FolderBlobs(join(place, "lfs"), this.#options.random);
    for await (const blob of objects.list("objects")) {
      found.goOn();
      found.files += 1;
      const sha256 = createHash("sha256");
      for await (const piece of createReadStream(objects.fileOf(blob), { highWaterMark: 1 << 20 })) {
        sha256.update(piece as Buffer);
        found.read((piece as Buffer).length);
      }
      const digest = sha256.digest("hex");
      if (digest !== blob.digest)
        found.say(`${basename(repository)} has ${blob.digest} damaged: its SHA-256 is ${digest}.`);
    }
  }

  /** Removes what nobody has needed since `before`: files that no repository has, and xorbs that no file has. */
  async collect(before: Instant, { signal }: KeeperRun = {}): Promise<CollectedFiles> {
    const { xet } = this.#options;
    // Whoever sends a file in parts comes back within a day, or begins anew.
    const { clock, random } = this.#options;
    for (const repository of await this.#repositories())
      await sweepParts(repository, clock.wall() - partsKeptMs, random);
    const live = await this.#live();
    let files = 0;
    for (let after = ""; ;) {
      const rows = await xet.rows.files(after, rowsAtOnce);
      for (const { hash } of rows)
        if (!live.has(hash) && (await xet.rows.forgetFile(hash, before))) {
          xet.forget(hash);
          files += 1;
        }
      if (rows.length < rowsAtOnce || signal?.aborted === true) break;
      after = rows.at(-1)?.hash ?? "";
    }
    const swept = await xet.blobs.sweep(xorbKind, {
      before,
      isReferred: async ({ digest }) => {
        const isFree = await xet.rows.forgetXorb(digest, before);
        if (isFree) xet.forget(digest);
        return !isFree;
      },
      ...(signal && { signal }),
    });
    return { files, xorbs: swept.blobs, bytes: swept.bytes };
  }

  /** Xet's hashes of all files that a repository notes. What the rows lack of one, as after a backup was taken back, they get again. */
  async #live(): Promise<ReadonlySet<string>> {
    const live = new Set<string>();
    // Twice: one that was made a copy of in between may be where the first look had been.
    for (let look = 0; look < 2; look++)
      for (const repository of await this.#repositories())
        for await (const note of this.#notes(repository)) {
          if (!live.has(note.hash) && (await this.#options.xet.rows.file(note.hash)) === undefined)
            await this.#adopt(note, repository);
          live.add(note.hash);
        }
    return live;
  }

  async #adopt({ oid, size, hash, terms }: LfsPointer & LargeNote, repository: string): Promise<void> {
    const { xet, clock, repositories, whose } = this.#options;
    const holder = whose(repository.slice(repositories.length + 1, -".git".length));
    const holders = holder === undefined ? [] : [holder];
    const at = instant(clock.wall());
    for (const xorb of new Set(terms.map((term) => term.xorb))) {
      const table = await xet.readTable(xorb);
      if (table === undefined) return; // `verify` says so.
      await xet.rows.addXorb({ hash: xorb, packedBytes: table.packedBytes, bytes: table.length }, holders, at);
    }
    await xet.rows.addFile({ hash, sha256: oid, bytes: size, terms }, { holders, chunks: [], at });
  }

  #notes(repository: string): AsyncGenerator<LfsPointer & LargeNote> {
    return notedLarge(repository, this.#options.random);
  }

  async #repositories(): Promise<readonly string[]> {
    return repositoriesIn(this.#options.repositories, depthMax);
  }
}

async function repositoriesIn(folder: string, depth: number): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (isOneOf(error, ["ENOENT"])) return []; // Removed meanwhile.
    throw error;
  });
  const found: string[] = [];
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) continue;
    if (entry.name.endsWith(".git")) found.push(path);
    else if (depth > 1) found.push(...(await repositoriesIn(path, depth - 1)));
  }
  return found;
}

class Findings {
  xorbs = 0;
  files = 0;
  #bytes = 0;
  readonly #problems: string[] = [];
  readonly #run: KeeperRun;

  constructor(run: KeeperRun) {
    this.#run = run;
  }

  get all(): VerifiedFiles {
    return { xorbs: this.xorbs, files: this.files, bytes: this.#bytes, problems: this.#problems };
  }

  goOn(): void {
    this.#run.signal?.throwIfAborted();
  }

  read(bytes: number): void {
    this.#bytes += bytes;
    this.#run.onRead?.(bytes);
  }

  say(problem: string): void {
    if (this.#problems.length < problemsMax) this.#problems.push(problem);
  }
}
