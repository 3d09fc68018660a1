/** All of a commit's files and folders in git's order, with what is known of each without its bytes. Pure but for who reads git. */
import { readBlobs, type RunIn } from "./git-objects.ts";
import { parsePointer, pointerMaxBytes, pointerMinBytes, type LfsPointer } from "./lfs-pointer.ts";

export interface TreeItem {
  readonly path: string;
  readonly type: "file" | "directory";
  readonly mode: string;
  /** git's: of the blob or the tree. */
  readonly oid: string;
  /** Bytes of the blob: of a large file those of its pointer. 0 of a folder. */
  readonly size: number;
  /** What the file stands for, where it is a pointer. */
  readonly lfs?: LfsPointer;
}

/** What a page of a folder is asked by. */
export interface PageWish {
  /** With all that lies in its folders, each before what it holds. */
  readonly recursive: boolean;
  /** Where the page before ended; empty: from the beginning. */
  readonly cursor: string;
  readonly limit: number;
}

export interface TreePage {
  readonly items: readonly TreeItem[];
  /** Where the next one begins; undefined where there is none. */
  readonly next: string | undefined;
}

/** A tree, whether it is kept or read anew for each question. */
export interface RepoTree {
  /** Entries by their paths; what is not there is left out. */
  find(paths: readonly string[]): Promise<ReadonlyMap<string, TreeItem>>;
  /** What a folder holds (`""`: the whole tree); undefined where there is no such folder. */
  page(folder: string, wish: PageWish): Promise<TreePage | undefined>;
}

/** One that is small enough to be kept. */
export class TreeIndex implements RepoTree {
  /** Each folder before what it holds, as `git ls-tree -r -t` has them. */
  readonly items: readonly TreeItem[];
  readonly #places: ReadonlyMap<string, number>;

  constructor(items: readonly TreeItem[]) {
    this.items = items;
    this.#places = new Map(items.map(({ path }, place) => [path, place]));
  }

  async find(paths: readonly string[]): Promise<ReadonlyMap<string, TreeItem>> {
    const found = paths.flatMap((path) => this.#get(path) ?? []);
    return new Map(found.map((item) => [item.path, item]));
  }

  async page(folder: string, { recursive, cursor, limit }: PageWish): Promise<TreePage | undefined> {
    const items = this.#under(folder, recursive);
    if (items === undefined) return undefined;
    const from = /^\d{1,9}$/.test(cursor) ? Number(cursor) : 0;
    const to = from + limit;
    return { items: items.slice(from, to), next: to < items.length ? String(to) : undefined };
  }

  #get(path: string): TreeItem | undefined {
    const place = this.#places.get(path);
    return place === undefined ? undefined : this.items[place];
  }

  #under(folder: string, recursive: boolean): readonly TreeItem[] | undefined {
    const place = folder === "" ? -1 : this.#places.get(folder);
    if (place === undefined || (place >= 0 && this.items[place]?.type !== "directory")) return undefined;
    const prefix = folder === "" ? "" : `${folder}/`;
    let end = place + 1;
    while (end < this.items.length && this.items[end]?.path.startsWith(prefix)) end += 1;
    const all = this.items.slice(place + 1, end);
    return recursive ? all : all.filter(({ path }) => !path.includes("/", prefix.length));
  }
}

export const emptyTree = new TreeIndex([]);

/** More is walked page by page: this is a list of some 300,000 entries. */
const keptMaxBytes = 32 << 20;

/**
 * Reads a tree, or the tree of a commit; throws `GitFailure` `git-too-much` where it is too large to be kept. Other repositories'
 * commits in it (submodules) are left out.
 */
export async function readTreeIndex(run: RunIn, tree: string): Promise<TreeIndex> {
  const rows = ["ls-tree", "-r", "-t", "-z", "-l", "--full-tree", tree];
  const { output } = await run(rows, { outputMaxBytes: keptMaxBytes });
  return new TreeIndex(await withPointers(run, parseItems(output.toString("utf8"))));
}

/** Says of each file that is a pointer what it stands for. */
export async function withPointers(run: RunIn, items: readonly TreeItem[]): Promise<readonly TreeItem[]> {
  const small = items.filter(({ type, size }) => type === "file" && size >= pointerMinBytes && size <= pointerMaxBytes);
  const blobs = await readBlobs(
    run,
    small.filter(({ mode }) => mode.startsWith("100")).map(({ oid }) => oid),
  );
  const pointers = new Map<string, LfsPointer>();
  for (const [oid, bytes] of blobs) {
    const pointer = parsePointer(bytes);
    if (pointer) pointers.set(oid, pointer);
  }
  if (pointers.size === 0) return items;
  return items.map((item) => {
    const lfs = item.type === "file" && item.mode.startsWith("100") ? pointers.get(item.oid) : undefined;
    return lfs === undefined ? item : { ...item, lfs };
  });
}

/** Rows of `<mode> <type> <oid> <size>\t<path>\0`. */
export function parseItems(text: string): TreeItem[] {
  const items: TreeItem[] = [];
  for (let at = 0; at < text.length;) {
    const end = text.indexOf("\0", at);
    const tab = text.indexOf("\t", at);
    const [mode, type, oid, size] = text.slice(at, tab).split(/ +/) as [string, string, string, string];
    const path = text.slice(tab + 1, end);
    at = end + 1;
    if (type === "tree") items.push({ path, type: "directory", mode, oid, size: 0 });
    else if (type === "blob") items.push({ path, type: "file", mode, oid, size: Number(size) });
  }
  return items;
}
