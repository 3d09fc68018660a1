/**
 * What this user has seen of logs of receipts: the largest checkpoint of each and its keys, in a file beside the sign-in. A log is taken as
 * it is when it is first seen; from then on one that was rewritten is told from one that grew.
 */
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isRemembered, keptOf, seenAs, seenOf } from "../receipts/remembered.ts";
import type { SeenLogs } from "../receipts/remembered.ts";
import { exit } from "./exit.ts";
import { CliFailure } from "./failures.ts";

export function memoryFile(signInFile: string): string {
  return join(dirname(signInFile), "receipt-logs.json");
}

export async function readSeen(file: string): Promise<SeenLogs> {
  try {
    const { logs } = JSON.parse(await readFile(file, "utf8")) as { readonly logs?: unknown };
    if (Array.isArray(logs) && logs.every(isRemembered)) return seenAs(logs);
    throw new Error("it has not the form that this version writes");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw new CliFailure(exit.usage, {
      code: "receipt-logs-file",
      says: `What was seen of logs of receipts, ${file}, cannot be read: ${(error as Error).message}.`,
      next: "Remove that file; each log is then taken as it is when it is seen next.",
      cause: error,
    });
  }
}

/** Leaves of the largest checkpoint that was seen of a log. */
export async function seenSize(signInFile: string, origin: string): Promise<number | undefined> {
  return seenOf(await readSeen(memoryFile(signInFile)), origin)?.size;
}

/** In the place of what was there: whole or not at all. */
export async function writeSeen(file: string, seen: SeenLogs): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const beside = `${file}.${process.pid}.new`;
  await rm(beside, { force: true });
  const handle = await open(beside, "wx", 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(keptOf(seen), null, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(beside, file);
}
