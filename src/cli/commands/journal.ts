/**
 * `waybill journal verify` and `waybill journal export FILE`: the whole record of a data folder at rest, a stopped platform's
 * or a backup's. Both follow the chain from its first record, replay it, and compare the ledger with books of their own.
 * `waybill journal compact` removes a stopped platform's oldest records, `waybill journal move` moves all into PostgreSQL.
 */
import { hash } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { decodeState, encodeState } from "../../core/state.ts";
import { Replay } from "../../core/totals.ts";
import type { Count, Difference, Totals } from "../../core/totals.ts";
import type { JournalAtRest, Walked } from "../../journal/index.ts";
import { iso } from "../../stdx/time.ts";
import { parseAge } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { Context, GlobalOptions } from "../context.ts";
import { exit } from "../exit.ts";
import { CliFailure } from "../failures.ts";
import { requireReach } from "../folder.ts";
import type { Runner } from "../program.ts";
import { passedOverSays } from "../words.ts";
import type { Compacted, Moved } from "../world.ts";

interface Options extends GlobalOptions {
  readonly data?: string;
  readonly journal?: string;
  readonly keep?: number;
}

/** The document of both commands. */
interface Report extends Walked {
  readonly folder: string;
  /** Records that were removed are in it. */
  readonly totals: Totals;
  /** The last record that a compaction removed, and what all until it came to; null where the first is there. */
  readonly rolledUp: {
    readonly index: number;
    readonly at: string;
    readonly hash: string;
    readonly counts: readonly Count[];
  } | null;
  /** Accounts whose balances differ, at most {@link differencesShown}. */
  readonly differences: readonly Difference[];
  /** Kept snapshots that are not the state which the records give (L25), by their index. */
  readonly wrongSnapshots: readonly number[];
}

/** Enough to see a pattern; the sums tell the rest. */
const differencesShown = 20;

/** What is younger is leant on: a request's key for a day, an operator's week. */
const keepLeastMs = 7 * 24 * 3_600_000;

/** Lines collect to this many characters before they are written: a write for each record would take most of the time. */
const writeAtOnce = 1 << 20;

export function declare(program: Command, run: Runner): void {
  const journal = program
    .command("journal")
    .description("the ledger's record, of a stopped platform or a backup: verify, export, compact, move");
  declareMove(journal, run);
  journal
    .command("verify")
    .description("check every record against its hash, and the ledger against its records")
    .option("--data <dir>", "data folder, or a backup")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const report = await reportOf(folderOf(context, command), () => {});
        context.answer(report, context.quiet ? "" : says(report, "the journal is whole"));
        return isSound(report) ? exit.done : exit.failed;
      }),
    );
  journal
    .command("export")
    .description("write every record to a file, one JSON document a line, and say what they sum up to")
    .argument("<file>", "a file that is not there yet")
    .option("--data <dir>", "data folder, or a backup")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const file = resolve(command.args[0] as string);
        const report = await exportTo(folderOf(context, command), file);
        context.answer({ file, ...report }, context.quiet ? `${file}\n` : says(report, `exported to ${file}`));
        return isSound(report) ? exit.done : exit.failed;
      }),
    );
  journal
    .command("compact")
    .description("remove a stopped platform's oldest records and receipts, and keep what they came to")
    .requiredOption("--keep <age>", "what is younger stays: 400d, at least 7d", parseAge)
    .option("--data <dir>", "data folder")
    .option("--journal <url>", "where the journal is in PostgreSQL; WAYBILL_JOURNAL where the address has a password")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const { data, journal: url = null, keep = 0 } = command.optsWithGlobals<Options>();
        if (keep < keepLeastMs) throw tooYoung();
        const options = { data: world.dataFolder(data), journal: url, keepMs: keep };
        const compacted = await world.compact(options).catch((error: unknown) => {
          throw asFailure(error, "Stop the platform first: `compact` is for one at rest.");
        });
        context.answer(compacted, context.quiet ? "" : compactedSays(compacted));
      }),
    );
}

