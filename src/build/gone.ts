/** Removes folders so that none is ever seen in halves: it loses its name first, and what a crash leaves is known by its new one. */
import { rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { removeFolder } from "../record/remove-folder.ts";

/** In the name of a folder that is being removed. */
export const goneMark = ".gone-";

/** Removes a folder; one that is not there is removed. */
export async function removeWhole(folder: string): Promise<void> {
  const gone = join(dirname(folder), `${goneMark}${basename(folder)}`);
  // What an earlier try left.
  await removeFolder(gone);
  try {
    await rename(folder, gone);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  await removeFolder(gone);
}
