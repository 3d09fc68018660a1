/**
 * When what was committed is on the disk. SQLite writes a commit into its log and does not wait (`synchronous = NORMAL`); a thread of its
 * own syncs the log, while the next group is inserted. A commit counts once a sync that began after it has ended (L24).
 *
 * What SQLite orders by syncs of its own stays: the log before a checkpoint, the file after it, the log's header when it begins anew.
 */
import { Worker } from "node:worker_threads";

/** MiB: the thread is one loop that makes nothing, once it has been read. */
const threadLimits = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 1 };

export interface SyncThreadData {
  /** SQLite's log: another descriptor of the same file syncs the same pages. */
  readonly file: string;
  /** One cell of 32 bits: how often a sync was asked for. */
  readonly asked: SharedArrayBuffer;
}

/** What the thread says when a sync has ended. */
export interface SyncEnded {
  readonly failure: string | null;
}

export interface LogSyncOptions {
  readonly file: string;
  /** A sync has ended, and with it all that was committed before it began is durable. */
  readonly ended: () => void;
  /** L27: nobody knows what is on the disk. */
  readonly failed: (error: Error) => void;
}

export class LogSync {
  readonly #thread: Worker;
  readonly #asked = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  #isUnderWay = false;

  constructor({ file, ended, failed }: LogSyncOptions) {
    const source = import.meta.url.endsWith(".ts") ? "./sync-thread.ts" : "./sync-thread.js";
    this.#thread = new Worker(new URL(source, import.meta.url), {
      workerData: { file, asked: this.#asked.buffer } satisfies SyncThreadData,
      execArgv: [],
      resourceLimits: threadLimits,
    });
    this.#thread.on("message", ({ failure }: SyncEnded) => {
      this.#isUnderWay = false;
      if (failure === null) ended();
      else failed(new Error(failure));
    });
    this.#thread.on("error", failed);
  }

  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  /** Begins a sync, where none is under way. */
  begin(): void {
    this.#isUnderWay = true;
    Atomics.add(this.#asked, 0, 1);
    Atomics.notify(this.#asked, 0);
  }

  /** Ends the thread; what is under way is not waited for. */
  close(): void {
    void this.#thread.terminate();
  }
}