function declareMove(journal: Command, run: Runner): void {
  journal
    .command("move")
    .description("move a stopped platform's journal and catalog from its data folder into an empty PostgreSQL database")
    .option("--data <dir>", "data folder")
    .option("--journal <url>", "the database; WAYBILL_JOURNAL where the address has a password")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const { data, journal: named } = command.optsWithGlobals<Options>();
        const url = named ?? world.env["WAYBILL_JOURNAL"];
        if (url === undefined || !/^postgres(ql)?:\/\//.test(url)) throw noAddress();
        const moved = await world.move({ data: world.dataFolder(data), journal: url }).catch((error: unknown) => {
          throw asFailure(error, "Stop the platform first: `move` is for one at rest.");
        });
        context.answer(moved, context.quiet ? "" : movedSays(moved));
      }),
    );
}

function noAddress(): CliFailure {
  return new CliFailure(exit.usage, {
    code: "journal",
    says: "--journal names no PostgreSQL database.",
    next: "Make one with createdb, and write postgres://USER@HOST/DATABASE.",
  });
}

function movedSays({ folder, head, totals, kept, copied }: Moved): string {
  return [
    `${head.index} records and the catalog ${copied ? "are" : "were already"} in the database, the last with hash ${head.hash}`,
    `as before: ${totals.settled} calls settled, ${totals.chargedMs} GPU ms charged; ${totals.voided} ended unused`,
    `start it with: waybill server --data ${folder} --journal ADDRESS`,
    `no start reads ${kept} any more: remove it when the database is backed up`,
  ]
    .map((line) => `${line}\n`)
    .join("");
}

function tooYoung(): CliFailure {
  return new CliFailure(exit.usage, {
    code: "keep",
    says: "--keep is less than 7 days, and the platform itself leans on what is younger.",
    next: "Write a longer time, such as 90d.",
  });
}

function compactedSays({ removed, before, rolledUp, totals, notFreed, passedOver }: Compacted): string {
  return [
    removed === 0 ? `no record is from before ${before}` : `${removed} records from before ${before} removed`,
    ...(rolledUp === null ? [] : [`the record now begins after ${rolledUp.index}, of ${rolledUp.at}`]),
    `as before: ${totals.settled} calls settled, ${totals.chargedMs} GPU ms charged; ${totals.voided} ended unused`,
    ...(passedOver.length === 0 ? [] : [passedOverSays(passedOver).trimEnd()]),
    ...(notFreed === null ? [] : [`the file did not get smaller: ${notFreed}; new records use its space`]),
  ]
    .map((line) => `${line}\n`)
    .join("");
}

function folderOf({ world }: Context, command: Command): string {
  const folder = world.dataFolder(command.optsWithGlobals<Options>().data);
  requireReach(folder);
  if (existsSync(join(folder, "journal.db"))) return folder;
  if (existsSync(join(folder, "journal.postgres.mark")))
    throw new CliFailure(exit.notFound, {
      code: "journal-elsewhere",
      says: `The journal of ${folder} is in PostgreSQL, and this reads one in a data folder.`,
      next: "A server that starts on it checks the records that it reads. Its database's own tools copy it.",
    });
  throw new CliFailure(exit.notFound, {
    code: "no-journal",
    says: `There is no journal in ${folder}.`,
    next: "Name the folder with --data: that of a platform, or one that `waybill backup` made.",
  });
}

async function reportOf(folder: string, each: (text: string) => void): Promise<Report> {
  const { JournalAtRest } = await import("../../journal/index.ts");
  try {
    using journal = new JournalAtRest(folder);
    const snapshots = new Map(journal.snapshots().map((kept) => [kept.index, kept]));
    const { replay, rolledUp } = beginningOf(journal);
    const wrongSnapshots: number[] = [];
    const compare = (index: number): void => {
      const kept = snapshots.get(index);
      if (kept === undefined) return;
      const isRight = kept.isWhole && kept.stateHash === hash("sha256", encodeState(replay.state), "hex");
      if (!isRight) wrongSnapshots.push(index);
    };
    if (rolledUp !== null) compare(rolledUp.index);
    const walked = journal.walk({
      record: (record, text) => {
        replay.take(record);
        compare(record.index);
        each(text);
      },
    });
    const differences = replay.differences().slice(0, differencesShown);
    return { folder, ...walked, totals: replay.totals(), rolledUp, differences, wrongSnapshots };
  } catch (error) {
    throw asFailure(error);
  }
}

