/** The repositories with their large files: where these lie, who computes on them, and what accounts may keep. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { FolderBlobs } from "../blobs/folder.ts";
import type { HubRepo } from "../control/hub-repos.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { holderOf } from "../catalog/large-files.ts";
import { HubJobs } from "../control/hub-jobs.ts";
import { HubKeeper } from "../hub/keeper.ts";
import { LargeFiles } from "../hub/large-files.ts";
import { waitingBytes } from "../hub/lfs-parts.ts";
import { lfsLimits, LfsStore, proposalFolder } from "../hub/lfs-store.ts";
import { openRepositories, type RepositoryStore } from "../hub/repository.ts";
import { Storage } from "../hub/storage.ts";
import { whyNoBlake3 } from "../hub/xet/native.ts";
import type { XetService } from "../hub/xet/service.ts";
import { XetStore } from "../hub/xet/store.ts";
import { Threads } from "../hub/xet/threads.ts";
import { loadOwnSecret } from "../identity/own-secret.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import type { Clock } from "../stdx/time.ts";
import type { PlatformConfig } from "./config.ts";

export interface OpenedLargeFiles {
  readonly repositories: RepositoryStore;
  readonly lfs: LfsStore;
  readonly xet: XetStore;
  readonly files: LargeFiles;
  readonly service: XetService;
}

interface Parts {
  readonly config: Pick<PlatformConfig, "data" | "lfs" | "storage">;
  readonly catalog: Catalog;
  readonly folderId: string;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Of all kinds; not asked while it opens. */
  readonly repos: () => readonly Pick<HubRepo, "kind" | "id" | "owner" | "stored">[];
  onFailure(what: string, error: unknown): void;
}

/** What nobody needs has waited for weeks by then. */
const collectEveryMs = 86_400_000;
/** After a start: so much later others need the disk less, and what is started anew each day collects too. */
const collectFirstMs = 3_600_000;
/** Of a folder's id: enough to tell platforms apart. */
const instanceChars = 12;

export async function openLargeFiles(
  stack: AsyncDisposableStack,
  { config, catalog, folderId, clock, random, repos, onFailure }: Parts,
): Promise<OpenedLargeFiles> {
  const folder = join(config.data, "repositories");
  const blobs = new FolderBlobs(join(config.data, "blobs"), random);
  await blobs.recover();
  const threads = stack.use(new Threads());
  const missing = whyNoBlake3();
  if (missing !== undefined) onFailure("large files by Xet", new Error(missing));
  const rows = catalog.largeFiles;
  const { fileMaxBytes, repositoryMaxBytes } = { ...lfsLimits, ...config.lfs };
  const limits = { fileMaxBytes, shardFilesMaxBytes: repositoryMaxBytes };
  const xet = new XetStore({ blobs, rows, threads, clock, random, limits });
  const files = stack.use(new LargeFiles({ xet, threads, clock, onFailure }));
  const repositories = openRepositories({ folder, clock, random, openLarge: (object) => files.open(object) });
  const lfs = new LfsStore(random, config.lfs);
  const lfsBytesOf = async (owner: string): Promise<number> => {
    let sum = 0;
    for (const repo of repos()) {
      if (repo.owner !== owner || !(await repositories.exists(repo.stored))) continue;
      const repository = repositories.repositoryOf(repo.stored);
      sum += (await lfs.usedBy(repository)) + (await waitingBytes(repository, random));
    }
    for (const stored of await rows.proposedTo(owner)) {
      const place = proposalFolder(repositories.repositoryOf(stored), owner);
      if (existsSync(place)) sum += await lfs.usedBy(place);
    }
    return sum;
  };
  const lfsOwners = async (): Promise<readonly string[]> => [
    ...new Set([...repos().map(({ owner }) => owner), ...(await rows.proposers())]),
  ];
  const storage = new Storage({
    ...{ rows, folder: config.data, clock, limits: config.storage, lfsOwners, lfsBytesOf },
  });
  const whose = (stored: string) => {
    const repo = repos().find((one) => one.stored === stored);
    return repo && { holder: holderOf(repo), owner: repo.owner };
  };
  const keeper = new HubKeeper({ xet, threads, repositories: folder, whose, clock, random });
  const jobs = stack.use(new HubJobs({ keeper, clock, random, onFailure }));
  let timer: NodeJS.Timeout;
  const collectIn = (ms: number): void => {
    timer = setTimeout(() => {
      jobs.begin({ kind: "gc" });
      collectIn(collectEveryMs);
    }, ms);
  };
  collectIn(collectFirstMs);
  stack.defer(() => clearTimeout(timer));
  const service: XetService = {
    key: await loadOwnSecret(catalog.settings, "xet", random),
    instance: folderId.slice(0, instanceChars),
    storage,
    lfs,
    jobs,
  };
  return { repositories, lfs, xet, files, service };
}
