/**
 * What `git fast-import` leaves in a repository where it fails: a report of its own (`fast_import_crash_PID`), and what it had written of a
 * pack, which on a full disk is the room that everybody else lacks. To be taken away while no other commits there.
 */
import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { isOneOf } from "./errors.ts";
import { GitFailure } from "./git.ts";

/** In the repository's own folder. */
export const crashReport = /^fast_import_crash_\d+$/;
const unfinished = /^tmp_(?:pack|idx)_/;
/** The last hundred commands are in the first of it. */
const reportMaxBytes = 64 << 10;
/** The longest path that is taken, and the words around it. */
const commandMaxChars = 1_200;

/** The failure with the command that git was at, where its report says so; what it left is gone then. */
export async function afterCrash(repository: string, failure: GitFailure): Promise<GitFailure> {
  try {
    const command = await lastCommand(repository);
    await remove(repository, crashReport);
    await remove(join(repository, "objects", "pack"), unfinished);
    return command === undefined
      ? failure
      : new GitFailure(failure.code, `${failure.message}, at \`${command}\``, { cause: failure });
  } catch {
    return failure; // It says what is wrong with the disk; what was left goes when the repository is cleared up.
  }
}

/** Of the report's most recent commands the file that it was at; else the last one, which has a star. */
async function lastCommand(repository: string): Promise<string | undefined> {
  const report = (await readdir(repository)).find((name) => crashReport.test(name));
  if (report === undefined) return undefined;
  await using handle = await open(join(repository, report));
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(reportMaxBytes), 0, reportMaxBytes, 0);
  const text = buffer.toString("utf8", 0, bytesRead);
  const [, command] = [...text.matchAll(/^[* ] ([MD] .+)$/gm)].at(-1) ?? /^\* (.+)$/m.exec(text) ?? [];
  return command?.slice(0, commandMaxChars);
}

async function remove(folder: string, which: RegExp): Promise<void> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (isOneOf(error, ["ENOENT", "ENOTDIR"])) return []; // No pack was ever begun.
    throw error;
  });
  for (const name of names) if (which.test(name)) await rm(join(folder, name), { force: true });
}