function beginningOf(journal: JournalAtRest): Pick<Report, "rolledUp"> & { readonly replay: Replay } {
  const kept = journal.rolledUp();
  if (kept === null) return { replay: new Replay(), rolledUp: null };
  const { index, at, hash: reached, counts, body } = kept;
  return {
    replay: new Replay({ state: decodeState(body), counts }),
    rolledUp: { index, at: iso(at), hash: reached, counts },
  };
}

/** The file gets all lines or is removed again: half an export would pass for a whole one. */
async function exportTo(folder: string, file: string): Promise<Report> {
  const fd = openNew(file);
  try {
    let waiting = "";
    const write = (): void => {
      for (let bytes = Buffer.from(waiting); bytes.length > 0;) bytes = bytes.subarray(writeSync(fd, bytes));
      waiting = "";
    };
    const report = await reportOf(folder, (text) => {
      waiting += `${text}\n`;
      if (waiting.length >= writeAtOnce) write();
    });
    write();
    fsyncSync(fd);
    return report;
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}

function openNew(file: string): number {
  try {
    return openSync(file, "wx", 0o600);
  } catch (error) {
    throw new CliFailure(exit.usage, {
      code: "file",
      says: `${file} can't be made: ${(error as Error).message}.`,
      next: "Name a file that is not there yet, in a folder that is.",
      cause: error,
    });
  }
}

/** What is wrong with the data is an answer, not our bug. Its sentence says what to do. */
function asFailure(
  error: unknown,
  busy = "Or make a backup with `waybill backup DIR`, and name that with --data.",
): unknown {
  const { code, name, message } = error as { code?: string; name?: string; message: string };
  const next: Readonly<Record<string, string>> = {
    DataFolderBusy: busy,
    DatabaseBusy: busy,
    DatabaseUnfit: "Nothing was changed.",
    DatabaseFilled: "Nothing was changed.",
    JournalElsewhere: "Nothing was changed.",
    JournalDamaged: "`waybill restore BACKUP --data NEW` gives the newest backup a folder of its own; keep this one.",
    EventVersionUnknown: "Nothing is wrong with the data.",
    JournalFormatUnknown: "Nothing is wrong with the data.",
  };
  const known = next[name ?? ""];
  if (known === undefined || code === undefined) return error;
  return new CliFailure(exit.failed, { code, says: message, next: known, cause: error });
}

function isSound({ differences, wrongSnapshots }: Report): boolean {
  return differences.length === 0 && wrongSnapshots.length === 0;
}

function says(report: Report, whole: string): string {
  const { totals, tornFrom, rolledUp, differences, wrongSnapshots, hash: head } = report;
  return [
    `${totals.records} records, ${whole}; the last hash is ${head}`,
    `${totals.settled} calls settled, ${totals.chargedMs} GPU ms charged; ${totals.voided} ended unused`,
    `${totals.accounts} accounts: ${totals.usedMs} GPU ms used in running windows, ${totals.heldMs} held`,
    ...(rolledUp === null
      ? []
      : [`records up to ${rolledUp.index} of ${rolledUp.at} were removed; what they came to is in these sums`]),
    ...(tornFrom === null
      ? []
      : [`torn from record ${tornFrom} on: acknowledged to nobody, the next start cuts it off`]),
    ...differences.map(
      ({ account, ledger, log }) =>
        `${account}: the ledger says ${ledger.usedMs} used and ${ledger.heldMs} held, its records ${log.usedMs} and ${log.heldMs}`,
    ),
    ...wrongSnapshots.map((index) => `the snapshot after record ${index} is not the state that the records give`),
  ]
    .map((line) => `${line}\n`)
    .join("");
}
