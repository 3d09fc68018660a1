/** Removes what apps and builds wrote. */
import { execFile } from "node:child_process";
import { chmod, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

/**
 * Removes a folder that others wrote into, also where they closed folders within it to everybody, this user included, or made more of
 * them below one another than a path can name.
 */
export async function removeFolder(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EACCES") await openFolders(folder);
    else if (code !== "ENAMETOOLONG") throw error;
    // It goes down step by step, where Node names each path whole.
    await promisify(execFile)("rm", ["-rf", "--", folder]);
  }
}

async function openFolders(folder: string): Promise<void> {
  try {
    await chmod(folder, 0o700);
    for (const entry of await readdir(folder, { withFileTypes: true }))
      if (entry.isDirectory()) await openFolders(join(folder, entry.name));
  } catch (error) {
    // What was refused to the first removal does not end the rest of it: a folder may go while we look.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
