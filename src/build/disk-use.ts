/** How much of a disk folders take. */
import { promises } from "node:fs";
import { join } from "node:path";

/** Entries looked at together: a disk answers several questions at once, and the rest of the process goes on meanwhile. */
const atOnce = 64;

/**
 * Bytes on the disk of all that is below these folders; a file with several names counts once. `since`: only what was made at that
 * instant or later. No link is followed, and what goes away meanwhile, or may not be entered, does not count.
 */
export async function bytesBelow(folders: readonly string[], since = 0): Promise<number> {
  const counted = new Set<string>();
  let bytes = 0;
  const waiting = [...folders];
  const look = async (path: string): Promise<void> => {
    const found = await promises.lstat(path).catch(isNoMatter);
    if (!found) return;
    if (found.isDirectory()) waiting.push(path);
    if (found.birthtimeMs < since) return;
    if (found.nlink > 1 && !found.isDirectory()) {
      const name = `${found.dev}:${found.ino}`;
      if (counted.has(name)) return;
      counted.add(name);
    }
    bytes += found.blocks * 512;
  };
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    for await (const names of namesIn(folder)) await Promise.all(names.map((name) => look(join(folder, name))));
  }
  return bytes;
}

/** Some at a time: an app may make more than fit into this process's memory. */
async function* namesIn(folder: string): AsyncGenerator<readonly string[]> {
  const opened = await promises.opendir(folder, { bufferSize: atOnce }).catch(isNoMatter);
  if (!opened) return;
  let names: string[] = [];
  for await (const { name } of opened) {
    names.push(name);
    if (names.length === atOnce) {
      yield names;
      names = [];
    }
  }
  yield names;
}

function isNoMatter(error: NodeJS.ErrnoException): undefined {
  if (!["ENOENT", "ENOTDIR", "EACCES", "ENAMETOOLONG"].includes(error.code ?? "")) throw error;
  return undefined;
}
