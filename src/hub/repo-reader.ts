/** Reads repositories for the Hub's API: revisions, trees, history and bytes. What it keeps is of trees, which never change. */
import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { Turns } from "../stdx/turns.ts";
import { BlobBatches } from "./blob-batch.ts";
import { cleanEnv, GitFailure, runGit, systemGit, type GitProgram } from "./git.ts";
import type { RunIn } from "./git-objects.ts";
import { rowsOf } from "./git-rows.ts";
import { isCommit } from "./repository.ts";
import { emptyTree, readTreeIndex, type RepoTree, type TreeIndex, type TreeItem } from "./tree-index.ts";
import { TreeWalk } from "./tree-walk.ts";

export interface Revision {
  readonly commit: string;
  readonly tree: string;
}

/** `empty`: the branch `main` of a repository without a commit. */
export type FoundRevision = Revision | "empty" | undefined;

export interface RefFound {
  /** `main`, `v1.0` */
  readonly name: string;
  readonly ref: string;
  /** Of an annotated tag that which it names. */
  readonly commit: string;
}

export interface CommitFound {
  readonly id: string;
  readonly title: string;
  readonly message: string;
  readonly author: string;
  /** Seconds since 1970. */
  readonly seconds: number;
}

/** Entries of trees that are kept, of all repositories together: some 60 MB. */
const keptItemsMax = 300_000;
/** git's own bound for a reference's name is 4 kB. */
const refRowMaxBytes = 8 << 10;
/** Some 300 bytes each. */
const keptCommitsMax = 10_000;
const filesAtOnce = 25_000;
/** git processes that look for the last commits of paths at once, for all pages that are asked for. */
const lastCommitsAtOnce = 4;
const field = "\x1f";
/** Of `git log`, as {@link commitOf} reads it. What people write comes last: it may hold anything. */
export const titleFormat = `%H${field}%ct${field}%an${field}%s`;
const logFormat = `${titleFormat}${field}%b`;
/** Of a message more is cut off. */
const messageMaxBytes = 256 << 10;
/** Of a page's messages together: what is behind it comes with the next. */
const messagesMaxChars = 4 << 20;
/** A tree that is read page by page takes as little room as one of so many entries. */
const walkItems = 1;

export class RepoReader {
  readonly #git: GitProgram;
  readonly #lookers = new Turns();
  readonly #batches: BlobBatches;
  /** By repository and tree, the last used last. */
  readonly #kept = new Map<string, KeptTree>();
  /** Trees of commits that were asked for by their ids, file by file as a rule. */
  readonly #commits = new Map<string, Revision>();

  constructor(git: GitProgram = systemGit) {
    this.#git = git;
    this.#batches = new BlobBatches(git);
  }

  /** A branch, a tag, a whole reference, or a commit's id or its beginning; git's other ways to name one are not taken. */
  async revision(repository: string, name: string): Promise<FoundRevision> {
    if (isCommit(name)) return this.#commit(repository, name);
    const wanted = name === "HEAD" ? "main" : name;
    if (!isRefName(wanted)) return undefined;
    const refs = wanted.startsWith("refs/") ? [wanted] : [`refs/heads/${wanted}`, `refs/tags/${wanted}`];
    const format = "%(refname)%00%(objecttype)%00%(objectname)%00%(tree)%00%(*objectname)%00%(*tree)";
    const { output } = await this.#run(repository, ["for-each-ref", `--format=${format}`, ...refs]);
    const rows = output.toString("utf8").split("\n");
    for (const ref of refs) {
      const row = rows.find((one) => one.startsWith(`${ref}\0`))?.split("\0");
      if (row === undefined) continue;
      const [, type, own = "", tree = "", target = "", targetTree = ""] = row;
      const found = type === "tag" ? { commit: target, tree: targetTree } : { commit: own, tree };
      if (found.tree !== "") return found;
    }
    return (await this.#shortened(repository, wanted)) ?? namesMain(wanted);
  }

  /** The commit whose id begins so, as git shows it short; undefined where that is none, or the beginning of several. */
  async #shortened(repository: string, name: string): Promise<Revision | undefined> {
    if (!/^[0-9a-f]{7,39}$/.test(name)) return undefined;
    const found = await this.#askCommit(repository, name);
    return found?.commit.startsWith(name) === true ? found : undefined;
  }

