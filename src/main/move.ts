/**
 * `waybill journal move`: a stopped platform's journal and catalog go from its data folder into an empty PostgreSQL database, for good.
 * The copy is one transaction; only when what was copied has been read again and is the same does the folder give its journal up. Until
 * then a platform on the folder starts with its own journal, and cut off anywhere the same command goes on.
 */
import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { Catalog } from "../catalog/catalog.ts";
import { catalogDigest, copyCatalog, tablesOf } from "../catalog/copy.ts";
import type { Table } from "../catalog/copy.ts";
import { exit } from "../cli/exit.ts";
import { CliFailure } from "../cli/failures.ts";
import { requireReach } from "../cli/folder.ts";
import type { Moved, MoveOptions } from "../cli/world.ts";
import { databaseName, markName, openSqliteJournal } from "../journal/index.ts";
import type { Compactable } from "../journal/index.ts";
import { copyToPostgres } from "../journal/postgres-copy.ts";
import { openPostgresJournal } from "../journal/postgres.ts";
import { leaveMark, syncFolder } from "../journal/mark.ts";
import type { SqlRunner } from "../stdx/sql.ts";
import type { Clock } from "../stdx/time.ts";
import { beginningOf, caughtUp, replayed, sumsOf } from "./compact.ts";
import { postgresMark } from "./open-journal.ts";

/** What the folder keeps, out of the way of any start. */
const movedName = "journal.moved.db";
const movedMark = "journal.moved.mark";

interface Ledger {
  readonly head: { readonly index: number; readonly hash: string };
  /** Of the whole log, its state with it, and of all rows of the catalog. */
  readonly sums: string;
  readonly totals: Moved["totals"];
}

/** Throws a `CliFailure` where there is no journal or the sums differ; `DataFolderBusy`, `DatabaseBusy`, `DatabaseFilled`, `JournalDamaged`. */
export async function move({ data, journal: url }: MoveOptions, clock: Clock): Promise<Moved> {
  requireReach(data);
  const kept = join(data, movedName);
  if (!existsSync(join(data, databaseName))) {
    if (!existsSync(kept)) throw noJournal(data);
    leaveFolder(data); // What was cut off between its two files.
    throw alreadyMoved(data);
  }
  const { head, totals, copied } = await copyAndCompare(data, url, clock);
  leaveFolder(data);
  return { folder: data, head, totals, kept, copied };
}

/** With the folder's lock held to its end: when that is given back, the mark keeps every start from the folder. */
async function copyAndCompare(data: string, url: string, clock: Clock): Promise<Ledger & Pick<Moved, "copied">> {
  const failures = new Failures();
  await using journal = await openSqliteJournal({ folder: data, onFatal: failures.take });
  await journal.verify();
  await caughtUp(journal, clock);
  const tables = await tablesOf(journal.sql);
  const source = await ledgerOf(journal, tables);
  const rows = async (to: SqlRunner): Promise<void> => {
    await Catalog.open(to, clock);
    await copyCatalog(journal.sql, to);
  };
  const copied = await copyToPostgres(journal, { url, rows });
  const there = await target(url, tables, clock);
  if (there.sums !== source.sums || there.head.hash !== source.head.hash) throw differs(data);
  failures.check();
  leaveMark(join(data, postgresMark), source.head);
  return { ...there, copied };
}

/** What is in the database, every record of it followed. */
async function target(url: string, tables: readonly Table[], clock: Clock): Promise<Ledger> {
  const failures = new Failures();
  await using journal = await openPostgresJournal({ url, onFatal: failures.take });
  await journal.verify();
  await caughtUp(journal, clock);
  const ledger = await ledgerOf(journal, tables);
  failures.check();
  return ledger;
}

async function ledgerOf(journal: Compactable & { readonly sql: SqlRunner }, tables: readonly Table[]): Promise<Ledger> {
  const { index, hash } = journal.head;
  const begin = await beginningOf(journal, "the journal");
  const replay = await replayed(journal, begin(), index);
  const sums = `${sumsOf(replay)} ${await catalogDigest(journal.sql, tables)}`;
  return { head: { index, hash }, sums, totals: replay.totals() };
}

/** From here on the folder's server starts with --journal alone. The file goes first: without it nobody looks for its mark. */
function leaveFolder(data: string): void {
  for (const [from, to] of [
    [databaseName, movedName],
    [markName, movedMark],
  ] as const) {
    if (existsSync(join(data, from))) renameSync(join(data, from), join(data, to));
    // Also a machine that loses its power has them go in this order.
    syncFolder(data);
  }
}

/** A journal tells of its end by itself; here it is the command's. */
class Failures {
  #first: Error | undefined;

  readonly take = (failure: Error): void => {
    this.#first ??= failure;
  };

  check(): void {
    if (this.#first !== undefined) throw this.#first;
  }
}

function differs(data: string): CliFailure {
  return new CliFailure(exit.failed, {
    code: "totals-differ",
    says: "What is in the database does not sum up to what the folder has.",
    next: `Drop the database, and look for what changed it; the platform still starts on ${data}.`,
  });
}

function alreadyMoved(folder: string): CliFailure {
  return new CliFailure(exit.refused, {
    code: "journal-elsewhere",
    says: `The journal of ${folder} was moved into PostgreSQL.`,
    next: "Start the server with the database's --journal.",
  });
}

function noJournal(folder: string): CliFailure {
  return new CliFailure(exit.notFound, {
    code: "no-journal",
    says: `There is no journal in ${folder}.`,
    next: "Name the platform's data folder with --data.",
  });
}
