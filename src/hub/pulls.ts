/** What pull requests are in git: a reference each, `refs/pr/N`, and what it takes to look at one and to merge it. Nothing is checked out. */
import { GitFailure, runGit, systemGit, type GitProgram, type GitResult, type GitRun } from "./git.ts";
import { pullRef } from "./pull-ref.ts";
import { commitOf, titleFormat, type CommitFound } from "./repo-reader.ts";
import type { Author, RepositoryStore } from "./repository.ts";

export type Merged =
  | { readonly ok: true; readonly tree: string }
  /** Files that both sides have changed; `unknown`: git cannot say which, or whether there are any. */
  | { readonly ok: false; readonly conflicts: readonly string[] | "unknown" };

export interface NewCommit {
  readonly tree: string;
  readonly parent: string;
  readonly message: string;
  readonly author: Author;
  readonly committer: Author;
  readonly seconds: number;
}

export type PullCommit = Omit<CommitFound, "message">;

/** Characters of a diff; of a longer one there is a summary. */
export const diffMaxBytes = 2 << 20;
/** One path of 1,024 bytes for each of some 1,000 files. */
const conflictsMaxBytes = 1 << 20;
/** Of a git that does not know what it is asked: before 2.38 it merged no trees. */
const usage = 129;

export class Pulls {
  readonly #repositories: Pick<RepositoryStore, "hold">;
  readonly #git: GitProgram;

  constructor(repositories: Pick<RepositoryStore, "hold">, git: GitProgram = systemGit) {
    this.#repositories = repositories;
    this.#git = git;
  }

  /** Its reference at that commit, wherever it was before. */
  async put(repository: string, num: number, commit: string): Promise<void> {
    using _writing = await this.#repositories.hold(repository);
    await this.#run(repository, ["update-ref", pullRef(num), commit]);
  }

  /** Nothing where there is none. */
  async remove(repository: string, num: number): Promise<void> {
    using _writing = await this.#repositories.hold(repository);
    await this.#run(repository, ["update-ref", "-d", pullRef(num)]);
  }

  /** Whether the one is the other, or came before it; false where it is not there. */
  async contains(repository: string, newer: string, older: string): Promise<boolean> {
    const args = ["merge-base", "--is-ancestor", older, newer];
    return (await this.#run(repository, args, { answers: [1, 128] })).exitCode === 0;
  }

  /** What `onto` would be with the changes of `head`, on no branch. */
  async merge(repository: string, { onto, head }: { readonly onto: string; readonly head: string }): Promise<Merged> {
    // Nothing but these changes has come: also an older git does that.
    if (await this.contains(repository, head, onto)) return { ok: true, tree: await this.#tree(repository, head) };
    // Also where the branch's history was squashed: then what differs is a conflict.
    const args = ["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", "--allow-unrelated-histories"];
    const limits = { answers: [1, usage], outputMaxBytes: conflictsMaxBytes };
    try {
      const { exitCode, output } = await this.#run(repository, [...args, onto, head], limits);
      const [tree = "", ...names] = output.toString("utf8").split("\0");
      if (exitCode === 0) return { ok: true, tree };
      return { ok: false, conflicts: exitCode === usage ? "unknown" : [...new Set(names.filter(Boolean))] };
    } catch (error) {
      if (error instanceof GitFailure && error.code === "git-too-much") return { ok: false, conflicts: "unknown" };
      throw error;
    }
  }

  /** A commit that no reference has yet: its repository is to be held until one does. */
  async commit(repository: string, { tree, parent, message, author, committer, seconds }: NewCommit): Promise<string> {
    const date = `${seconds} +0000`;
    const env = {
      ...{ GIT_AUTHOR_NAME: author.name, GIT_AUTHOR_EMAIL: author.email, GIT_AUTHOR_DATE: date },
      ...{ GIT_COMMITTER_NAME: committer.name, GIT_COMMITTER_EMAIL: committer.email, GIT_COMMITTER_DATE: date },
    };
    const args = ["commit-tree", tree, "-p", parent, "-F", "-"];
    const { output } = await this.#run(repository, args, { env, input: [message] });
    return output.toString("latin1").trim();
  }

  /** Of `head`, without those that the others have: the newest, oldest first. */
  async commits(
    repository: string,
    head: string,
    { without, limit }: { readonly without: readonly string[]; readonly limit: number },
  ): Promise<readonly PullCommit[]> {
    const which = [`--format=${titleFormat}`, `--max-count=${limit}`, head, "--not", ...without];
    const { output } = await this.#run(repository, ["log", "-z", "--ignore-missing", ...which]);
    const rows = output.toString("utf8").split("\0");
    return rows.flatMap((row) => commitOf(row) ?? []).toReversed();
  }

  /** Bytes, as they lie on the disk, of what `head` has and the others have not. */
  async addedBytes(repository: string, head: string, without: readonly string[]): Promise<number> {
    const args = ["rev-list", "--ignore-missing", "--objects", "--disk-usage", head, "--not", ...without];
    return Number((await this.#run(repository, args)).output.toString("latin1"));
  }

  /** What is changed on the way from where the two parted, as git writes it. */
  async diff(repository: string, from: string, to: string): Promise<string> {
    const since = await this.#run(repository, ["merge-base", from, to], { answers: [1] });
    const base = since.exitCode === 0 ? since.output.toString("latin1").trim() : from;
    const args = ["diff", "--no-color", "--no-ext-diff", "--no-textconv"];
    try {
      const { output } = await this.#run(repository, [...args, base, to], { outputMaxBytes: diffMaxBytes });
      return output.toString("utf8");
    } catch (error) {
      if (!(error instanceof GitFailure) || error.code !== "git-too-much") throw error;
      const { output } = await this.#run(repository, [...args, "--shortstat", base, to]);
      return `The whole diff has more than ${diffMaxBytes >> 20} MB: fetch its reference with git to see it.\n${output.toString("utf8")}`;
    }
  }

  async #tree(repository: string, commit: string): Promise<string> {
    return (await this.#run(repository, ["rev-parse", `${commit}^{tree}`])).output.toString("latin1").trim();
  }

  #run(
    repository: string,
    args: readonly string[],
    rest: Omit<GitRun, "args" | "repository"> = {},
  ): Promise<GitResult> {
    return runGit(this.#git, { repository, args, ...rest });
  }
}
