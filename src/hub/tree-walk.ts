/**
 * A tree that is too large to be kept: each question reads of git what it needs, and no more than a page of it is held. Where a page
 * ended is said by the path of its last entry, so the next one goes down to that and on from there.
 */
import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { cleanEnv, GitFailure, type GitProgram } from "./git.ts";
import type { RunIn } from "./git-objects.ts";
import { parseItems, withPointers, type PageWish, type RepoTree, type TreeItem, type TreePage } from "./tree-index.ts";

export interface WalkedTree {
  readonly git: GitProgram;
  /** The repository's folder. */
  readonly repository: string;
  /** The tree's own id. */
  readonly tree: string;
  readonly run: RunIn;
}

/** Paths that one call of git is asked: 100 of 4 kB are well below what a command may have. */
const pathsAtOnce = 100;
/** git's own bound. */
const pathMaxBytes = 4_096;
const cursorMark = "after:";
/** A name in a tree and what stands before it; git's own have 4 kB at most. */
const rowMaxBytes = 64 << 10;
const idBytes = 20;
/** The mode of another repository's commit, which is left out. */
const submodule = "160000";
/** A page's trees, from a slow disk. */
const pageWithinMs = 120_000;

/** As it stands in a tree's own bytes. */
interface Row {
  readonly mode: string;
  readonly name: string;
  readonly oid: string;
}

export class TreeWalk implements RepoTree {
  readonly #of: WalkedTree;

  constructor(of: WalkedTree) {
    this.#of = of;
  }

  async find(paths: readonly string[]): Promise<ReadonlyMap<string, TreeItem>> {
    const { run, tree } = this.#of;
    const wanted = new Set(paths.filter(mayBe));
    const all = [...wanted];
    const found: TreeItem[] = [];
    for (let from = 0; from < all.length; from += pathsAtOnce) {
      const asked = all.slice(from, from + pathsAtOnce);
      const { output } = await run(["ls-tree", "-t", "-z", "-l", "--full-tree", tree, "--", ...asked]);
      found.push(...parseItems(output.toString("utf8")).filter(({ path }) => wanted.has(path)));
    }
    return new Map((await withPointers(run, found)).map((item) => [item.path, item]));
  }

  async page(folder: string, { recursive, cursor, limit }: PageWish): Promise<TreePage | undefined> {
    const { git, repository, tree, run } = this.#of;
    const top = folder === "" ? tree : (await this.#folder(folder))?.oid;
    if (top === undefined) return undefined;
    const prefix = folder === "" ? "" : `${folder}/`;
    const after = cursor.startsWith(cursorMark + prefix) ? cursor.slice((cursorMark + prefix).length).split("/") : [];
    using objects = new TreeObjects(git, repository);
    // One more than asked, which says whether there is another page.
    const found = await walk(objects, { tree: top, prefix, after, recursive }, limit + 1);
    const items = await withPointers(run, await sized(run, found.slice(0, limit)));
    const last = items.at(-1);
    return { items, next: found.length > limit && last !== undefined ? `${cursorMark}${last.path}` : undefined };
  }

  async #folder(path: string): Promise<TreeItem | undefined> {
    const item = (await this.find([path])).get(path);
    return item?.type === "directory" ? item : undefined;
  }
}

/** Whether a tree may have it: what git takes for no path, or no command holds, is not asked, so that it ends no question for others. */
function mayBe(path: string): boolean {
  if (path.includes("\0") || Buffer.byteLength(path) > pathMaxBytes) return false;
  return path.split("/").every((name) => !["", ".", ".."].includes(name));
}

interface Walk {
  readonly tree: string;
  readonly prefix: string;
  /** The names that lead from this tree to the entry behind which it goes on; none: from the beginning. */
  readonly after: readonly string[];
  readonly recursive: boolean;
}

/** Entries in git's order, `most` of them: of each folder on the way no more than that is held. */
async function walk(objects: TreeObjects, { tree, prefix, after, recursive }: Walk, most: number): Promise<TreeItem[]> {
  const [first, ...deeper] = after;
  const rows = await objects.rows(tree, first, most + 1);
  const items: TreeItem[] = [];
  for (const { mode, name, oid } of rows) {
    if (items.length >= most) break;
    const path = prefix + name;
    const isBefore = name === first;
    const isFolder = mode === "40000" || mode === "040000";
    if (!isBefore && isFolder) items.push({ path, type: "directory", mode: "040000", oid, size: 0 });
    else if (!isBefore) items.push({ path, type: "file", mode, oid, size: 0 });
    if (!isFolder || !recursive || items.length >= most) continue;
    const below = { tree: oid, prefix: `${path}/`, after: isBefore ? deeper : [], recursive };
    items.push(...(await walk(objects, below, most - items.length)));
  }
  return items;
}

