/** The Hub's side of the server: repositories of all kinds, what is read in them, and what is written. */
import { RepositoryRefs } from "../hub/repository-refs.ts";
import { filesOf, RepoReader, namesMain, type FoundRevision } from "../hub/repo-reader.ts";
import type { RepoName } from "../hub/repo-name.ts";
import type { CommitResult, RepositoryStore } from "../hub/repository.ts";
import type { LargeFiles } from "../hub/large-files.ts";
import type { LfsPointer } from "../hub/lfs-pointer.ts";
import type { ParsedCommit } from "../hub/commit-ndjson.ts";
import { contentOf, type Commits } from "./commits.ts";
import { HubCards } from "./hub-cards.ts";
import type { HubRepo, HubRepos } from "./hub-repos.ts";

/** It was there when it was asked for. */
export class RepoGone extends Error {
  override readonly name = "RepoGone";
  readonly repo: RepoName;

  constructor(repo: RepoName) {
    super(`${repo.id} was deleted or moved meanwhile`);
    this.repo = repo;
  }
}

export interface HubParts {
  readonly hubRepos: HubRepos;
  readonly repositories: RepositoryStore;
  readonly commits: Commits;
  /** Absent where large files have no hash of Xet. */
  readonly largeFiles?: Pick<LargeFiles, "xetHashIn">;
}

export class Hub {
  readonly repos: HubRepos;
  readonly reader = new RepoReader();
  readonly refs: RepositoryRefs;
  readonly cards: HubCards;
  readonly #parts: HubParts;

  constructor(parts: HubParts) {
    this.#parts = parts;
    this.repos = parts.hubRepos;
    this.refs = new RepositoryRefs(parts.repositories);
    this.cards = new HubCards(this.reader, parts.repositories);
    parts.hubRepos.onChange((repo) => this.cards.forget(repo));
    parts.hubRepos.onRemoved((repository) => this.reader.forget(repository));
  }

  get store(): RepositoryStore {
    return this.#parts.repositories;
  }

  folderOf(repo: HubRepo): string {
    return this.#parts.repositories.repositoryOf(repo.stored);
  }

  /** Nothing else is committed to it meanwhile. */
  inTurn<T>(repo: RepoName, work: () => Promise<T>): Promise<T> {
    return repo.kind === "spaces" ? this.#parts.commits.inTurn(repo.id, work) : this.repos.inTurn(repo, work);
  }

  /** In its turn, if it is still where it was found; throws {@link RepoGone} where it was deleted or moved meanwhile. */
  changing<T>(repo: HubRepo, work: () => Promise<T>): Promise<T> {
    return this.inTurn(repo, async () => {
      if (this.repos.find(repo)?.stored !== repo.stored) throw new RepoGone(repo);
      return work();
    });
  }

  /** Also of a Space that nothing was ever pushed to. */
  async revision(repo: HubRepo, name: string): Promise<FoundRevision> {
    if (!(await this.#parts.repositories.exists(repo.stored))) return namesMain(name);
    return this.reader.revision(this.folderOf(repo), name);
  }

  /** Hashes of Xet of large files, by their SHA-256, as far as they are known: what is not is worked out, and told later. */
  async xetHashes(repo: HubRepo, pointers: readonly LfsPointer[]): Promise<ReadonlyMap<string, string>> {
    const { largeFiles } = this.#parts;
    const folder = this.folderOf(repo);
    const found = await Promise.all(
      pointers.map(async (pointer) => [pointer.oid, await largeFiles?.xetHashIn(folder, pointer)] as const),
    );
    return new Map(found.flatMap(([oid, hash]) => (hash === undefined ? [] : [[oid, hash]])));
  }

  /** Bytes of git's own form, and of the large files of main. */
  async usedBytes(repo: HubRepo): Promise<number> {
    const folder = this.folderOf(repo);
    const revision = await this.reader.revision(folder, "main");
    const files = revision === undefined ? [] : await filesOf(await this.reader.tree(folder, revision), Infinity);
    const large = new Map(files.flatMap(({ lfs }) => (lfs ? [[lfs.oid, lfs.size] as const] : [])));
    return (await this.reader.packedBytes(folder)) + [...large.values()].reduce((sum, size) => sum + size, 0);
  }

  /** On a branch whose commits are built by nobody. To be called in turn. */
  async commit(repo: HubRepo, branch: string, commit: ParsedCommit, by: string): Promise<CommitResult> {
    const done = await this.#parts.repositories.commitFiles({
      ...{ repository: this.folderOf(repo), branch },
      ...contentOf(commit, by),
    });
    if (done.ok && done.changed) await this.repos.touched(repo, by);
    return done;
  }
}
