/**
 * What uv, npm, pnpm and yarn keep of one owner's packages, held to a size: what was used longest ago goes first. Only whole entries
 * go, of which each tool finds that they are missing and fetches them anew.
 */
import { lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** Looked at together, as in disk-use.ts. */
const atOnce = 64;

/**
 * Folders whose entries can go one by one: an unpacked wheel, all that uv knows of a package or an index, one file that npm or pnpm
 * names by its content, a package of yarn's. What is not among these is an entry.
 */
const shelves: readonly RegExp[] = [
  /^uv$/,
  /^uv\/[^/]+$/,
  /^uv\/(?!archive-v)[^/]+\/[^/]+$/,
  /^npm$/,
  /^npm\/(_cacache|pnpm)(\/.*)?$/,
  /^npm\/yarn(-global)?$/,
  /^npm\/yarn\/v\d+$/,
];

interface Entry {
  readonly path: string;
  /** On the disk, of files that are nowhere else: what is linked into an environment frees nothing. */
  readonly bytes: number;
  /** When a file of it was last read, or linked from or into an environment. Milliseconds since 1970. */
  readonly usedAt: number;
}

/**
 * Removes entries of the caches in an owner's folder until they have at most `maxBytes`; resolves with what they have then,
 * and what was freed. To be called while no build of the owner runs. No link is followed.
 */
export async function sweepCaches(
  store: string,
  maxBytes: number,
): Promise<{ readonly bytes: number; readonly freed: number }> {
  const entries = [...(await entriesOf(store, "uv")), ...(await entriesOf(store, "npm"))];
  const all = entries.reduce((sum, { bytes }) => sum + bytes, 0);
  let freed = 0;
  for (const { path, bytes } of entries.toSorted((a, b) => a.usedAt - b.usedAt)) {
    if (all - freed <= maxBytes) break;
    if (bytes === 0) continue;
    await rm(path, { recursive: true, force: true });
    freed += bytes;
  }
  return { bytes: all - freed, freed };
}

async function entriesOf(store: string, name: string): Promise<readonly Entry[]> {
  const path = join(store, name);
  const found = await lstat(path).catch(isGone);
  if (!found) return [];
  if (!found.isDirectory() || !shelves.some((shelf) => shelf.test(name))) return [await measured(path)];
  const all: Entry[] = [];
  const names = await readdir(path);
  for (let at = 0; at < names.length; at += atOnce)
    all.push(
      ...(await Promise.all(names.slice(at, at + atOnce).map((one) => entriesOf(store, `${name}/${one}`)))).flat(),
    );
  return all;
}

async function measured(path: string): Promise<Entry> {
  let bytes = 0;
  let usedAt = 0;
  const look = async (one: string): Promise<string | undefined> => {
    const found = await lstat(one).catch(isGone);
    if (!found) return undefined;
    if (found.isDirectory()) return one;
    // A folder is read by each look, this one too.
    usedAt = Math.max(usedAt, found.atimeMs, found.ctimeMs);
    if (found.nlink === 1) bytes += found.blocks * 512;
    return undefined;
  };
  const waiting = [await look(path)].flatMap((folder) => folder ?? []);
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    const names = await readdir(folder);
    for (let at = 0; at < names.length; at += atOnce) {
      const below = names.slice(at, at + atOnce).map((one) => look(join(folder, one)));
      waiting.push(...(await Promise.all(below)).flatMap((one) => one ?? []));
    }
  }
  return { path, bytes, usedAt };
}

function isGone(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
