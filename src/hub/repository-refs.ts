/** Branches and tags of a repository, changed by git's plumbing: each change is a compare-and-swap of one reference. */
import { GitFailure, runGit, systemGit, type GitProgram } from "./git.ts";
import { isBranchName, type Author, type RepositoryStore } from "./repository.ts";

export type RefChange =
  | { readonly ok: true; readonly commit: string }
  | { readonly ok: false; readonly refusal: "bad-name" | "exists" | "absent" | "moved"; readonly says: string };

export interface RefWish {
  /** The repository's folder. */
  readonly repository: string;
  readonly name: string;
}

const none = "0".repeat(40);

export class RepositoryRefs {
  readonly #repositories: Pick<RepositoryStore, "hold">;
  readonly #git: GitProgram;

  constructor(repositories: Pick<RepositoryStore, "hold">, git: GitProgram = systemGit) {
    this.#repositories = repositories;
    this.#git = git;
  }

  /** A branch at that commit. `overwrite`: also one that is there. */
  async makeBranch({ repository, name }: RefWish, commit: string, overwrite: boolean): Promise<RefChange> {
    if (!isBranchName(name)) return badName("branch", name);
    const ref = `refs/heads/${name}`;
    const before = await this.#at(repository, ref);
    if (before !== null && !overwrite) return no("exists", `Reference ${ref} already exists`);
    return this.#swap(repository, { ref, to: commit, from: before ?? none });
  }

  /** A branch that is at `from`. */
  async moveBranch(
    { repository, name }: RefWish,
    { from, to }: { readonly from: string; readonly to: string },
  ): Promise<RefChange> {
    return this.#swap(repository, { ref: `refs/heads/${name}`, to, from });
  }

  async deleteBranch({ repository, name }: RefWish): Promise<RefChange> {
    return this.#delete(repository, `refs/heads/${name}`, `branch ${name}`);
  }

  /** A tag of that commit; with a message one of its own, by the author. */
  async makeTag(
    { repository, name }: RefWish,
    commit: string,
    { message, author, seconds }: { readonly message: string; readonly author: Author; readonly seconds: number },
  ): Promise<RefChange> {
    if (!isBranchName(name)) return badName("tag", name);
    const ref = `refs/tags/${name}`;
    if ((await this.#at(repository, ref)) !== null) return no("exists", `Reference ${ref} already exists`);
    using _writing = await this.#repositories.hold(repository);
    const to = message === "" ? commit : await this.#tagObject(repository, { name, commit, message, author, seconds });
    return this.#swap(repository, { ref, to, from: none });
  }

  async deleteTag({ repository, name }: RefWish): Promise<RefChange> {
    return this.#delete(repository, `refs/tags/${name}`, `tag ${name}`);
  }

  /** The branch's files as one commit without a past. */
  async squash(
    { repository, name }: RefWish,
    { message, author, seconds }: { readonly message: string; readonly author: Author; readonly seconds: number },
  ): Promise<RefChange> {
    const ref = `refs/heads/${name}`;
    const from = isBranchName(name) ? await this.#at(repository, ref) : null;
    if (from === null) return no("absent", `there is no branch ${name}`);
    using _writing = await this.#repositories.hold(repository);
    const env = {
      GIT_AUTHOR_NAME: author.name,
      GIT_AUTHOR_EMAIL: author.email,
      GIT_COMMITTER_NAME: author.name,
      GIT_COMMITTER_EMAIL: author.email,
      GIT_AUTHOR_DATE: `${seconds} +0000`,
      GIT_COMMITTER_DATE: `${seconds} +0000`,
    };
    const made = await this.#run(repository, ["commit-tree", `${from}^{tree}`, "-F", "-"], { env, input: [message] });
    return this.#swap(repository, { ref, to: made.trim(), from });
  }

  async #delete(repository: string, ref: string, what: string): Promise<RefChange> {
    const at = isBranchName(ref.replace(/^refs\/[a-z]+\//, "")) ? await this.#at(repository, ref) : null;
    if (at === null) return no("absent", `Invalid rev id: there is no ${what}`);
    return this.#swap(repository, { ref, to: none, from: at });
  }

  async #tagObject(
    repository: string,
    tag: { name: string; commit: string; message: string; author: Author; seconds: number },
  ): Promise<string> {
    const { name, commit, message, author, seconds } = tag;
    const text = `object ${commit}\ntype commit\ntag ${name}\ntagger ${author.name} <${author.email}> ${seconds} +0000\n\n${message}\n`;
    return (await this.#run(repository, ["mktag"], { input: [text] })).trim();
  }

  async #swap(
    repository: string,
    { ref, to, from }: { readonly ref: string; readonly to: string; readonly from: string },
  ): Promise<RefChange> {
    using _writing = await this.#repositories.hold(repository);
    try {
      await this.#run(repository, to === none ? ["update-ref", "-d", ref, from] : ["update-ref", ref, to, from]);
      return { ok: true, commit: to };
    } catch (error) {
      if (!(error instanceof GitFailure) || error.code !== "git-failed") throw error;
      const now = await this.#at(repository, ref);
      if ((now ?? none) !== from) return no("moved", `${ref} was changed by somebody else meanwhile`);
      // As `a` where `a/b` is there: one is a folder of the other.
      if (/cannot lock ref|exists/.test(error.message))
        return no("exists", `${ref} cannot be beside a reference that is its folder, or lies in it`);
      throw error;
    }
  }

  async #at(repository: string, ref: string): Promise<string | null> {
    const { exitCode, output } = await runGit(this.#git, {
      repository,
      args: ["rev-parse", "--verify", "--quiet", ref],
      answers: [1],
    });
    return exitCode === 0 ? output.toString("latin1").trim() : null;
  }

  async #run(
    repository: string,
    args: readonly string[],
    rest: { readonly env?: Readonly<Record<string, string>>; readonly input?: readonly string[] } = {},
  ): Promise<string> {
    return (await runGit(this.#git, { repository, args, ...rest })).output.toString("latin1");
  }
}

function badName(what: string, name: string): RefChange {
  return no(
    "bad-name",
    `${JSON.stringify(name.slice(0, 80))} cannot be a ${what}'s name: it has 1 to 200 letters, digits, \`.\`, \`_\`, \`/\` or \`-\`, as git takes them, and is no commit's id`,
  );
}

function no(refusal: Extract<RefChange, { ok: false }>["refusal"], says: string): RefChange {
  return { ok: false, refusal, says };
}
