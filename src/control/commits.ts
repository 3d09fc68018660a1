/** Commits on the server's side: what came by the Hub's form is stored, and what is new on a Space's branch is built, or it is said why not. */
import type { Catalog } from "../catalog/catalog.ts";
import type { NoBuildView } from "../contract/api.ts";
import type { Code } from "../evidence/codes.ts";
import type { Emitter } from "../evidence/entry.ts";
import { parseFrontMatter } from "../build/front-matter.ts";
import { GitFailure } from "../hub/git.ts";
import { parseCommit } from "../hub/commit-ndjson.ts";
import type { ParsedCommit } from "../hub/commit-ndjson.ts";
import { repoName, type RepoName } from "../hub/repo-name.ts";
import type { CommitRequest, CommitResult, RepositoryStore } from "../hub/repository.ts";
import { newId } from "../stdx/ids.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import type { Clock, Instant } from "../stdx/time.ts";
import type { Asked, Builds } from "./builds.ts";
import { authorOf } from "./hub-repos.ts";
import { builtBranch, whyNoBuild, whyNoRoom } from "./no-build.ts";
import type { NoBuild } from "./no-build.ts";
import type { Refused, Spaces } from "./spaces.ts";
import { Turns } from "../stdx/turns.ts";
import { spaceOwner } from "../contract/space.ts";

export interface CommitsParts {
  readonly catalog: Catalog;
  readonly repositories: RepositoryStore;
  readonly spaces: Spaces;
  readonly builds: Builds;
  readonly emitter: Emitter;
  readonly random: RandomBytes;
  readonly clock: Clock;
  /** The files of a Space are others than before. */
  onChange(repo: RepoName): void;
}

/** What became of a commit: its build, also one that was under way already, or why it has none. */
export type Started =
  | { readonly build: string; readonly noBuild: null }
  | { readonly build: null; readonly noBuild: NoBuildView };

export type Committed =
  | ({ readonly ok: true; readonly commit: string } & Started)
  | (Refused & {
      readonly errors?: readonly { readonly where: string; readonly message: string }[];
      /** What `explain` knows the refusal by. */
      readonly waybill?: string;
    });

/** The request by which commits came, and what it led to: builds, and ids under which it is said why there is none. */
export interface CommitRequestRecord {
  readonly request: string;
  readonly method: string;
  readonly path: string;
  readonly account: string;
  readonly startedAt: Instant;
  readonly link: readonly string[];
}

/** A commit that is in the Space's repository. */
export interface Landed {
  readonly space: string;
  readonly branch: string;
  readonly commit: string;
  /** The last commit of the branch that is built. */
  readonly head: string;
  readonly changed: boolean;
  readonly account: string;
}

/** A longer README is left to the build. */
const readmeMaxBytes = 1 << 20;

export class Commits {
  readonly #parts: CommitsParts;
  readonly #turns = new Turns();

  constructor(parts: CommitsParts) {
    this.#parts = parts;
  }

