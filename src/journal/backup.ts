/** A copy of the journal's file while records are appended to it. */
import { closeSync, openSync } from "node:fs";
import { backup, DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { databaseName, markName } from "./database.ts";
import { MarkFile, syncFolder } from "./mark.ts";
import type { Mark } from "./mark.ts";
import { genesisHash } from "./port.ts";

/** 4 MB: a commit waits a few milliseconds for a step, and ten million records take a thousand of them. */
const pagesAtOnce = 1000;

/**
 * A step that meets an open transaction is tried again, but for the first: the copy ends then, with SQLite's code for no error. Ten thousand
 * of some tens of microseconds: a transaction is open for parts of a millisecond.
 */
const beginningsMax = 10_000;

/**
 * Copies the database into an empty folder, with a mark of its last record. What this connection commits meanwhile goes into
 * the copy too, and each commit wholly or not at all. All is on disk when it resolves.
 */
export async function copyJournal(db: DatabaseSync, folder: string): Promise<Mark> {
  const file = join(folder, databaseName);
  // As in the original: it holds keys and hashes of tokens.
  closeSync(openSync(file, "wx", 0o600));
  await copyPages(db, file);
  const head = headOf(file);
  new MarkFile(join(folder, markName), head).close();
  syncFolder(folder);
  return head;
}

async function copyPages(db: DatabaseSync, file: string): Promise<void> {
  for (let beginning = 1; ; beginning++)
    try {
      return void (await backup(db, file, { rate: pagesAtOnce }));
    } catch (error) {
      if ((error as { errcode?: number }).errcode !== 0 || beginning === beginningsMax) throw error;
    }
}

/** Closing it moves what lies in a log beside it into the file. */
function headOf(file: string): Mark {
  using copy = new DatabaseSync(file);
  const row = copy.prepare("SELECT idx, hash FROM journal ORDER BY idx DESC LIMIT 1").get();
  if (row === undefined) return { index: 0, hash: genesisHash };
  return { index: row["idx"] as number, hash: Buffer.from(row["hash"] as Uint8Array).toString("hex") };
}