  /** Its branches, its tags or its pull requests in the order of their names, as many as there are, a handful at a time. */
  async *refs(repository: string, of: "heads" | "tags" | "pr"): AsyncGenerator<RefFound> {
    const format = "%(refname)%00%(objectname)%00%(*objectname)";
    const args = [`--git-dir=${repository}`, "for-each-ref", `--format=${format}`, `refs/${of}`];
    for await (const row of rowsOf(this.#git, args, "\n", refRowMaxBytes)) {
      const [ref = "", own = "", target = ""] = row.split("\0");
      yield { name: ref.slice(`refs/${of}/`.length), ref, commit: target === "" ? own : target };
    }
  }

  async hasBranch(repository: string, name: string): Promise<boolean> {
    if (!isRefName(name)) return false;
    const args = ["show-ref", "--verify", "--quiet", `refs/heads/${name}`];
    return (await runGit(this.#git, { args, repository, answers: [1, 128] })).exitCode === 0;
  }

  async hasBranches(repository: string): Promise<boolean> {
    return (await this.#run(repository, ["for-each-ref", "--count=1", "refs/heads"])).output.length > 0;
  }

  /** What is in the tree, read once and kept as long as others do not need the room; one that is larger is read page by page. */
  async tree(repository: string, revision: Revision | "empty"): Promise<RepoTree> {
    if (revision === "empty") return emptyTree;
    const key = `${repository}\n${revision.tree}`;
    const kept = this.#kept.get(key) ?? { tree: this.#readTree(repository, revision.tree), items: 0 };
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    try {
      const tree = await kept.tree;
      kept.items = "items" in tree ? tree.items.length : walkItems;
      this.#makeRoom();
      return tree;
    } catch (error) {
      this.#kept.delete(key);
      throw error;
    }
  }

  async #readTree(repository: string, tree: string): Promise<TreeIndex | TreeWalk> {
    const run: RunIn = (args, rest) => this.#run(repository, args, rest);
    try {
      return await readTreeIndex(run, tree);
    } catch (error) {
      if (!(error instanceof GitFailure) || error.code !== "git-too-much") throw error;
      return new TreeWalk({ git: this.#git, repository, tree, run });
    }
  }

  /** Newest first; fewer than `limit` where they say more than can be held at once, and then one at least. */
  async commits(
    repository: string,
    commit: string,
    { skip, limit }: { readonly skip: number; readonly limit: number },
  ): Promise<readonly CommitFound[]> {
    const range = [`--skip=${skip}`, `--max-count=${limit}`];
    const args = [`--git-dir=${repository}`, "log", "-z", `--format=${logFormat}`, ...range, commit];
    const found: CommitFound[] = [];
    let chars = 0;
    for await (const row of rowsOf(this.#git, args, "\0", messageMaxBytes)) {
      const one = commitOf(row);
      if (one === undefined) continue;
      found.push(one);
      chars += row.length;
      if (chars > messagesMaxChars) break;
    }
    return found;
  }

  async countCommits(repository: string, commit: string): Promise<number> {
    return Number((await this.#run(repository, ["rev-list", "--count", commit])).output.toString("latin1"));
  }

  /** Of each path the newest commit that changed it. */
  async lastCommits(
    repository: string,
    commit: string,
    paths: readonly string[],
  ): Promise<ReadonlyMap<string, CommitFound>> {
    const found = new Map<string, CommitFound>();
    const waiting = [...paths];
    const look = async (path: string): Promise<void> => {
      const args = ["log", "-1", `--format=${titleFormat}`, commit, "--", path];
      const last = commitOf((await this.#run(repository, args)).output.toString("utf8"));
      if (last) found.set(path, last);
    };
    // Pages take turns with each path.
    const work = async (_: unknown, lane: number): Promise<void> => {
      for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
        const next = path;
        await this.#lookers.take(String(lane), () => look(next));
      }
    };
    await Promise.all(Array.from({ length: lastCommitsAtOnce }, work));
    return found;
  }

  /** A file of a commit, without a look at all others; undefined where it is none, or longer. */
  async fileAt(repository: string, commit: string, path: string, maxBytes: number): Promise<Buffer | undefined> {
    const asked = { args: ["cat-file", "blob", `${commit}:${path}`], repository, answers: [128] };
    try {
      const { exitCode, output } = await runGit(this.#git, { ...asked, outputMaxBytes: maxBytes });
      return exitCode === 0 ? output : undefined;
    } catch (error) {
      if (error instanceof GitFailure && error.code === "git-too-much") return undefined;
      throw error;
    }
  }

  /** The bytes of a blob that is there and small, for many that are asked for one after another. */
  async smallBlob(repository: string, oid: string): Promise<Buffer> {
    const bytes = await this.#batches.read(repository, oid);
    if (bytes === undefined) throw new GitFailure("git-failed", `blob ${oid} is not in the repository`);
    return bytes;
  }

  /** The bytes of a blob that is there, whole; throws `GitFailure` above `maxBytes`. */
  async blob(repository: string, oid: string, maxBytes: number): Promise<Buffer> {
    return (await this.#run(repository, ["cat-file", "blob", oid], { outputMaxBytes: maxBytes })).output;
  }

  /** The bytes of a blob as git gives them, to be destroyed by who does not read to the end. */
  stream(repository: string, oid: string): Readable {
    const child = spawn(this.#git.program, [`--git-dir=${repository}`, "cat-file", "blob", oid], {
      env: cleanEnv(this.#git),
      stdio: ["ignore", "pipe", "ignore"],
      cwd: "/",
    });
    const { stdout } = child;
    stdout.once("close", () => void child.kill("SIGKILL"));
    child.once("error", (error) => stdout.destroy(error));
    return stdout;
  }

  /** Bytes on the disk of what is in git's own form. */
  async packedBytes(repository: string): Promise<number> {
    const text = (await this.#run(repository, ["count-objects", "-v"])).output.toString("latin1");
    const kib = (name: string): number => Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(text)?.[1] ?? 0);
    return (kib("size") + kib("size-pack")) * 1024;
  }

  /** It is gone: another may be made in its folder. */
  forget(repository: string): void {
    const isOf = (key: string): boolean => key.startsWith(`${repository}\n`);
    for (const kept of [this.#kept, this.#commits]) for (const key of kept.keys()) if (isOf(key)) kept.delete(key);
    this.#batches.forget(repository);
  }

  #run(repository: string, ...[args, rest]: Parameters<RunIn>): ReturnType<RunIn> {
    return runGit(this.#git, { args, repository, ...rest });
  }

  async #commit(repository: string, id: string): Promise<Revision | undefined> {
    const key = `${repository}\n${id}`;
    const known = this.#commits.get(key);
    if (known !== undefined) return known;
    const found = await this.#askCommit(repository, id);
    if (found?.commit !== id) return undefined;
    if (this.#commits.size >= keptCommitsMax) this.#commits.clear();
    this.#commits.set(key, found);
    return found;
  }

  async #askCommit(repository: string, id: string): Promise<Revision | undefined> {
    const asked = ["rev-parse", "--quiet", `${id}^{commit}`, `${id}^{tree}`];
    const { exitCode, output } = await runGit(this.#git, { args: asked, repository, answers: [1, 128] });
    const [commit, tree] = output.toString("latin1").trim().split("\n");
    return exitCode === 0 && commit !== undefined && tree !== undefined ? { commit, tree } : undefined;
  }

  #makeRoom(): void {
    let items = 0;
    for (const kept of this.#kept.values()) items += kept.items;
    for (const [key, kept] of this.#kept) {
      if (items <= keptItemsMax || this.#kept.size === 1) return;
      this.#kept.delete(key);
      items -= kept.items;
    }
  }
}

/** `items`: how many it has, once it was read. */
interface KeptTree {
  readonly tree: Promise<TreeIndex | TreeWalk>;
  items: number;
}

/** Files of the tree in git's order, the first `most` and whatever comes with them. */
export async function filesOf(tree: RepoTree, most: number): Promise<readonly TreeItem[]> {
  const files: TreeItem[] = [];
  let cursor: string | undefined = "";
  while (cursor !== undefined && files.length < most) {
    const page = await tree.page("", { recursive: true, cursor, limit: filesAtOnce });
    files.push(...(page?.items ?? []).filter(({ type }) => type === "file"));
    cursor = page?.next;
  }
  return files;
}

/** The branch of a repository without a commit; undefined for any other name. */
export function namesMain(name: string): "empty" | undefined {
  return ["main", "HEAD", "refs/heads/main"].includes(name) ? "empty" : undefined;
}

/** What may be asked of git as a pattern: of its special characters none. */
export function isRefName(name: string): boolean {
  return name.length <= 255 && /^[A-Za-z0-9_][A-Za-z0-9._/+@-]*$/.test(name) && !/\.\.|\/\/|@\{|[./]$/.test(name);
}

/** Undefined where there is none, as behind the last. */
export function commitOf(row: string): CommitFound | undefined {
  const [id = "", seconds = "", author = "", title = "", ...body] = row.trimEnd().split(field);
  if (!isCommit(id)) return undefined;
  return { id, title, message: body.join(field).trim(), author, seconds: Number(seconds) };
}
