/** One agent at a time works on a node's folder: two would end each other's apps. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DataFolderBusy } from "../journal/index.ts";

/** Holds the folder until it is disposed of; the kernel ends the lock with the process. Throws `DataFolderBusy`. */
export function lockNode(folder: string): Disposable {
  const lock = new DatabaseSync(join(folder, "agent.lock"));
  try {
    lock.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE;");
  } catch (error) {
    lock.close();
    if ((error as { errcode?: number }).errcode === sqliteBusy) throw new DataFolderBusy(folder);
    throw error;
  }
  return { [Symbol.dispose]: () => lock.close() };
}

/** SQLITE_BUSY of SQLite's result codes. */
const sqliteBusy = 5;
