/**
 * Keeps a repository from growing by what nobody needs: many small commits become one pack, objects that no reference leads to go
 * after a fortnight. git does it, beside readers; not beside commits and pushes, to which it gives way (writers.ts).
 */
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isOneOf } from "./errors.ts";
import { crashReport } from "./import-crash.ts";
import type { RunIn } from "./git-objects.ts";

/** From so many loose objects on, some 300 commits and 4 MiB of blocks, or so many packs, of which each read looks through all. */
const looseMax = 1_000;
const packsMax = 20;
/** By when an object was written, or last packed beside others: what a build of a commit that was pushed over still reads is younger as a rule. */
const pruned = "--prune=14.days.ago";
const settings = {
  // git 2.37: what waits for its fortnight lies in one pack, and not loose, where it would be counted again.
  "gc.cruftPacks": "true",
  // Beside the apps: slower, with little memory.
  "pack.threads": "1",
  "pack.windowMemory": "64m",
};
/** A repository of some gigabytes; one that takes longer is left as it was. */
const limitMs = 900_000;
/** A push, or a large file's, that was killed left what it had received; no piece of one is so long in coming. */
const leftoverMs = 86_400_000;
const leftover = /^tmp_|^i_|^\.tmp-/;
/** git holds one for milliseconds; here nobody else of ours is at work, and somebody's own git at the same time is let be. */
const lockMs = 600_000;
const lock = /\.lock$/;
/** Where a commit stands while it is made, by {@link commitFiles}. */
export const passingRefs = "refs/waybill/import";

/** Forgets commits that were cut off while they were made. To be called while none is being made. */
export async function forgetPassing(run: RunIn): Promise<void> {
  const left = await run(["for-each-ref", "--format=delete %(refname)", passingRefs]);
  if (left.output.length > 0) await run(["update-ref", "--stdin"], { input: [left.output] });
}

/**
 * Packs it where that is due, and removes what was left by who was ended by force. To be called while nobody writes; ends soon, by
 * throwing, when `signal` says so. `now`: milliseconds since 1970.
 */
export async function collectRepository(
  run: RunIn,
  repository: string,
  { now, signal }: { readonly now: number; readonly signal: AbortSignal },
): Promise<void> {
  const own = (await readdir(repository).catch(absent)).filter((name) => crashReport.test(name));
  await removeOlder(repository, own, now - leftoverMs);
  for (const folder of ["objects", "objects/pack", "lfs/incoming", "lfs/xet/incoming", "lfs/multipart/incoming"].map(
    (name) => join(repository, name),
  )) {
    const names = await readdir(folder).catch(absent);
    await removeOlder(
      folder,
      names.filter((name) => leftover.test(name) || isBare(name, names)),
      now - leftoverMs,
    );
  }
  await removeLocks(repository, now - lockMs);
  const told = (await run(["count-objects", "-v"], { signal })).output.toString("latin1");
  const count = (name: string): number => Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(told)?.[1] ?? 0);
  if (count("count") <= looseMax && count("packs") <= packsMax) return;
  const options = Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
  await run([...options, "gc", "--quiet", pruned], { limitMs, signal, withHelpers: true });
}

/** Locks of references that were taken before then: of a git that was ended by force, and no other can change them as long as they lie there. */
export async function removeLocks(repository: string, before: number): Promise<void> {
  const own = (await readdir(repository).catch(absent)).filter((name) => lock.test(name));
  await removeOlder(repository, own, before);
  const refs = join(repository, "refs");
  const names = await readdir(refs, { recursive: true }).catch(absent);
  await removeOlder(
    refs,
    names.filter((name) => lock.test(name)),
    before,
  );
}

/** A pack whose list of objects was never written: `git gc` fails at it, and nothing reads it. */
function isBare(name: string, names: readonly string[]): boolean {
  return name.endsWith(".pack") && !names.includes(name.replace(/pack$/, "idx"));
}

async function removeOlder(folder: string, names: readonly string[], before: number): Promise<void> {
  for (const name of names) {
    try {
      const { mtimeMs } = await stat(join(folder, name));
      if (mtimeMs < before) await rm(join(folder, name), { recursive: true, force: true });
    } catch (error) {
      if (!isOneOf(error, ["ENOENT"])) throw error; // Its git came to its end meanwhile.
    }
  }
}

function absent(error: unknown): string[] {
  if (!isOneOf(error, ["ENOENT"])) throw error;
  return []; // Nothing was ever there, as no large file was sent; or a folder of references went with its last one.
}
