/**
 * Notices that a build, or an app, has written more than it may. File systems without quotas count for nobody, so the free space is asked for
 * often, which costs nothing, and files are counted only when so much of it has gone that the bound may be passed.
 */
import { promises } from "node:fs";
import { bytesBelow } from "./disk-use.ts";

export interface DiskWatchOptions {
  /** What was made in them since is the build's; all on one file system. */
  readonly folders: readonly string[];
  /** Milliseconds of the wall clock. Zero: all counts that is there, and where it is more than the limit at first, it may be as much. */
  readonly since: number;
  readonly limitBytes: number;
  /** What the disk keeps free, whoever writes. */
  readonly reserve?: {
    readonly bytes: number;
    /** Told once, with what is left. */
    readonly onLow: (free: number) => void;
  };
  /** Told once, with what was counted. */
  readonly onOver: (bytes: number) => void;
  readonly onError: (error: unknown) => void;
}

/** A disk takes a gigabyte in a second: a quarter of that more than its bound may a build have written when it is ended. */
const lookEveryMs = 250;
const fastBytesPerMs = (1 << 30) / 1_000;
/** While there is so much room that no bound can be passed before the next look, and at the most. */
const lookEveryMaxMs = 2_000;
/** What others delete meanwhile hides what a build writes, so now and then files are counted in any case. */
const countEveryMs = 30_000;

export class DiskWatch implements Disposable {
  readonly #options: DiskWatchOptions;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  /** What can be written before a bound is passed. */
  #roomBytes = 0;
  #counted = { bytes: 0, free: Infinity, at: performance.now() };
  #looking: Promise<void> | undefined;
  #isOver = false;
  #limitBytes = Infinity;

  constructor(options: DiskWatchOptions) {
    this.#options = options;
    this.#lookAgain();
  }

  /** Looks now; resolves when it is known. */
  look(): Promise<void> {
    return (this.#looking ??= this.#look()
      .catch(this.#options.onError)
      .finally(() => (this.#looking = undefined)));
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #lookAgain(): void {
    const ms = Math.min(Math.max(this.#roomBytes / fastBytesPerMs, lookEveryMs), lookEveryMaxMs);
    this.#timer = setTimeout(() => void this.look().then(() => this.#isClosed || this.#lookAgain()), ms);
  }

  async #look(): Promise<void> {
    const { folders, since, limitBytes, reserve, onOver } = this.#options;
    const { bavail, bsize } = await promises.statfs(folders[0] as string);
    const free = bavail * bsize;
    if (this.#isOver) return;
    if (reserve && free < reserve.bytes) {
      this.#isOver = true;
      return reserve.onLow(free);
    }
    if (this.#counted.free === Infinity) {
      const bytes = since === 0 ? await bytesBelow(folders, since) : 0;
      this.#limitBytes = Math.max(limitBytes, bytes);
      this.#counted = { bytes, free, at: performance.now() };
    }
    const gone = this.#counted.free - free;
    this.#roomBytes = Math.min(this.#limitBytes - this.#counted.bytes - gone, free - (reserve?.bytes ?? 0));
    const isDue = performance.now() - this.#counted.at > countEveryMs;
    if (this.#counted.bytes + gone <= this.#limitBytes && !isDue) return;
    const bytes = await bytesBelow(folders, since);
    this.#counted = { bytes, free, at: performance.now() };
    if (bytes <= this.#limitBytes) return;
    this.#isOver = true;
    onOver(bytes);
  }
}
