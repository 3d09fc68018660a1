/**
 * `waybill journal verify` and `waybill journal export FILE`: the whole record of a data folder at rest, a stopped platform's
 * or a backup's. Both follow the chain from its first record, replay it, and compare the ledger with books of their own.
 */
import { hash } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { encodeState } from "../../core/state.ts";
import { Replay } from "../../core/totals.ts";
import type { Difference, Totals } from "../../core/totals.ts";
import type { Walked } from "../../journal/index.ts";
import { contextOf } from "../context.ts";
import type { Context, GlobalOptions } from "../context.ts";
import { exit } from "../exit.ts";
import { CliFailure } from "../failures.ts";
import type { Runner } from "../program.ts";

interface Options extends GlobalOptions {
  readonly data?: string;
}

/** The document of both commands. */
interface Report extends Walked {
  readonly folder: string;
  readonly totals: Totals;
  /** Accounts whose balances differ, at most {@link differencesShown}. */
  readonly differences: readonly Difference[];
  /** Kept snapshots that are not the state which the records give (L25), by their index. */
  readonly wrongSnapshots: readonly number[];
}

/** Enough to see a pattern; the sums tell the rest. */
const differencesShown = 20;

/** Lines collect to this many characters before they are written: a write for each record would take most of the time. */
const writeAtOnce = 1 << 20;

export function declare(program: Command, run: Runner): void {
  const journal = program
    .command("journal")
    .description("the ledger's record, of a stopped platform or a backup: verify, export");
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
}

function folderOf({ world }: Context, command: Command): string {
  const folder = world.dataFolder(command.optsWithGlobals<Options>().data);
  if (existsSync(join(folder, "journal.db"))) return folder;
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
    const snapshots = new Map(journal.snapshots().map(({ index, stateHash }) => [index, stateHash]));
    const replay = new Replay();
    const wrongSnapshots: number[] = [];
    const walked = journal.walk({
      record: (record, text) => {
        replay.take(record);
        const kept = snapshots.get(record.index);
        if (kept !== undefined && kept !== hash("sha256", encodeState(replay.state), "hex"))
          wrongSnapshots.push(record.index);
        each(text);
      },
    });
    const differences = replay.differences().slice(0, differencesShown);
    return { folder, ...walked, totals: replay.totals(), differences, wrongSnapshots };
  } catch (error) {
    throw asFailure(error);
  }
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
function asFailure(error: unknown): unknown {
  const { code, name, message } = error as { code?: string; name?: string; message: string };
  const next: Readonly<Record<string, string>> = {
    DataFolderBusy: "Or make a backup with `waybill backup DIR`, and name that with --data.",
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
  const { totals, tornFrom, differences, wrongSnapshots, hash: head } = report;
  return [
    `${totals.records} records, ${whole}; the last hash is ${head}`,
    `${totals.settled} calls settled, ${totals.chargedMs} GPU ms charged; ${totals.voided} ended unused`,
    `${totals.accounts} accounts: ${totals.usedMs} GPU ms used in running windows, ${totals.heldMs} held`,
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
