/**
 * Large files of pull requests. They lie in the repository from the beginning, and count of whoever brought them; of the repository's owner
 * they count from when they are merged, so a merge needs room for them as an upload does.
 */
import { holderOf, type LargeFiles as Rows } from "../catalog/large-files.ts";
import { findLarge, proposalFolders } from "../hub/lfs-store.ts";
import { filesOf, type RepoReader } from "../hub/repo-reader.ts";
import type { RepositoryStore } from "../hub/repository.ts";
import type { XetService } from "../hub/xet/service.ts";
import type { Clock } from "../stdx/time.ts";
import type { HubRepo } from "./hub-repos.ts";
import { no, type Refused } from "./spaces.ts";

export interface PullFilesParts {
  readonly rows: Pick<Rows, "proposedBytes" | "takeProposed">;
  readonly repositories: Pick<RepositoryStore, "repositoryOf">;
  readonly reader: RepoReader;
  /** Undefined where a test keeps no large files. */
  readonly xet: Pick<XetService, "lfs" | "storage"> | undefined;
  readonly clock: Pick<Clock, "wall">;
}

/** What a merge changes: main as it was, and as it is to be. */
export interface MergeChange {
  readonly from: string;
  readonly to: string;
}

export class PullFiles {
  readonly #parts: PullFilesParts;

  constructor(parts: PullFilesParts) {
    this.#parts = parts;
  }

  /** Why the owner cannot take the files that come with that; undefined where it can. */
  async refuse(repo: HubRepo, change: MergeChange): Promise<Refused | undefined> {
    const { rows, repositories, xet } = this.#parts;
    const folder = repositories.repositoryOf(repo.stored);
    const oids = await this.#brought(folder, change);
    if (oids.length === 0 || xet === undefined) return undefined;
    const { xorbs, bytes } = await this.#proposed(folder, oids);
    const more = bytes + (await rows.proposedBytes(holderOf(repo), xorbs));
    const full = more === 0 ? undefined : await xet.storage.refuse(repo.owner, more);
    // They lie on the disk already.
    return full?.status === 413 ? no("route/too-large", `This cannot be merged: ${full.says}`) : undefined;
  }

  /** They are the owner's. Harmless when it is done again. */
  async take(repo: Pick<HubRepo, "kind" | "id" | "owner" | "stored">, change: MergeChange): Promise<void> {
    const { rows, repositories, xet, clock } = this.#parts;
    const folder = repositories.repositoryOf(repo.stored);
    const oids = await this.#brought(folder, change);
    if (oids.length === 0 || xet === undefined) return;
    const { xorbs, whole } = await this.#proposed(folder, oids);
    for (const oid of whole) await xet.lfs.take(folder, oid);
    await rows.takeProposed({ holder: holderOf(repo), owner: repo.owner }, xorbs, clock.wall());
  }

  /** SHA-256s of large files that main has not had. */
  async #brought(folder: string, { from, to }: MergeChange): Promise<readonly string[]> {
    const [before, after] = await Promise.all([this.#large(folder, from), this.#large(folder, to)]);
    return [...after].filter((oid) => !before.has(oid));
  }

  async #large(folder: string, commit: string): Promise<ReadonlySet<string>> {
    const { reader } = this.#parts;
    const revision = await reader.revision(folder, commit);
    if (revision === undefined) return new Set();
    const files = await filesOf(await reader.tree(folder, revision), Infinity);
    return new Set(files.flatMap(({ lfs }) => (lfs ? [lfs.oid] : [])));
  }

  /** Of these files the xorbs of those that came by Xet; and those that git-lfs brought for a pull request, with their bytes. */
  async #proposed(
    folder: string,
    oids: readonly string[],
  ): Promise<{ readonly xorbs: readonly string[]; readonly whole: readonly string[]; readonly bytes: number }> {
    const places = await proposalFolders(folder);
    const xorbs = new Set<string>();
    const whole: string[] = [];
    let bytes = 0;
    for (const oid of oids) {
      const object = await findLarge(folder, oid);
      if (object?.by === "xet") for (const { xorb } of object.terms) xorbs.add(xorb);
      if (object?.by !== "lfs" || !places.some((place) => object.file.startsWith(`${place}/`))) continue;
      whole.push(oid);
      bytes += object.size;
    }
    return { xorbs: [...xorbs], whole, bytes };
  }
}
