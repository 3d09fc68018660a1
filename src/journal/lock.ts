/** Who works on a folder: one process at a time. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { lockName } from "./database.ts";
import { DataFolderBusy } from "./failures.ts";

/** SQLITE_BUSY of SQLite's result codes. */
const sqliteBusy = 5;

/** L29. Throws `DataFolderBusy`. The kernel ends the lock with the process, however that ends. `name`: of the lock's file. */
export function lockFolder(folder: string, name = lockName): DatabaseSync {
  const lock = new DatabaseSync(join(folder, name));
  try {
    lock.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE;");
    return lock;
  } catch (error) {
    lock.close();
    const busy = (error as { errcode?: number }).errcode === sqliteBusy;
    throw busy ? new DataFolderBusy(folder) : error;
  }
}
