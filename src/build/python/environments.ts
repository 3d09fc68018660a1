/** The environments of one owner: which of them can go. */
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isId } from "../../stdx/ids.ts";
import { readRelease } from "../release.ts";

/** Beside an environment, written last and synced: one without it was cut off, and is made anew. */
export const completeMark = ".complete";
/** Kept although no release names them: the next build of an app whose last one failed may want the same again. */
const spareMax = 3;
/** Removing one takes about a second: more are left for the next build. */
const removedAtOnceMax = 8;

/**
 * Removes environments in `envs` that no release in the builder's `folder` names, but the newest few and `except`. Resolves with
 * their names. A release that cannot be read throws: nobody knows then what it needs.
 */
export async function sweepEnvironments(envs: string, folder: string, except: string): Promise<readonly string[]> {
  const names = (await readdir(envs)).filter((name) => !name.endsWith(completeMark));
  const used = await neededBy(folder);
  const free = names.filter((name) => join(envs, name) !== except && !used.has(join(envs, name)));
  const ages = await Promise.all(free.map(async (name) => ({ name, at: await madeAt(join(envs, name)) })));
  const old = ages.sort((a, b) => b.at - a.at).slice(spareMax);
  const removed = old.slice(-removedAtOnceMax).map(({ name }) => name);
  for (const name of removed) {
    await rm(join(envs, `${name}${completeMark}`), { force: true });
    await rm(join(envs, name), { recursive: true, force: true });
  }
  return removed;
}

async function neededBy(folder: string): Promise<ReadonlySet<string>> {
  const releases = (await readdir(join(folder, "releases"))).filter((name) => isId("rel", name));
  const needs = new Set<string>();
  for (const release of releases) for (const path of (await readRelease(folder, release))?.needs ?? []) needs.add(path);
  return needs;
}

/** When it was completed; 0 for one that was cut off. */
async function madeAt(environment: string): Promise<number> {
  const mark = await stat(`${environment}${completeMark}`).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return undefined;
  });
  return mark?.mtimeMs ?? 0;
}
