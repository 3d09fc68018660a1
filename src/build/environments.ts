/**
 * The environments of owners: folders of installed packages, each named by its content. They are made one at a time for a name, are
 * not removed under a build that has them, and go when nothing needs them and a bound is reached.
 */
import { lstat, mkdir, open, readFile, readdir, rm, stat, utimes } from "node:fs/promises";
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { isId } from "../stdx/ids.ts";
import { bytesBelow } from "./disk-use.ts";
import { removeWhole } from "./gone.ts";
import { readRelease } from "./release.ts";

/**
 * `marks/<owner>/<name>` for the environment `owners/<owner>/envs/<name>`: written last and synced, with the bytes that it takes; one
 * without it was cut off, and is made anew. No command of a build sees it, so none can say that what it left there is whole.
 */
export function markFileOf(environment: string): string {
  const owner = dirname(dirname(environment));
  return join(dirname(dirname(owner)), "marks", basename(owner), basename(environment));
}

/**
 * Part of each name: what was made before marks lay where they do now has none, and would be made anew under those who run in it. It
 * stays for as long as a release needs it, and is then swept.
 */
const generation = "2";

/** Where the environment of this name lies in the owner's folder `envs`. */
export function environmentIn(envs: string, name: string): string {
  return join(envs, `${generation}-${name}`);
}

export interface SweepBounds {
  /** Nobody has asked for it for so long. */
  readonly ageMs: number;
  /** Of one owner: what no release needs, the latest used first. */
  readonly bytes: number;
}

/** A fortnight without a deploy is a Space that rests; a large environment, of a torch, has 5 GB. */
export const sweepBounds: SweepBounds = { ageMs: 14 * 86_400_000, bytes: 8 * 2 ** 30 };
/** Removing one takes about a second: more are left for the next build. */
const removedAtOnceMax = 8;

/** Those of one builder, which alone writes its folder. */
export class Environments {
  readonly #bounds: SweepBounds;
  readonly #making = new Map<string, Promise<unknown>>();
  /** How many builds have each. */
  readonly #held = new Map<string, number>();

  constructor(bounds = sweepBounds) {
    this.#bounds = bounds;
  }

  /** From now on it stays; disposed, it may go. */
  hold(environment: string): Disposable {
    this.#held.set(environment, (this.#held.get(environment) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        const left = (this.#held.get(environment) ?? 1) - 1;
        if (left > 0) this.#held.set(environment, left);
        else this.#held.delete(environment);
      },
    };
  }

  /**
   * Makes it with `make`, which writes the whole of it, unless it is there; after another build that is making it just now, and not
   * waiting for that one when `signal` says so. True where it was made.
   */
  async provide(environment: string, make: () => Promise<void>, signal: AbortSignal): Promise<boolean> {
    for (;;) {
      if (await isUsable(environment)) return false;
      const other = this.#making.get(environment);
      if (other === undefined) break;
      await untilEnded(other, signal);
    }
    const made = this.#make(environment, make);
    this.#making.set(environment, made);
    try {
      await made;
    } finally {
      this.#making.delete(environment);
    }
    return true;
  }

  /** Removes what is past a bound of those in `envs`, beside the releases in `folder`; resolves with their names. */
  async sweep(envs: string, folder: string, now: number): Promise<readonly string[]> {
    // Without root a command may have left a link there: what it leads to is not ours to remove.
    if (!(await isFolder(envs))) return [];
    const names = await readdir(envs);
    const used = await neededBy(folder);
    const isFree = (path: string): boolean => !used.has(path) && !this.#held.has(path) && !this.#making.has(path);
    const free = names.filter((name) => isFree(join(envs, name)));
    const known = await Promise.all(free.map(async (name) => ({ name, ...(await markOf(join(envs, name))) })));
    let bytes = 0;
    const old = known
      .toSorted((a, b) => b.at - a.at)
      .filter((one) => now - one.at > this.#bounds.ageMs || (bytes += one.bytes) > this.#bounds.bytes);
    // Another build may ask for one of them while the first is being removed.
    const removed: string[] = [];
    for (const { name } of old.slice(-removedAtOnceMax)) {
      if (!isFree(join(envs, name))) continue;
      await rm(markFileOf(join(envs, name)), { force: true });
      await removeWhole(join(envs, name));
      removed.push(name);
    }
    return removed;
  }

  async #make(environment: string, make: () => Promise<void>): Promise<void> {
    const file = markFileOf(environment);
    await rm(file, { force: true });
    await rm(environment, { recursive: true, force: true });
    await make();
    // Whoever starts in it binds what is there.
    if (!(await isFolder(environment))) throw new Error(`${environment} is no folder: a command has replaced it`);
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const mark = await open(file, "w", 0o600);
    try {
      await mark.writeFile(String(await bytesBelow([environment])));
      await mark.sync();
    } finally {
      await mark.close();
    }
  }
}

/** Whether it is whole; then it is as good as made now. */
async function isUsable(environment: string): Promise<boolean> {
  const mark = markFileOf(environment);
  if (!existsSync(mark) || !(await isFolder(environment))) return false;
  const now = new Date();
  await utimes(mark, now, now);
  return true;
}

/** Not by a link. */
async function isFolder(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isDirectory();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return false;
  }
}

async function untilEnded(other: Promise<unknown>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<void>();
  const onAbort = (): void => aborted.resolve();
  signal.addEventListener("abort", onAbort, { once: true });
  // Whoever makes it hears of its failure; then it is ours to make.
  await Promise.race([other.catch(() => undefined), aborted.promise]);
  signal.removeEventListener("abort", onAbort);
  signal.throwIfAborted();
}

async function neededBy(folder: string): Promise<ReadonlySet<string>> {
  const releases = (await readdir(join(folder, "releases"))).filter((name) => isId("rel", name));
  const needs = new Set<string>();
  for (const release of releases) for (const path of (await readRelease(folder, release))?.needs ?? []) needs.add(path);
  return needs;
}

/** When it was last asked for, and its bytes; nothing of one that was cut off. */
async function markOf(environment: string): Promise<{ readonly at: number; readonly bytes: number }> {
  const mark = markFileOf(environment);
  try {
    return { at: (await stat(mark)).mtimeMs, bytes: Number(await readFile(mark, "utf8")) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return { at: 0, bytes: 0 };
  }
}
