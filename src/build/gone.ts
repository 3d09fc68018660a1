/** Removes folders so that none is ever seen in halves: it loses its name first, and what a crash leaves is known by its new one. */
import { chmod, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** In the name of a folder that is being removed. */
export const goneMark = ".gone-";

/** Removes a folder; one that is not there is removed. */
export async function removeWhole(folder: string): Promise<void> {
  const gone = join(dirname(folder), `${goneMark}${basename(folder)}`);
  // What an earlier try left.
  await removeTree(gone);
  try {
    await rename(folder, gone);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  await removeTree(gone);
}

/** Removes a folder, also where commands closed folders within it to everybody, this user included. */
export async function removeTree(folder: string): Promise<void> {
  const options = { recursive: true, force: true, maxRetries: 3 } as const;
  try {
    await rm(folder, options);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
    await openFolders(folder);
    await rm(folder, options);
  }
}

async function openFolders(folder: string): Promise<void> {
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true }))
    if (entry.isDirectory()) await openFolders(join(folder, entry.name));
}