/** With the bytes that each file has. */
async function sized(run: RunIn, items: readonly TreeItem[]): Promise<readonly TreeItem[]> {
  const input = items.flatMap(({ type, oid }) => (type === "file" ? [`${oid}\n`] : []));
  if (input.length === 0) return items;
  const { output } = await run(["cat-file", "--batch-check=%(objectname) %(objectsize)"], { input });
  const sizes = new Map(
    output
      .toString("latin1")
      .split("\n")
      .map((row) => row.split(" ") as [string, string]),
  );
  return items.map((item) => (item.type === "file" ? { ...item, size: Number(sizes.get(item.oid) ?? 0) } : item));
}

/** One git that gives trees one after another; what of them is not asked for passes and is not kept. */
class TreeObjects implements Disposable {
  readonly #child: ReturnType<typeof spawn>;
  readonly #pieces: AsyncIterator<Buffer>;
  readonly #late: NodeJS.Timeout;
  #rest: Buffer = Buffer.alloc(0);

  constructor(git: GitProgram, repository: string) {
    this.#child = spawn(git.program, [`--git-dir=${repository}`, "cat-file", "--batch"], {
      env: cleanEnv(git),
      stdio: ["pipe", "pipe", "ignore"],
      cwd: "/",
    });
    const stdout = this.#child.stdout as Readable;
    this.#child.once("error", (error) => stdout.destroy(error));
    this.#child.stdin?.on("error", () => undefined); // It ended early: what it does not answer says so.
    this.#late = setTimeout(() => this.#child.kill("SIGKILL"), pageWithinMs);
    this.#pieces = stdout[Symbol.asyncIterator]();
  }

  /** The rows of a tree from the one of that name on (from the first, where none is named), `most` at the most. */
  async rows(tree: string, from: string | undefined, most: number): Promise<readonly Row[]> {
    this.#child.stdin?.write(`${tree}\n`);
    const head = await this.#line();
    const [, type, bytes] = head.split(" ");
    if (type !== "tree") throw new GitFailure("git-failed", `git cat-file gave "${head}" for the tree ${tree}`);
    const rows: Row[] = [];
    let isBegun = from === undefined;
    let left = Number(bytes);
    while (left > 0) {
      const row = this.#row();
      if (row === undefined) {
        await this.#more();
        continue;
      }
      left -= row.bytes;
      isBegun ||= row.name === from;
      if (isBegun && rows.length < most && row.mode !== submodule)
        rows.push({ mode: row.mode, name: row.name, oid: row.oid });
    }
    while (this.#rest.length === 0) await this.#more();
    // A line's end behind each object.
    this.#rest = this.#rest.subarray(1);
    return rows;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#late);
    this.#child.kill("SIGKILL");
    this.#child.stdout?.destroy();
  }

  /** `<mode> <name>\0` and 20 bytes; undefined until all of it has come. */
  #row(): (Row & { readonly bytes: number }) | undefined {
    const end = this.#rest.indexOf(0);
    if (end === -1 || this.#rest.length <= end + idBytes) return undefined;
    const text = this.#rest.toString("utf8", 0, end);
    const bytes = end + 1 + idBytes;
    const oid = this.#rest.toString("hex", end + 1, bytes);
    this.#rest = this.#rest.subarray(bytes);
    const space = text.indexOf(" ");
    return { mode: text.slice(0, space), name: text.slice(space + 1), oid, bytes };
  }

  async #line(): Promise<string> {
    let end = this.#rest.indexOf(10);
    for (; end === -1; end = this.#rest.indexOf(10)) await this.#more();
    const line = this.#rest.toString("latin1", 0, end);
    this.#rest = this.#rest.subarray(end + 1);
    return line;
  }

  async #more(): Promise<void> {
    if (this.#rest.length > rowMaxBytes) throw new GitFailure("git-too-much", "a row of a tree has no end");
    const { value, done } = (await this.#pieces.next()) as IteratorResult<Buffer, undefined>;
    if (done === true) throw new GitFailure("git-failed", "git cat-file ended in the middle of a tree");
    this.#rest = this.#rest.length === 0 ? value : Buffer.concat([this.#rest, value]);
  }
}
