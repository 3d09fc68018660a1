/**
 * Unpacked images: `images/<owner>/roots/<space>/<image id>`, one for all releases of a Space whose image it is. Each belongs to its
 * Space's user from its first start on, so two Spaces have two.
 */
import { mkdir, readdir, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { removeWhole } from "../gone.ts";
import { isId } from "../../stdx/ids.ts";
import { readRelease } from "../release.ts";
import { spaceOwner } from "../../contract/space.ts";

/** Images and layers of an owner's builds, by storage driver; a folder that image builders may write. */
export function storesOf(folder: string, owner: string): string {
  return join(imageFolder(folder, owner), "stores");
}

function imageFolder(folder: string, owner: string): string {
  return join(folder, "images", encodeURIComponent(owner));
}

export function rootOf(folder: string, space: string, id: string): string {
  return join(imageFolder(folder, spaceOwner(space)), "roots", encodeURIComponent(space.split("/")[1] ?? ""), id);
}

/** Puts what was unpacked to where it stays; a root appears whole or not at all. */
export async function keepRoot(unpacked: string, root: string): Promise<void> {
  await mkdir(dirname(root), { recursive: true, mode: 0o755 });
  await rename(unpacked, root);
}

/**
 * Removes the roots of an owner's Spaces that no release of this node names; resolves with how many. A release that cannot be read
 * throws: nobody knows then what it needs. To be called while no build of the owner runs.
 */
export async function sweepRoots(folder: string, owner: string): Promise<number> {
  const used = await named(folder);
  const roots = join(imageFolder(folder, owner), "roots");
  let removed = 0;
  for (const space of await entries(roots))
    for (const id of await entries(join(roots, space))) {
      const root = join(roots, space, id);
      if (used.has(root)) continue;
      await removeWhole(root);
      removed += 1;
    }
  return removed;
}

async function named(folder: string): Promise<ReadonlySet<string>> {
  const releases = (await entries(join(folder, "releases"))).filter((name) => isId("rel", name));
  const roots = await Promise.all(releases.map(async (release) => (await readRelease(folder, release))?.image?.root));
  return new Set(roots.flatMap((root) => root ?? []));
}

async function entries(folder: string): Promise<readonly string[]> {
  return await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
}
