/** The thread that syncs SQLite's log, and does nothing else: a sync blocks, and no queue of other work may stand before one. */
import { fdatasyncSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../stdx/assert.ts";
import { syncFolder } from "./mark.ts";
import type { SyncEnded, SyncThreadData } from "./syncing.ts";

assert(parentPort, "this module runs as a thread");
const { file, asked } = workerData as SyncThreadData;
const cell = new Int32Array(asked);
let done = 0;
let fd: number | undefined;

for (let failure: string | null = null; failure === null;) {
  Atomics.wait(cell, 0, done);
  done += 1;
  failure = sync();
  parentPort.postMessage({ failure } satisfies SyncEnded);
}

/** Why it failed; null where it did not. The log is there from the first commit on, and its name has to last too. */
function sync(): string | null {
  try {
    if (fd === undefined) {
      fd = openSync(file, "r");
      syncFolder(dirname(file));
    }
    fdatasyncSync(fd);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
