/** Removes what apps and builds wrote. */
import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * Removes a folder that others wrote into, also where they closed folders within it to everybody, this user included, or made more of
 * them below one another than a path can name.
 */
export async function removeFolder(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EACCES" && code !== "ENAMETOOLONG") throw error;
    // Both programs go down step by step, where Node names each path whole.
    await openFolders(folder);
    await run("rm", ["-rf", "--", folder]);
  }
}

/** To this user, within a folder: what is deeper than a path can name may be closed too. */
async function openFolders(folder: string): Promise<void> {
  const closed = ["-type", "d", "!", "-perm", "-u=rwx"];
  try {
    await run("find", [folder, ...closed, "-execdir", "chmod", "u+rwx", "{}", ";"]);
  } catch {
    // What stayed closed, and why, is told by the removal that follows; a folder may go while we look.
  }
}
