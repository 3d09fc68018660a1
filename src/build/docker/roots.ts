/**
 * Unpacked images: `images/<owner>/roots/<space>/<image id>`, one for all releases of a Space whose image it is. Each belongs to its
 * Space's user from its first start on, so two Spaces have two.
 */
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isId } from "../../stdx/ids.ts";
import { readRelease } from "../release.ts";
import { spaceOwner } from "../../contract/space.ts";

/** Images and layers of an owner's builds, by storage driver; a folder that image builders may write. */
export function storesOf(folder: string, space: string): string {
  return join(imageFolder(folder, space), "stores");
}

function imageFolder(folder: string, space: string): string {
  return join(folder, "images", encodeURIComponent(spaceOwner(space)));
}

export function rootOf(folder: string, space: string, id: string): string {
  return join(imageFolder(folder, space), "roots", encodeURIComponent(space.split("/")[1] ?? ""), id);
}

/** Puts what was unpacked to where it stays; a root appears whole or not at all. */
export async function keepRoot(unpacked: string, root: string): Promise<void> {
  await mkdir(dirname(root), { recursive: true, mode: 0o755 });
  await rename(unpacked, root);
}

/**
 * Removes the roots of a Space, or of all, that no release of this node names, but `except`; resolves with how many. A release that
 * cannot be read throws: nobody knows then what it needs. All are swept only while nothing builds.
 */
export async function sweepRoots(folder: string, which: { readonly except: string } | "all"): Promise<number> {
  const used = await named(folder);
  const spaces = which === "all" ? await allSpaces(folder) : [dirname(which.except)];
  let removed = 0;
  for (const space of spaces)
    for (const id of await entries(space)) {
      const root = join(space, id);
      if (used.has(root) || (which !== "all" && root === which.except)) continue;
      await rm(root, { recursive: true, force: true, maxRetries: 3 });
      removed += 1;
    }
  return removed;
}

async function allSpaces(folder: string): Promise<readonly string[]> {
  const owners = (await entries(join(folder, "images"))).map((owner) => join(folder, "images", owner, "roots"));
  return (
    await Promise.all(owners.map(async (roots) => (await entries(roots)).map((name) => join(roots, name))))
  ).flat();
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
