/** Who works on a data folder's journal: one process at a time. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { lockName } from "./database.ts";
import { DataFolderBusy } from "./failures.ts";

/** L29. Throws `DataFolderBusy`. The kernel ends the lock with the process, however that ends. */
export function lockFolder(folder: string): DatabaseSync {
  const lock = new DatabaseSync(join(folder, lockName));
  try {
    lock.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE;");
    return lock;
  } catch (error) {
    lock.close();
    const busy = (error as { errcode?: number }).errcode === 5;
    throw busy ? new DataFolderBusy(folder) : error;
  }
}
