/** The journal and the catalog's rows, where the configuration wants them: in the data folder, or in PostgreSQL. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { databaseName, markName, openSqliteJournal, type Compactable } from "../journal/index.ts";
import { openPostgresJournal } from "../journal/postgres.ts";
import type { SqlRunner } from "../stdx/sql.ts";
import type { PlatformConfig } from "./config.ts";

/** A data folder goes with one journal: with another, all that it holds would be nobody's. */
export class JournalElsewhere extends Error {
  override readonly name = "JournalElsewhere";
  readonly code = "journal-elsewhere";
}

/** In the data folder of a server whose journal is in PostgreSQL. */
export const postgresMark = "journal.postgres.mark";

/** Files of a data folder that this process writes. */
export const dataFiles: readonly string[] = [
  databaseName,
  `${databaseName}-wal`,
  "journal.lock",
  "status.json",
  markName,
  postgresMark,
  "evidence.db",
];

/** Rejects with what the journal found wrong, or with {@link JournalElsewhere}. `standBy`: waits for the writer that is there. */
export async function openJournal(
  { data, journal }: Pick<PlatformConfig, "data" | "journal">,
  { onFatal, standBy }: { onFatal: (failure: Error) => void; standBy: AbortSignal | undefined },
): Promise<Compactable & { readonly sql: SqlRunner }> {
  const mark = join(data, postgresMark);
  if (existsSync(mark) && existsSync(join(data, databaseName)))
    throw new JournalElsewhere(
      `the journal of ${data} was on its way into PostgreSQL. Give \`waybill journal move\` once more, as before: it goes on from there.`,
    );
  if (journal === null) {
    if (existsSync(mark))
      throw new JournalElsewhere(`the journal of ${data} is in PostgreSQL. Name its database with --journal.`);
    return openSqliteJournal({ folder: data, onFatal });
  }
  if (existsSync(join(data, databaseName)))
    throw new JournalElsewhere(
      `the journal of ${data} is in its journal.db. Start it without --journal, or give this server a data folder of its own.`,
    );
  return openPostgresJournal({ url: journal, onFatal, mark, ...(standBy && { standBy }) });
}
