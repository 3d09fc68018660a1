/**
 * What Node compiled of shims and benches, for all of them. Where they are users of their own, none may write what the others run,
 * so it is filled once by the agent, by loading their modules and nothing more, and is theirs to read.
 */
import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

/** The argument that has an entry load all and start nothing. */
export const loadOnly = "--load-only";
/** Loading takes half a second. */
const loadWithinMs = 30_000;

/** Resolves when the cache is there for everybody to read. Rejects where an entry's modules cannot be loaded. */
export async function fillCompileCache(cache: string, nodePath: string, entries: readonly string[]): Promise<void> {
  mkdirSync(cache, { recursive: true, mode: 0o755 });
  const env = { NODE_COMPILE_CACHE: cache };
  for (const entry of entries)
    await promisify(execFile)(nodePath, [entry, loadOnly], { cwd: "/", env, timeout: loadWithinMs });
  openToRead(cache);
}

function openToRead(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) openToRead(path);
    else if (entry.isFile()) chmodSync(path, 0o644);
  }
}
