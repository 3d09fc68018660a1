/** The thread that moves SQLite's log into the file (`checkpointing.ts`). */
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../stdx/assert.ts";
import { moveAtOnce, moveLog } from "./checkpointing.ts";
import type { CheckpointAsk, CheckpointSaid, CheckpointThreadData } from "./checkpointing.ts";

/** Where commits are as fast as the disk, more times leave no less. */
const timesMax = 3;

assert(parentPort, "this module runs as a thread");
const port = parentPort;
const db = new DatabaseSync((workerData as CheckpointThreadData).file);
// As the connection that writes: the log is synced before it is moved, and the file after that.
db.exec("PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;");

port.on("message", (ask: CheckpointAsk) => {
  if (ask === "close") {
    db.close();
    port.postMessage("closed" satisfies CheckpointSaid);
  } else port.postMessage(move());
});

/** What is committed during one time is moved the next time: less each time, where commits are slower than this. */
function move(): CheckpointSaid {
  try {
    for (let time = 1; ; time++) {
      const moved = moveLog(db, "PASSIVE");
      const now = moveLog(db, "NOOP");
      if (moved === null || now === null || now.frames - now.moved <= moveAtOnce || time === timesMax) return { moved };
    }
  } catch (error) {
    return { failure: (error as Error).message };
  }
}
