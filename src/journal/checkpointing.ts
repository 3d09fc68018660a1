/**
 * When SQLite's log is moved into the file. A thread of its own moves the frames, with a connection of its own, while records go on being
 * committed: thousands of pages and two syncs are tens of milliseconds, for which no grant should wait. What was committed meanwhile is
 * little; it is moved between two commits, and the log begins anew.
 *
 * The thread begins with the first log that is long enough, so a platform that idles has none.
 */
import type { DatabaseSync } from "node:sqlite";
import { Worker } from "node:worker_threads";

/**
 * Pages in the log before they are moved into the file: 8,000 pages (32 MB) is some thousand commits, so that the syncs it costs are paid
 * seldom, and reading it back at a start takes tens of milliseconds.
 */
export const checkpointPages = 8000;

/** Where the thread does not keep up, the one that writes moves the log, and commits wait for that: it does not grow for ever. */
export const logPagesMax = 4 * checkpointPages;

/** Commits between two looks at how long the log is: each writes a few pages, a snapshot some thousand. */
const lookEvery = 200;

/** Pages that are moved between two commits: a few milliseconds. */
export const moveAtOnce = 500;

/** MiB: SQLite's memory is not V8's. */
const threadLimits = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 1 };

/** SQLITE_FULL of SQLite's result codes: the log stays as it is, and is moved when there is room. The commits say what they lack. */
const sqliteFull = 13;

/** Frames of the log, and how many of them are in the file; null while something reads or copies what is there. */
export type Moved = { readonly frames: number; readonly moved: number } | null;

/** What the thread is asked, and says. */
export type CheckpointAsk = "move" | "close";
export type CheckpointSaid = { readonly moved: Moved } | { readonly failure: string } | "closed";

export interface CheckpointThreadData {
  readonly file: string;
}

export interface CheckpointsOptions {
  readonly db: DatabaseSync;
  readonly file: string;
  /** Ends the open transaction, if one is open. */
  readonly between: () => void;
  /** L27: nobody knows what is in the file. */
  readonly failed: (error: Error) => void;
}

export class Checkpoints {
  readonly #options: CheckpointsOptions;
  #thread: Worker | undefined;
  #isUnderWay = false;
  #commits = 0;
  #closed: (() => void) | undefined;

  constructor(options: CheckpointsOptions) {
    this.#options = options;
  }

  /** After each commit. */
  committed(): void {
    if (++this.#commits < lookEvery) return;
    this.#commits = 0;
    if (this.#isUnderWay) return;
    const log = moveLog(this.#options.db, "NOOP");
    if (log !== null && log.frames >= checkpointPages && log.moved < log.frames) this.#ask("move");
  }

  /** Resolves when the thread's connection is closed: the last one to be closed moves what is left. */
  async close(): Promise<void> {
    if (this.#thread === undefined) return;
    const closed = new Promise<void>((resolve) => (this.#closed = resolve));
    this.#ask("close");
    await closed;
    await this.#thread.terminate();
  }

  #ask(what: CheckpointAsk): void {
    this.#isUnderWay = true;
    this.#thread ??= this.#start();
    this.#thread.postMessage(what);
  }

  #start(): Worker {
    const source = import.meta.url.endsWith(".ts") ? "./checkpoint-thread.ts" : "./checkpoint-thread.js";
    const thread = new Worker(new URL(source, import.meta.url), {
      workerData: { file: this.#options.file } satisfies CheckpointThreadData,
      execArgv: [],
      resourceLimits: threadLimits,
    });
    thread.on("message", (said: CheckpointSaid) => this.#hear(said));
    thread.on("error", this.#options.failed);
    return thread;
  }

  #hear(said: CheckpointSaid): void {
    if (said === "closed") return this.#closed?.();
    if ("failure" in said) return this.#options.failed(new Error(said.failure));
    this.#isUnderWay = false;
    if (said.moved === null || this.#closed !== undefined) return;
    try {
      this.#moveRest(said.moved);
    } catch (error) {
      this.#options.failed(error as Error);
    }
  }

  /** What came while the thread moved the rest. */
  #moveRest({ frames, moved }: { readonly frames: number; readonly moved: number }): void {
    const { db, between } = this.#options;
    between();
    const now = moveLog(db, "NOOP");
    // Once all of it was in the file, the next commit has begun the log anew.
    if (now === null || now.frames < frames) return;
    if (now.frames - Math.max(moved, now.moved) <= moveAtOnce || now.frames >= logPagesMax) moveLog(db, "PASSIVE");
  }
}

/** `NOOP` only looks. Nothing waits, and nothing is waited for. Throws what is no lack of room. */
export function moveLog(db: DatabaseSync, how: "NOOP" | "PASSIVE"): Moved {
  try {
    const { busy, log, checkpointed } = db.prepare(`PRAGMA wal_checkpoint(${how})`).get() as Record<string, number>;
    return busy === 1 || log === undefined || checkpointed === undefined || log < 0
      ? null
      : { frames: log, moved: checkpointed };
  } catch (error) {
    if ((error as { errcode?: number }).errcode === sqliteFull) return null;
    throw error;
  }
}
