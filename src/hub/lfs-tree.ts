/** Large files of a commit: which of its files are pointers, and where their bytes lie. */
import { chmod, constants, copyFile, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readBlobs, type RunIn, type TreeEntry } from "./git-objects.ts";
import { parsePointer, pointerMaxBytes, pointerMinBytes, pointerText, type LfsPointer } from "./lfs-pointer.ts";
import { findObject, storedSize, type LargeObject } from "./lfs-store.ts";

/** The bytes of a file that lies in parts. A piece is good until the next is asked for. */
export type OpenLarge = (object: LargeObject & { readonly by: "xet" }) => AsyncIterable<Uint8Array>;

export interface LargeFile {
  readonly entry: TreeEntry;
  readonly pointer: LfsPointer;
  /** Undefined: its bytes are not here. */
  readonly object: LargeObject | undefined;
}

/** The files of a tree that are pointers, whatever `.gitattributes` says of them. */
export async function largeFilesOf(
  run: RunIn,
  entries: readonly TreeEntry[],
  repository: string,
): Promise<readonly LargeFile[]> {
  const small = entries.filter(
    ({ mode, size }) => mode.startsWith("100") && size !== null && size >= pointerMinBytes && size <= pointerMaxBytes,
  );
  const blobs = await readBlobs(
    run,
    small.map(({ oid }) => oid),
  );
  const large: LargeFile[] = [];
  for (const entry of small) {
    const pointer = parsePointer(blobs.get(entry.oid) ?? Buffer.alloc(0));
    if (pointer) large.push({ entry, pointer, object: await findObject(repository, pointer) });
  }
  return large;
}

/** What stands in a commit for files whose content was sent before; says which were not. */
export async function pointersTo(
  repository: string,
  files: readonly { readonly path: string; readonly oid: string; readonly size: number | null }[],
): Promise<
  | {
      readonly ok: true;
      readonly files: readonly { readonly path: string; readonly content: { readonly bytes: Uint8Array } }[];
    }
  | { readonly ok: false; readonly says: string; readonly problems: readonly string[] }
> {
  const found = await Promise.all(
    files.map(async ({ path, oid, size }) => ({ path, oid, size, stored: await storedSize(repository, oid) })),
  );
  const problems = found.flatMap(({ path, oid, size, stored }) => {
    if (stored === undefined) return [`${path}: no file with the SHA-256 ${oid} was sent`];
    return size === null || size === stored ? [] : [`${path}: the file that was sent has ${stored} bytes, not ${size}`];
  });
  if (problems.length > 0) return { ok: false, says: problems[0] as string, problems };
  return {
    ok: true,
    files: found.map(({ path, oid, stored }) => ({
      path,
      content: { bytes: Buffer.from(pointerText({ oid, size: stored ?? 0 })) },
    })),
  };
}

/** Those whose bytes are not here, by name. */
export function missingObjects(files: readonly LargeFile[]): readonly string[] {
  return files
    .filter(({ object }) => object === undefined)
    .map(({ entry, pointer }) => `${entry.path} (${pointer.oid.slice(0, 12)}…, ${pointer.size} bytes)`);
}

/**
 * Puts the bytes where a checkout has written the pointers; shared with the store where the disk can. Rejects where the disk has not
 * room for all of them (a pointer costs nothing, so many may name one large file), and between two files when `signal` says so.
 */
export async function writeLargeFiles(
  files: readonly LargeFile[],
  folder: string,
  { signal, open }: { readonly signal: AbortSignal | undefined; readonly open: OpenLarge },
): Promise<void> {
  const bytes = files.reduce((sum, { pointer }) => sum + pointer.size, 0);
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (bytes > free) throw new Error(`the commit's large files have ${bytes} bytes, and there are only ${free} free`);
  for (const { entry, object } of files) {
    signal?.throwIfAborted();
    if (object === undefined) continue;
    const into = join(folder, entry.path);
    if (object.by === "lfs") await copyFile(object.file, into, constants.COPYFILE_FICLONE);
    // Not as a stream: that asks for the next piece while it has one that is not written, and their memory is the same.
    else await writeFile(into, open(object), signal ? { signal } : {});
    await chmod(into, entry.mode === "100755" ? 0o755 : 0o644);
  }
}