  /** A commit in the Hub's form: makes the Space if it is absent, stores the files, and starts the build. */
  async commit({
    owner,
    name,
    bytes,
    author,
  }: {
    readonly owner: string;
    readonly name: string;
    readonly bytes: Uint8Array;
    readonly author: string;
  }): Promise<Committed> {
    const parsed = parsedCommit(bytes);
    if (!parsed.ok) return parsed;
    return this.inTurn(`${owner}/${name}`, () => this.#commitParsed({ owner, name, commit: parsed.commit, author }));
  }

  /** One after another for each Space, so that builds are queued in the order of their commits: the last commit is what runs in the end. */
  inTurn<T>(space: string, work: () => Promise<T>): Promise<T> {
    return this.#turns.take(space, work);
  }

  /** The last commit of the branch that is built; null before the first. */
  async head(space: string): Promise<string | null> {
    const { repositories } = this.#parts;
    if (!(await repositories.exists(space))) return null;
    return repositories.head(repositories.repositoryOf(space), builtBranch);
  }

  /** Why nothing more can be committed to the Space now, written down; asked before anything is stored. To be called in turn. */
  async noRoom(space: string, account: string): Promise<Extract<Committed, { ok: false }> | undefined> {
    const none = whyNoRoom(this.#parts.builds.roomOf(space));
    if (!none) return undefined;
    const { id } = await this.#notBuilt({ ...none, space, account, commit: null });
    return { ok: false, code: none.code ?? "control/conflict", says: `${none.says} Nothing was stored.`, waybill: id };
  }

  /** Writes down that a push to the Space brought more than one may. */
  tooLarge(push: { readonly space: string; readonly account: string; readonly says: string }): Promise<NoBuildView> {
    return this.#notBuilt({ ...push, why: "too-large", code: "build/push-too-large", commit: null });
  }

  /** Builds what has arrived in a Space's repository, or says why not. To be called in turn. */
  async landed({ space, account, ...commit }: Landed): Promise<Started> {
    const { repositories } = this.#parts;
    const view = await this.#parts.spaces.view(space);
    const none = whyNoBuild({
      ...commit,
      latest: view?.build ?? null,
      running: view?.state === "running",
      paused: this.#parts.spaces.pausedSays(space),
      room: this.#parts.builds.roomOf(space),
    });
    if (none?.underWay !== undefined) return { build: none.underWay, noBuild: null };
    if (none) {
      const noBuild = await this.#notBuilt({ ...none, space, account, commit: commit.commit });
      if (commit.branch === builtBranch && commit.commit === commit.head)
        await repositories.note(repositories.repositoryOf(space), commit.commit);
      return { build: null, noBuild };
    }
    const build = await this.build({ space, commit: commit.commit, account });
    await repositories.note(repositories.repositoryOf(space), commit.commit);
    return { build, noBuild: null };
  }

  /** The first commit of a Space that was made with its SDK: what it says is built with what the next commit brings. */
  async begin(space: string, readme: string, account: string): Promise<void> {
    const { repositories } = this.#parts;
    await this.inTurn(space, async () => {
      if ((await this.head(space)) !== null) return;
      await repositories.createRepository(space);
      const repository = repositories.repositoryOf(space);
      const content = { bytes: Buffer.from(readme) };
      const author = authorOf(account);
      const file = { path: "README.md", content };
      const done = await repositories.commitFiles({
        ...{ repository, branch: builtBranch, files: [file], author, summary: "initial commit" },
      });
      if (!done.ok) throw new Error(`a fresh repository did not take its first commit: ${done.says}`);
      await repositories.note(repository, done.commit);
    });
  }

  /** Writes the request down that brought commits: its builds are linked to it. */
  record({ request, startedAt, ...facts }: CommitRequestRecord): void {
    const { emitter, clock } = this.#parts;
    const ms = Math.max(0, clock.wall() - startedAt);
    emitter.pack({
      work: request,
      kind: "request",
      startedAt,
      stages: [
        ["edge.accept", 0],
        ["edge.deliver", ms],
      ],
      facts: { ...facts, status: 200, answeredBy: "platform" },
    });
  }

  /** What a stop of the platform cut off: main's last commit where nobody has said yet what becomes of it. */
  async recover(signal: AbortSignal): Promise<void> {
    for (const space of this.#parts.spaces.ids()) {
      if (signal.aborted) return;
      await this.inTurn(space, () => this.#recoverOne(space));
    }
  }

  async #recoverOne(space: string): Promise<void> {
    const { repositories } = this.#parts;
    const head = await this.head(space);
    if (head === null || (await repositories.noted(repositories.repositoryOf(space))) === head) return;
    if (await this.#isBuilt(space, head)) return;
    await this.#landedHead(space, head, spaceOwner(space));
  }

  /** Builds main's last commit where it has had no build, as one that came while the Space was paused. */
  async catchUp(space: string, account: string): Promise<void> {
    await this.inTurn(space, async () => {
      const head = await this.head(space);
      if (head !== null && !(await this.#isBuilt(space, head))) await this.#landedHead(space, head, account);
    });
  }

  /** Whether the newest build is of that commit: one of long ago counts for nothing where main was moved back to it. */
  async #isBuilt(space: string, commit: string): Promise<boolean> {
    return (await this.#parts.catalog.builds.list(space, 1))[0]?.commit === commit;
  }

  async #landedHead(space: string, head: string, account: string): Promise<void> {
    await this.landed({ space, branch: builtBranch, commit: head, head, changed: true, account });
  }

  /** Builds the commit of a Space's newest build again, after that has ended without a release. */
  async retry(
    space: string,
    id: string,
    account: string,
  ): Promise<Refused | { readonly ok: true; readonly build: string }> {
    return this.inTurn(space, async () => {
      const newest = (await this.#parts.spaces.view(space))?.build;
      const refuse = (says: string): Refused => ({ ok: false, code: "control/conflict", says });
      if (newest?.id !== id)
        return refuse(`Build ${newest?.id ?? "(none)"} of ${space} is newer than ${id}; deploy what is to be built.`);
      if (newest.outcome === null) return refuse(`Build ${id} is ${newest.stage} and has not ended.`);
      if (newest.outcome === "ok")
        return refuse(`Build ${id} went well; \`waybill restart ${space} --factory\` builds it again.`);
      const paused = this.#parts.spaces.pausedSays(space);
      if (paused !== null) return { ok: false, code: "control/paused", says: paused };
      const full = whyNoRoom(this.#parts.builds.roomOf(space));
      if (full) return { ok: false, code: full.code ?? "control/conflict", says: full.says };
      const { commit } = newest;
      return { ok: true, build: await this.build({ space, commit, account, retryOf: id }) };
    });
  }

  /** Queues a build. To be called in turn. */
  async build(asked: Omit<Asked, "sdk">): Promise<string> {
    const { builds, spaces, catalog } = this.#parts;
    const build = await builds.request({ ...asked, sdk: await this.#sdkOf(asked) });
    spaces.onBuild(build);
    await catalog.spaces.update(asked.space, { build: build.id });
    return build.id;
  }

  /** What the commit's README names, so that a builder gets it that serves that; null where the build has to find out. */
  async #sdkOf({ space, commit }: Pick<Asked, "space" | "commit">): Promise<string | null> {
    const { repositories } = this.#parts;
    try {
      const readme = await repositories.readFile(repositories.repositoryOf(space), commit, "README.md", readmeMaxBytes);
      const front = parseFrontMatter(readme?.toString("utf8"));
      return front.ok ? front.settings.sdk : null;
    } catch (error) {
      if (error instanceof GitFailure) return null; // The build says what is wrong with the repository.
      throw error;
    }
  }

  async #commitParsed({
    owner,
    name,
    commit,
    author,
  }: {
    readonly owner: string;
    readonly name: string;
    readonly commit: ParsedCommit;
    readonly author: string;
  }): Promise<Committed> {
    const { repositories, spaces } = this.#parts;
    const full = await this.noRoom(`${owner}/${name}`, author);
    if (full) return full;
    const made = await spaces.ensure(owner, name, author);
    if (!made.ok && made.refusal === "no-such-account") {
      return no(
        "control/not-found",
        `There is no account ${owner}, so ${owner}/${name} cannot be a Space. Make it with \`waybill token create --account ${owner} --create\`.`,
      );
    }
    if (!made.ok) return no("control/invalid", `${owner}/${name} cannot be a Space: ${made.refusal}.`);
    const space = made.space.id;
    await repositories.createRepository(space);
    const done = await repositories.commitFiles({
      ...{ repository: repositories.repositoryOf(space), branch: builtBranch },
      ...contentOf(commit, author),
    });
    if (!done.ok) return notStored(done);
    const { commit: head, changed } = done;
    if (changed) this.#parts.onChange(repoName("spaces", owner, name));
    const started = await this.landed({ space, branch: builtBranch, commit: head, head, changed, account: author });
    return { ok: true, commit: head, ...started };
  }

  /** Writes down why a commit has no build, under the id that its build would have had. */
  async #notBuilt({
    why,
    code,
    says,
    ...asked
  }: Omit<NoBuild, "underWay"> & {
    readonly space: string;
    readonly account: string;
    readonly commit: string | null;
  }): Promise<NoBuildView> {
    const { emitter, random } = this.#parts;
    const id = newId("b", random);
    const facts = { ...asked, noBuild: why, says, ...(code === null ? {} : { code }) };
    emitter.write({ work: id, hop: "build.request", mark: code === null ? "done" : "refused", facts });
    await emitter.sync();
    return { id, why, code, says };
  }
}

/** The Hub's form, or what is wrong with it line by line. */
export function parsedCommit(
  bytes: Uint8Array,
): { readonly ok: true; readonly commit: ParsedCommit } | Extract<Committed, { ok: false }> {
  const parsed = parseCommit(bytes);
  if (parsed.ok) return parsed;
  const errors = parsed.problems.map(({ line, message }) => ({ where: line === 0 ? "body" : `line ${line}`, message }));
  const code = parsed.tooLarge ? "route/too-large" : "control/invalid";
  return no(code, errors.map(({ where, message }) => `${where}: ${message}`).join("; "), errors);
}

/** What the store writes of it, wherever that is. */
export function contentOf(commit: ParsedCommit, by: string): Omit<CommitRequest, "repository" | "branch"> {
  return {
    files: commit.files.map(({ path, bytes }) => ({ path, content: { bytes } })),
    largeFiles: commit.largeFiles,
    deletedFiles: commit.deletedFiles,
    deletedFolders: commit.deletedFolders,
    replaceAll: commit.replace,
    ...(commit.parent === undefined ? {} : { parent: commit.parent }),
    author: authorOf(by),
    summary: commit.summary,
    description: commit.description,
  };
}

export function notStored(done: Extract<CommitResult, { ok: false }>): Extract<Committed, { ok: false }> {
  const code =
    done.refusal === "parent-moved"
      ? "control/changed-meanwhile"
      : done.refusal === "absent-file"
        ? "control/not-found"
        : "control/invalid";
  return no(code, done.says, "problems" in done ? done.problems.map((message) => ({ where: "files", message })) : []);
}

function no(
  code: Code,
  says: string,
  errors: readonly { readonly where: string; readonly message: string }[] = [],
): Extract<Committed, { ok: false }> {
  return { ok: false, code, says, errors };
}
