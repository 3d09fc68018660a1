/** The store of large files in a folder of its own, with a catalog in memory, for tests. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FolderBlobs } from "../../blobs/folder.ts";
import { Catalog } from "../../catalog/catalog.ts";
import { memorySql } from "../../catalog/memory-sql.ts";
import { instant, type Instant } from "../../stdx/time.ts";
import { LargeFiles } from "../large-files.ts";
import { Storage } from "../storage.ts";
import { XetStore, type Scope } from "./store.ts";
import { Threads } from "./threads.ts";

export const random = (count: number): Uint8Array => crypto.getRandomValues(new Uint8Array(count));

export interface LargeWorld extends AsyncDisposable {
  readonly folder: string;
  readonly blobs: FolderBlobs;
  readonly catalog: Catalog;
  readonly threads: Threads;
  readonly xet: XetStore;
  readonly files: LargeFiles;
  readonly storage: Storage;
  readonly failures: unknown[];
  readonly clock: { now: Instant; wall(): Instant };
  /** The folder of a repository, made where it is not there. */
  repository(name: string): string;
  /** Of an account that brings something to its own Space. */
  scope(account: string, name?: string, whole?: boolean): Scope;
}

export async function largeWorld({
  accountMaxBytes = null,
}: { accountMaxBytes?: number | null } = {}): Promise<LargeWorld> {
  const folder = mkdtempSync(join(tmpdir(), "wb-large-"));
  const clock = { now: instant(Date.UTC(2026, 10, 22, 12)), wall: () => clock.now };
  const catalog = await Catalog.open(memorySql(), clock);
  for (const name of ["alice", "bob"])
    await catalog.accounts.create({ name, tier: "free", role: "user", createdAt: clock.now });
  const blobs = new FolderBlobs(join(folder, "blobs"), random);
  await blobs.recover();
  const threads = new Threads();
  const rows = catalog.largeFiles;
  const limits = { fileMaxBytes: 1 << 30, shardFilesMaxBytes: 2 ** 31 };
  const xet = new XetStore({ blobs, rows, threads, clock, random, limits });
  const failures: unknown[] = [];
  const files = new LargeFiles({ xet, threads, clock, onFailure: (_what, error) => failures.push(error) });
  const storage = new Storage({
    ...{ rows, folder, limits: { accountMaxBytes, freeMinBytes: 0 }, clock: { monotonic: () => performance.now() } },
    ...{ lfsOwners: async () => [], lfsBytesOf: async () => 0 },
  });
  return {
    ...{ folder, blobs, catalog, threads, xet, files, storage, failures, clock },
    repository: (name) => {
      const path = join(folder, "repositories", `${name}.git`);
      mkdirSync(path, { recursive: true });
      return path;
    },
    scope: (account, name = "app", whole = true) => ({
      ...{ repository: `spaces/${account}/${name}`, owner: account, account, whole },
    }),
    [Symbol.asyncDispose]: async () => {
      await files[Symbol.asyncDispose]();
      await threads[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
