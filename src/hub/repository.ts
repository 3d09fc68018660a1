/**
 * Repositories of all kinds: bare git repositories in one folder, written by git's own plumbing. A commit is a compare-and-swap of
 * the branch, so of two writers who saw the same parent one wins and the other is told.
 */
import { link, mkdir, mkdtemp, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { collectRepository, forgetPassing, passingRefs, removeLocks } from "./collect.ts";
import { newId, type RandomBytes } from "../stdx/ids.ts";
import type { Clock } from "../stdx/time.ts";
import { Turns } from "../stdx/turns.ts";
import { GitFailure, runGit, systemGit, type GitProgram } from "./git.ts";
import { listTree as treeOf, parseTree, treeProblems, type RunIn, type TreeEntry } from "./git-objects.ts";
import { isOneOf } from "./errors.ts";
import { afterCrash } from "./import-crash.ts";
import { importStream } from "./import-stream.ts";
import { attributesFile, uncovered, withLines } from "./lfs-attributes.ts";
import { proposalFolders } from "./lfs-store.ts";
import { largeFilesOf, missingObjects, pointersTo, writeLargeFiles, type OpenLarge } from "./lfs-tree.ts";
import { pathConflicts, pathProblem, saidOfPath } from "./paths.ts";
import { pullOf } from "./pull-ref.ts";
import { Writers } from "./writers.ts";

export interface NewFile {
  readonly path: string;
  /** Its content, or the file that holds it. */
  readonly content: { readonly bytes: Uint8Array } | { readonly file: string };
}

/** A file whose content was sent before, by git-lfs' way. */
export interface NewLargeFile {
  readonly path: string;
  readonly oid: string;
  /** Bytes; null where the one who commits does not say. */
  readonly size: number | null;
}

export interface Author {
  readonly name: string;
  readonly email: string;
}

export interface CommitRequest {
  /** The bare repository's folder, as {@link RepositoryStore.repositoryOf} gives it. */
  readonly repository: string;
  /** Or a pull request's whole reference, `refs/pr/N`. */
  readonly branch: string;
  readonly files: readonly NewFile[];
  readonly largeFiles?: readonly NewLargeFile[];
  readonly deletedFiles?: readonly string[];
  readonly deletedFolders?: readonly string[];
  /** The commit's tree is exactly `files`. */
  readonly replaceAll?: boolean;
  /** The commit that the caller saw as the branch's last; a branch that is elsewhere refuses. Absent: on top of whatever is there. */
  readonly parent?: string;
  readonly author: Author;
  readonly summary: string;
  readonly description?: string;
}

export type CommitResult =
  /** `changed: false`: the tree is as it was, and no commit was made; `commit` is the branch's. */
  | { readonly ok: true; readonly commit: string; readonly tree: string; readonly changed: boolean }
  | {
      readonly ok: false;
      readonly refusal: "parent-moved";
      readonly status: 412;
      readonly says: string;
      readonly head: string | null;
    }
  | {
      readonly ok: false;
      readonly refusal: "absent-file";
      readonly status: 404;
      readonly says: string;
      readonly problems: readonly string[];
    }
  | {
      readonly ok: false;
      readonly refusal: "bad-path" | "empty-commit" | "missing-object";
      readonly status: 400;
      readonly says: string;
      readonly problems: readonly string[];
    };

export type CheckoutResult =
  | { readonly ok: true; readonly files: number; /** What was left out, in words. */ readonly notes: readonly string[] }
  | {
      readonly ok: false;
      /** `missing-object`: the content of a large file was never sent, or is lost. */
      readonly refusal: "unknown-commit" | "bad-link" | "missing-object";
      readonly says: string;
      readonly problems: readonly string[];
    };

export interface RepositoryStore {
  /** The folder of a repository of this name; it may not exist. */
  repositoryOf(name: string): string;
  /** Makes an empty repository, whole or not at all; false where it was there. */
  createRepository(name: string): Promise<boolean>;
  /** Whether a repository of this name was made. */
  exists(name: string): Promise<boolean>;
  /** Takes a repository off the disk: at once by its name, then its files. Nothing where there is none. */
  removeRepository(name: string): Promise<void>;
  /** Makes a repository of another's branches, tags and large files, whole or not at all; false where it was there. Files are shared where the disk can. */
  copyRepository(from: string, to: string): Promise<boolean>;
  commitFiles(request: CommitRequest): Promise<CommitResult>;
  /** Removes what a crash left of repositories that were being made, or removed. Call before one is made. */
  recover(): Promise<void>;
  /** Packs a repository, where there is one and that is due. Not while it is written; who wants to write, or `signal`, ends it. */
  collect(name: string, signal?: AbortSignal): Promise<void>;
  /** For a git that changes the repository itself, as a push does: while this is held it is not packed. */
  hold(repository: string): Promise<Disposable>;
  /** The commit that the branch is at, or the pull request by its whole reference; null where there is none. */
  head(repository: string, branch: string): Promise<string | null>;
  /** Keeps a commit's id for whoever asks {@link noted}: the platform's own note, which no client sees. */
  note(repository: string, commit: string): Promise<void>;
  noted(repository: string): Promise<string | null>;
  /** The file's bytes; undefined where the commit has none there. Throws `GitFailure` `git-too-much` above `maxBytes`. */
  readFile(repository: string, commit: string, path: string, maxBytes?: number): Promise<Buffer | undefined>;
  /** All files of the commit, folders left out. */
  listTree(repository: string, commit: string): Promise<readonly TreeEntry[]>;
  /** Writes the commit's files into `folder`, which is made. Links that leave it are refused before anything is written. */
  checkout(repository: string, commit: string, folder: string, signal?: AbortSignal): Promise<CheckoutResult>;
}

export interface StoreOptions {
  readonly folder: string;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly git?: GitProgram;
  /** Where large files lie in parts. */
  readonly openLarge?: OpenLarge;
}

/** Writers without a parent start again on top of each other's commits so many times; each round one of them wins. */
const attemptsMax = 8;
/** A file that is read whole into memory: settings and pages, never models. */
const readMaxBytes = 16 << 20;
/** Of a repository that is being made. */
const freshPrefix = ".new-";
/** Of one that is being removed. */
const gonePrefix = ".gone-";
/** A repository of the largest size, from a slow disk. */
const copyWithinMs = 1_800_000;
const noteRef = "refs/waybill/noted";
const noCommit = "0".repeat(40);

/** Where a branch is. */
interface Tip {
  readonly commit: string;
  readonly tree: string;
}

const noParts: OpenLarge = ({ oid }) => {
  throw new Error(`${oid} lies in parts, and nothing here puts them together`);
};

export function openRepositories({
  folder,
  clock,
  random,
  git = systemGit,
  openLarge = noParts,
}: StoreOptions): RepositoryStore {
  /** Writers of this process: nobody builds a commit that is bound to lose. */
  const turns = new Turns();
  /** An earlier process of ours may have been ended while it held a lock: the first of this one who writes removes it. */
  const writers = new Writers((repository) => removeLocks(repository, Infinity));
  const run = (repository: string, ...[args, rest]: Parameters<RunIn>) => runGit(git, { args, repository, ...rest });
  const within =
    (repository: string): RunIn =>
    (args, rest) =>
      run(repository, args, rest);

  return {
    repositoryOf: (name) => join(folder, `${checkedName(name)}.git`),
    exists: (name) => exists(join(folder, `${checkedName(name)}.git`)),
    createRepository: (name) => makeRepository(name, async () => undefined),
    removeRepository,
    copyRepository,
    recover,
    collect: async (name, stop) => {
      const repository = join(folder, `${checkedName(name)}.git`);
      if (!(await exists(repository))) return;
      const work = async (signal: AbortSignal): Promise<void> => {
        await forgetPassing(within(repository));
        await collectRepository(within(repository), repository, { now: clock.wall(), signal });
      };
      await writers.alone(repository, work, stop);
    },
    hold: (repository) => writers.hold(repository),
    commitFiles: (request) =>
      turns.take(request.repository, async () => {
        using _writing = await writers.hold(request.repository);
        return await commitFiles(request);
      }),
    head,
    note: async (repository, commit) => {
      using _writing = await writers.hold(repository);
      await run(repository, ["update-ref", noteRef, commit]);
    },
    noted: (repository) => commitOf(repository, noteRef),
    readFile,
    listTree,
    checkout,
  };

  async function recover(): Promise<void> {
    for (const name of await readdir(folder))
      if (name.startsWith(freshPrefix) || name.startsWith(gonePrefix))
        await rm(join(folder, name), { recursive: true, force: true });
  }

  async function removeRepository(name: string): Promise<void> {
    const found = join(folder, `${checkedName(name)}.git`);
    if (!(await exists(found))) return;
    const gone = join(folder, newId(gonePrefix, random));
    {
      using _writing = await writers.hold(found);
      await rename(found, gone);
    }
    await rm(gone, { recursive: true, force: true });
  }

  async function copyRepository(from: string, to: string): Promise<boolean> {
    const source = join(folder, `${checkedName(from)}.git`);
    return makeRepository(to, async (fresh) => {
      // Nothing of it is packed away meanwhile.
      using _reading = await writers.hold(source);
      const refs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
      await run(fresh, ["fetch", "--quiet", "--no-write-fetch-head", "--no-tags", source, ...refs], {
        limitMs: copyWithinMs,
        withHelpers: true,
      });
      // Before the repository's own: what a merge takes meanwhile is among those then.
      for (const place of await proposalFolders(source))
        await shareFiles(join(place, "lfs", "objects"), join(fresh, relative(source, place), "lfs", "objects"));
      for (const large of ["objects", "xet/notes"])
        await shareFiles(join(source, "lfs", large), join(fresh, "lfs", large));
    });
  }

  async function makeRepository(name: string, fill: (fresh: string) => Promise<void>): Promise<boolean> {
    const final = join(folder, `${checkedName(name)}.git`);
    if (await exists(final)) return false;
    await mkdir(dirname(final), { recursive: true });
    const fresh = await mkdtemp(join(folder, freshPrefix));
    try {
      await runGit(git, { args: ["init", "--quiet", "--bare", "--initial-branch=main", "--template=", fresh] });
      await run(fresh, ["config", "transfer.hideRefs", "refs/waybill"]);
      await fill(fresh);
      await rename(fresh, final);
      // Its name, and its owner's where that is new.
      for (const path of [dirname(final), folder]) await synced(path);
      return true;
    } catch (error) {
      await rm(fresh, { recursive: true, force: true });
      // Somebody else's rename came first, to a folder that is no longer empty.
      if (isOneOf(error, ["ENOTEMPTY", "EEXIST"])) return false;
      throw error;
    }
  }

  async function commitFiles(request: CommitRequest): Promise<CommitResult> {
    const wrong = wrongPaths(request);
    if (wrong.length > 0)
      return { ok: false, refusal: "bad-path", status: 400, says: wrong[0] as string, problems: wrong };
    const pointers = await pointersTo(request.repository, request.largeFiles ?? []);
    if (!pointers.ok) return { ...pointers, refusal: "missing-object", status: 400 };
    const whole = { ...request, files: [...request.files, ...pointers.files] };
    for (let attempt = 1; ; attempt++) {
      const from = await tipOf(request.repository, request.branch);
      const head = from?.commit ?? null;
      if (request.parent !== undefined && request.parent !== head) return moved(request, head);
      const result = await commitOnto(whole, from);
      if (result !== "moved") return result;
      if (request.parent !== undefined || attempt === attemptsMax) {
        return moved(request, await headOf(request.repository, request.branch));
      }
    }
  }

  async function commitOnto(request: CommitRequest, from: Tip | null): Promise<CommitResult | "moved"> {
    const { repository } = request;
    const head = from?.commit ?? null;
    const present = head === null ? [] : await listTree(repository, head);
    const absent = absentFiles(request, present);
    if (absent.length > 0)
      return { ok: false, refusal: "absent-file", status: 404, says: absent[0] as string, problems: absent };
    if (head === null && request.files.length === 0) {
      const says = "the first commit of a repository needs a file";
      return { ok: false, refusal: "empty-commit", status: 400, says, problems: [says] };
    }
    const { commit, tree } = await importWithAttributes(request, head, present);
    if (from !== null && tree === from.tree) return { ok: true, commit: from.commit, tree, changed: false };
    if (!(await swap(repository, refOf(request.branch), commit, head))) return "moved";
    return { ok: true, commit, tree, changed: true };
  }

  /** The commit, on no branch yet; with lines in `.gitattributes` for large files that it adds and that have none. */
  async function importWithAttributes(request: CommitRequest, head: string | null, present: readonly TreeEntry[]) {
    const { repository, largeFiles = [] } = request;
    const first = await importCommit(request, head, present);
    const paths = largeFiles.map(({ path }) => path);
    const bare = paths.length === 0 ? [] : await uncovered(within(repository), first.commit, paths);
    if (bare.length === 0) return first;
    const before = (await readFile(repository, first.commit, attributesFile)) ?? Buffer.alloc(0);
    const bytes = Buffer.from(withLines(before.toString("utf8"), bare));
    const others = request.files.filter(({ path }) => path !== attributesFile);
    return importCommit(
      { ...request, files: [...others, { path: attributesFile, content: { bytes } }] },
      head,
      present,
    );
  }

  async function importCommit(request: CommitRequest, head: string | null, present: readonly TreeEntry[]) {
    const { repository } = request;
    const passing = `${passingRefs}/${newId("i", random)}`;
    const stream = importStream(request, { head, passing, present, seconds: Math.floor(clock.wall() / 1000) });
    const args = ["fast-import", "--quiet", "--done", "--date-format=raw"];
    // Whoever makes a commit holds the repository, so nothing is collected: the commit stays without a name until a branch has it.
    const imported = run(repository, args, { input: stream }).catch(async (error: unknown) => {
      throw error instanceof GitFailure ? await afterCrash(repository, error) : error;
    });
    const said = (await imported).output.toString("latin1");
    const [, commit, tree] = /^([0-9a-f]{40})\n040000 tree ([0-9a-f]{40})\t/.exec(said) ?? [];
    if (commit === undefined || tree === undefined)
      throw new GitFailure("git-failed", `git fast-import said what was not expected: ${said.slice(0, 200)}`);
    return { commit, tree };
  }

  /** True where the branch went from `from` to `to`; false where it was elsewhere by then. */
  async function swap(repository: string, ref: string, to: string, from: string | null): Promise<boolean> {
    try {
      await run(repository, ["update-ref", ref, to, from ?? noCommit]);
      return true;
    } catch (error) {
      const now = await commitOf(repository, ref);
      if (error instanceof GitFailure && now !== from) return false;
      throw error;
    }
  }

  function headOf(repository: string, branch: string): Promise<string | null> {
    return commitOf(repository, refOf(branch));
  }

  async function commitOf(repository: string, ref: string): Promise<string | null> {
    const { exitCode, output } = await run(repository, ["rev-parse", "--verify", "--quiet", `${ref}^{commit}`], {
      answers: [1],
    });
    return exitCode === 0 ? output.toString("latin1").trim() : null;
  }

  async function head(repository: string, branch: string): Promise<string | null> {
    if (!isBranchOrPull(branch)) return null;
    return headOf(repository, branch);
  }

  async function tipOf(repository: string, branch: string): Promise<Tip | null> {
    const ref = refOf(branch);
    const asked = ["rev-parse", "--quiet", `${ref}^{commit}`, `${ref}^{tree}`];
    const { exitCode, output } = await run(repository, asked, { answers: [1, 128] });
    const [commit, tree] = output.toString("latin1").trim().split("\n");
    if (exitCode === 0 && commit !== undefined && tree !== undefined) return { commit, tree };
    if ((await headOf(repository, branch)) === null) return null;
    throw new GitFailure("git-failed", `git rev-parse does not tell where ${ref} is`);
  }

  async function readFile(
    repository: string,
    commit: string,
    path: string,
    maxBytes = readMaxBytes,
  ): Promise<Buffer | undefined> {
    if (!isCommit(commit) || pathProblem(path) !== undefined) return undefined;
    const found = parseTree((await run(repository, ["ls-tree", "-z", "-l", "--full-tree", commit, "--", path])).output);
    const entry = found.find((one) => one.path === path && one.size !== null);
    if (!entry) return undefined;
    return (await run(repository, ["cat-file", "blob", entry.oid], { outputMaxBytes: maxBytes })).output;
  }

  async function listTree(repository: string, commit: string): Promise<readonly TreeEntry[]> {
    return treeOf(within(repository), commit);
  }

  async function checkout(
    repository: string,
    commit: string,
    into: string,
    signal?: AbortSignal,
  ): Promise<CheckoutResult> {
    if (!isCommit(commit) || !(await isKnown(repository, commit))) {
      const says = `the repository has no commit ${commit}`;
      return { ok: false, refusal: "unknown-commit", says, problems: [says] };
    }
    const entries = await listTree(repository, commit);
    const bad = await treeProblems(within(repository), entries);
    if (bad.length > 0) return { ok: false, refusal: "bad-link", says: bad[0] as string, problems: bad };
    const large = await largeFilesOf(within(repository), entries, repository);
    const missing = missingObjects(large);
    if (missing.length > 0) {
      const problems = missing.map((file) => `${file} is a large file whose content is not here`);
      return { ok: false, refusal: "missing-object", says: problems[0] as string, problems };
    }
    await mkdir(into, { recursive: true });
    const index = await mkdtemp(join(dirname(into), ".index-"));
    const rest = { env: { GIT_INDEX_FILE: join(index, "index"), GIT_WORK_TREE: into }, ...(signal ? { signal } : {}) };
    try {
      await run(repository, ["read-tree", commit], rest);
      await run(repository, ["-c", "core.bare=false", "checkout-index", "--all", "--force", "--quiet"], rest);
    } finally {
      await rm(index, { recursive: true, force: true });
    }
    await writeLargeFiles(large, into, { signal, open: openLarge });
    const others = entries.filter(({ mode }) => mode === "160000");
    return {
      ok: true,
      files: entries.length - others.length,
      notes: others.map(({ path }) => `${path} is a submodule: its files are not fetched, the folder is empty`),
    };
  }

  async function isKnown(repository: string, commit: string): Promise<boolean> {
    return (await run(repository, ["cat-file", "-e", `${commit}^{commit}`], { answers: [1, 128] })).exitCode === 0;
  }
}

/** `owner/name` or any other path of letters, digits and `._-`: what a repository may be called on our disk. */
export function isRepositoryName(name: string): boolean {
  return (
    /^[A-Za-z0-9_][A-Za-z0-9._-]{0,95}(\/[A-Za-z0-9_][A-Za-z0-9._-]{0,95}){0,2}$/.test(name) &&
    !/\.git(\/|$)|\.\./.test(name)
  );
}

function checkedName(name: string): string {
  if (!isRepositoryName(name)) throw new RangeError(`not a repository's name: ${JSON.stringify(name)}`);
  return name;
}

/** Of a branch or a tag; what reads as a commit's id is none. */
export function isBranchName(branch: string): boolean {
  // What begins so is a whole reference wherever a name is taken.
  if (isCommit(branch) || branch.startsWith("refs/")) return false;
  return /^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/.test(branch) && !/\.\.|\/\/|\.lock(\/|$)|[./]$|\/\./.test(branch);
}

export const isCommit = (text: string): boolean => /^[0-9a-f]{40}$/.test(text);

const isBranchOrPull = (name: string): boolean => isBranchName(name) || pullOf(name) !== undefined;

const refOf = (branch: string): string => (pullOf(branch) === undefined ? `refs/heads/${branch}` : branch);

function wrongPaths(request: CommitRequest): readonly string[] {
  const { files, largeFiles = [], deletedFiles = [], deletedFolders = [], branch } = request;
  const added = [...files, ...largeFiles].map(({ path }) => path);
  const seen = new Set<string>();
  const twice = new Set(added.filter((path) => seen.has(path) || !seen.add(path)));
  return [
    ...(isBranchOrPull(branch) ? [] : [`not a branch's name: ${JSON.stringify(branch)}`]),
    ...[...added, ...deletedFiles, ...deletedFolders].flatMap(saidOfPath),
    ...[...twice].map((path) => `${path} is added twice`),
    ...pathConflicts(added),
  ];
}

/** A folder may be named as a file is: clients that are told one path do not know which it is. */
function absentFiles(request: CommitRequest, present: readonly TreeEntry[]): readonly string[] {
  const paths = new Set(present.map(({ path }) => path));
  const absent = (request.deletedFiles ?? []).filter((path) => !paths.has(path));
  if (absent.length === 0) return [];
  const folders = new Set(present.flatMap(({ path }) => foldersAbove(path)));
  return absent.filter((path) => !folders.has(path)).map((path) => `${path} is to be deleted and is not there`);
}

/** `a` and `a/b` of `a/b/c`. */
function foldersAbove(path: string): readonly string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, n) => parts.slice(0, n + 1).join("/"));
}

function moved(request: CommitRequest, head: string | null): CommitResult {
  const at = head === null ? "has no commit" : `is at ${head}`;
  const says =
    request.parent === undefined
      ? `other writers were faster ${attemptsMax} times; branch ${request.branch} ${at}`
      : `branch ${request.branch} ${at}, not at the parent ${request.parent}`;
  return { ok: false, refusal: "parent-moved", status: 412, says, head };
}

async function synced(path: string): Promise<void> {
  await using handle = await open(path);
  await handle.sync();
}

/** Whole files under the same names; what is never written again can be one file in two folders. */
async function shareFiles(from: string, to: string): Promise<void> {
  const entries = await readdir(from, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if (isOneOf(error, ["ENOENT"])) return []; // Nothing of it is large.
    throw error;
  });
  for (const entry of entries.filter((one) => one.isFile())) {
    const file = join(entry.parentPath, entry.name);
    const target = join(to, relative(from, file));
    await mkdir(dirname(target), { recursive: true });
    await link(file, target).catch((error: unknown) => {
      if (!isOneOf(error, ["ENOENT"])) throw error; // Taken from a pull request to the repository's own meanwhile.
    });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isOneOf(error, ["ENOENT"])) return false;
    throw error;
  }
}
