/**
 * `waybill restore`: a backup becomes a data folder. Nothing can start on a half of one: the mark of the last acknowledged
 * record is there from the first moment and the records come last, so that a start in between stops as on a lost journal.
 */
import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { exit } from "../cli/exit.ts";
import { CliFailure } from "../cli/failures.ts";
import { requireWritable } from "../cli/folder.ts";
import type { Restored } from "../cli/world.ts";
import { Engine } from "../control/engine.ts";
import { openSqliteJournal } from "../journal/index.ts";
import type { Clock } from "../stdx/time.ts";
import { copySynced, digestOf, manifestName, syncFolders } from "./backup.ts";
import type { Manifest } from "./backup.ts";

const journalFiles: readonly string[] = ["journal.db", "journal.mark"];

/** Throws a `CliFailure` where the backup is not whole, or the folder is not empty. */
export async function restore(backup: string, folder: string, clock: Clock): Promise<Restored> {
  const from = resolve(backup);
  const manifest = await checked(from);
  await checkEmpty(folder);
  const apart = join(folder, "restoring");
  await mkdir(apart, { recursive: true, mode: 0o700 });
  await copySynced(join(from, "journal.mark"), join(folder, "journal.mark"));
  for (const { path } of manifest.files)
    await copySynced(join(from, path), join(journalFiles.includes(path) ? apart : folder, path));
  await syncFolders(foldersOf(folder, manifest));
  const { fencesAbove, passedOver } = await raiseFences(apart, clock);
  for (const name of journalFiles.toReversed()) await rename(join(apart, name), join(folder, name));
  await rm(apart, { recursive: true });
  await syncFolders([folder]);
  return { folder, backup: from, madeAt: manifest.madeAt, journal: manifest.journal, fencesAbove, passedOver };
}

/**
 * L18: the platform went on after the backup was made, and gave fences that its records do not have. A slot is granted less
 * than once a millisecond, so that those of an earlier restore stay below the time of this one too.
 */
async function raiseFences(folder: string, clock: Clock): Promise<Pick<Restored, "fencesAbove" | "passedOver">> {
  const onFatal = (failure: Error): never => {
    throw failure;
  };
  await using journal = await openSqliteJournal({ folder, onFatal });
  await using engine = await Engine.open({ journal, clock, onFatal });
  const highest = await engine.read(({ slots, fencesAbove }) =>
    Math.max(fencesAbove, ...[...slots.values()].map(({ fence }) => fence)),
  );
  const above = Math.max(highest + 1, clock.wall());
  await engine.submit({ type: "raise-fences", above });
  return { fencesAbove: above, passedOver: engine.passedOver.map(({ index }) => index) };
}

async function checked(from: string): Promise<Manifest> {
  const manifest = await manifestOf(from);
  for (const { path, sha256 } of manifest.files) {
    const found = await digestOf(join(from, path)).catch((error: Error) => error.message);
    if (found !== sha256) throw notWhole(from, `${path} is not what was copied (${found})`);
  }
  return manifest;
}

async function manifestOf(from: string): Promise<Manifest> {
  try {
    const manifest = JSON.parse(await readFile(join(from, manifestName), "utf8")) as Manifest;
    if (manifest.v === 1) return manifest;
  } catch (error) {
    throw notWhole(from, (error as Error).message, error);
  }
  throw notWhole(from, `${manifestName} is of another version of Waybill`);
}

function notWhole(from: string, why: string, cause?: unknown): CliFailure {
  return new CliFailure(exit.failed, {
    code: "backup-damaged",
    says: `${from} is not a whole backup: ${why}.`,
    next: "Restore the backup before it; nothing was changed.",
    cause,
  });
}

async function checkEmpty(folder: string): Promise<void> {
  requireWritable(folder, new Set());
  if ((await readdir(folder)).length === 0) return;
  throw new CliFailure(exit.usage, {
    code: "folder-not-empty",
    says: `${folder} is not empty, and a restore overwrites nothing.`,
    next: "Name a new folder with --data, or move this one away: it may be what you want to look at later.",
  });
}

/** All folders that the copies are in, the outermost too. */
function foldersOf(folder: string, { files }: Manifest): ReadonlySet<string> {
  const found = new Set([folder]);
  for (const { path } of files)
    for (let at = dirname(join(folder, path)); at !== folder; at = dirname(at)) found.add(at);
  return found;
}
