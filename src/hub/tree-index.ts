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

export class TreeIndex {
  /** Each folder before what it holds, as `git ls-tree -r -t` has them. */
  readonly items: readonly TreeItem[];
  readonly #places: ReadonlyMap<string, number>;

  constructor(items: readonly TreeItem[]) {
    this.items = items;
    this.#places = new Map(items.map(({ path }, place) => [path, place]));
  }

  get(path: string): TreeItem | undefined {
    const place = this.#places.get(path);
    return place === undefined ? undefined : this.items[place];
  }

  /** What a folder holds (`""`: the whole tree), all of it or its own entries; undefined where there is no such folder. */
  under(folder: string, recursive: boolean): readonly TreeItem[] | undefined {
    const place = folder === "" ? -1 : this.#places.get(folder);
    if (place === undefined || (place >= 0 && this.items[place]?.type !== "directory")) return undefined;
    const prefix = folder === "" ? "" : `${folder}/`;
    let end = place + 1;
    while (end < this.items.length && this.items[end]?.path.startsWith(prefix)) end += 1;
    const all = this.items.slice(place + 1, end);
    return recursive ? all : all.filter(({ path }) => !path.includes("/", prefix.length));
  }

  get files(): readonly TreeItem[] {
    return this.items.filter(({ type }) => type === "file");
  }
}

export const emptyTree = new TreeIndex([]);

/** Reads a tree, or the tree of a commit. Other repositories' commits in it (submodules) are left out. */
export async function readTreeIndex(run: RunIn, tree: string): Promise<TreeIndex> {
  const { output } = await run(["ls-tree", "-r", "-t", "-z", "-l", "--full-tree", tree]);
  const items = parseItems(output.toString("utf8"));
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
  if (pointers.size === 0) return new TreeIndex(items);
  return new TreeIndex(
    items.map((item) => {
      const lfs = item.type === "file" && item.mode.startsWith("100") ? pointers.get(item.oid) : undefined;
      return lfs === undefined ? item : { ...item, lfs };
    }),
  );
}

/** Rows of `<mode> <type> <oid> <size>\t<path>\0`. */
function parseItems(text: string): TreeItem[] {
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
