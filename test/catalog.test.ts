/** The catalog in the journal's own database: the same suite as in memory, through its thread and on a disk. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { catalogSuite } from "../src/catalog/catalog.suite.ts";
import { openSqliteJournal } from "../src/journal/index.ts";
import type { SqliteJournal } from "../src/journal/index.ts";
import type { SqlRunner } from "../src/stdx/sql.ts";

const folder = mkdtempSync(join(tmpdir(), "waybill-catalog-"));
let opened = 0;
let last: SqliteJournal | undefined;
/** A property compares two databases at once; older ones are closed so that threads stay few. */
const older: SqliteJournal[] = [];

async function openSql(): Promise<SqlRunner> {
  opened += 1;
  if (last) older.push(last);
  while (older.length > 1) await older.shift()?.[Symbol.asyncDispose]();
  last = await openSqliteJournal({
    folder: join(folder, String(opened)),
    onFatal: (failure) => {
      throw failure;
    },
  });
  return last.sql;
}

after(async () => {
  for (const journal of [...older, ...(last ? [last] : [])]) await journal[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

catalogSuite("the journal's database", openSql, 5);
