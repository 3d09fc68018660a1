/** Clears away what nothing needs any more of one owner's environments, images and caches. */
import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { sweepCaches } from "./caches.ts";
import { storesOf, sweepRoots } from "./docker/roots.ts";
import type { Environments } from "./environments.ts";
import { goneMark } from "./gone.ts";

export interface Tidying {
  /** The builder's own. */
  readonly folder: string;
  readonly environments: Environments;
  /** What an owner's caches may have. */
  readonly cacheBytes: number;
  /** What was found at the last look at each owner's caches. */
  readonly looked: Map<string, { readonly at: number; readonly bytes: number }>;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** To look at a hundred thousand files takes a second: caches with less than half of their bound are looked at so often. */
const lookEveryMs = 600_000;

/** Where an owner's builds keep what outlives them. */
export function ownerFolder(folder: string, owner: string): string {
  return join(folder, "owners", encodeURIComponent(owner));
}

/** All who have built here. */
export async function ownersIn(folder: string): Promise<readonly string[]> {
  const names = await Promise.all(["owners", "images"].map((kind) => namesIn(join(folder, kind))));
  return [...new Set(names.flat().map(decodeURIComponent))];
}

/** To be called while no build of the owner runs; resolves with a sentence for each thing that was done. */
export async function tidyOwner(owner: string, tidying: Tidying): Promise<readonly string[]> {
  const { folder, environments, now } = tidying;
  const envs = join(ownerFolder(folder, owner), "envs");
  const environmentsGone = existsSync(envs) ? await environments.sweep(envs, folder, now) : [];
  const roots = await sweepRoots(folder, owner);
  const stores = storesOf(folder, owner);
  const leftovers = (await namesIn(stores)).filter((name) => name.includes(goneMark));
  const cleared = await Promise.all(leftovers.map((name) => clearStore(join(stores, name))));
  const freed = await boundCaches(owner, tidying);
  return [
    ...(environmentsGone.length > 0 ? [`removed ${environmentsGone.length} environment(s) that no release needs`] : []),
    ...(roots > 0 ? [`removed ${roots} unpacked image(s) that no release needs`] : []),
    ...(cleared.includes(true)
      ? [`removed ${cleared.filter(Boolean).length} store(s) of images that were given up`]
      : []),
    ...(freed > 0 ? [`removed ${Math.ceil(freed / 2 ** 20)} MiB of package caches, what was used longest ago`] : []),
  ];
}

/** False where it holds files of users that only a bench has, as without root: the next build of an image removes it. */
async function clearStore(store: string): Promise<boolean> {
  try {
    await rm(store, { recursive: true, force: true });
    return true;
  } catch (error) {
    if (!["EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    return false;
  }
}

/** The bytes that were freed. */
async function boundCaches(owner: string, { folder, cacheBytes, looked, now }: Tidying): Promise<number> {
  const last = looked.get(owner);
  if (last && last.bytes < cacheBytes / 2 && now - last.at < lookEveryMs) return 0;
  const { bytes, freed } = await sweepCaches(ownerFolder(folder, owner), cacheBytes);
  looked.set(owner, { at: now, bytes });
  return freed;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
}
