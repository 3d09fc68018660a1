/** Releases on a builder's disk: `releases/<rel>/release.json` beside `app/`; a folder appears whole or not at all. */
import { mkdir, open, readFile, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ReleaseManifest } from "../contract/release.ts";
import { isId } from "../stdx/ids.ts";
import { removeFolder } from "../record/remove-folder.ts";
import { goneMark } from "./gone.ts";

const workPrefix = ".building-";

/** All that were published here. */
export async function releasesIn(folder: string): Promise<readonly string[]> {
  return (await readdir(join(folder, "releases"))).filter((name) => isId("rel", name));
}

/** The folder of a release that was published here; it may not exist. */
export function releaseFolderOf(folder: string, release: string): string {
  if (!isId("rel", release)) throw new RangeError(`not a release's id: ${JSON.stringify(release)}`);
  return join(folder, "releases", release);
}

/** What the release holds; undefined where this node has no such release. A damaged file throws. */
export async function readRelease(folder: string, release: string): Promise<ReleaseManifest | undefined> {
  try {
    return JSON.parse(
      await readFile(join(releaseFolderOf(folder, release), "release.json"), "utf8"),
    ) as ReleaseManifest;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** A fresh folder in which a build works, on the same disk as the releases. */
export async function makeWorkFolder(folder: string, build: string): Promise<string> {
  const work = join(folder, "releases", `${workPrefix}${build}`);
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true });
  return work;
}

/** Removes what a crash left of builds, each after `end`, and of releases that were being removed; resolves with the builds' ids. Call before the first build. */
export async function clearWorkFolders(
  folder: string,
  end: (build: string) => Promise<void>,
): Promise<readonly string[]> {
  await mkdir(join(folder, "releases"), { recursive: true });
  const left = (await readdir(join(folder, "releases"))).filter((name) => name.startsWith(workPrefix));
  const builds = left.map((name) => name.slice(workPrefix.length));
  for (const build of builds) {
    await end(build);
    await rm(join(folder, "releases", `${workPrefix}${build}`), { recursive: true, force: true });
  }
  const gone = (await readdir(join(folder, "releases"))).filter((name) => name.startsWith(goneMark));
  for (const name of gone) await removeFolder(join(folder, "releases", name));
  return builds;
}

/** Writes the manifest, synced, and gives the work folder its final name. */
export async function publishRelease(folder: string, work: string, manifest: ReleaseManifest): Promise<void> {
  const file = await open(join(work, "release.json"), "wx", 0o644);
  try {
    await file.writeFile(`${JSON.stringify(manifest, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await syncFolder(work);
  await rename(work, releaseFolderOf(folder, manifest.release));
  await syncFolder(join(folder, "releases"));
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
