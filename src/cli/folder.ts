/** Whether this process may work in a folder: told once and at the start, with whose it is, and not by the first file that fails. */
import { accessSync, constants, mkdirSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { exit } from "./exit.ts";
import { CliFailure } from "./failures.ts";

const { R_OK, W_OK, X_OK } = constants;
/** What the system says where rights are missing; what is wrong with a disk is told as that. */
export const rightsErrors: readonly string[] = ["EACCES", "EPERM"];

/** Makes the folder where there is none. Throws a `CliFailure` where it, or one of these names in it, can't be written by this user. */
export function requireWritable(folder: string, names: ReadonlySet<string>): void {
  telling(folder, folder, () => mkdirSync(folder, { recursive: true, mode: 0o700 }));
  requireReach(folder);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!names.has(entry.name)) continue;
    const path = join(folder, entry.name);
    telling(folder, path, () => accessSync(path, entry.isDirectory() ? R_OK | W_OK | X_OK : R_OK | W_OK));
  }
}

/** The same of the folder alone, where it is there. */
export function requireReach(folder: string): void {
  telling(folder, folder, () => {
    try {
      accessSync(folder, R_OK | W_OK | X_OK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  });
}

function telling(folder: string, path: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (code === "EEXIST" || code === "ENOTDIR") throw notAFolder(folder, error);
    throw rightsErrors.includes(code) ? notWritable(folder, path, error) : error;
  }
}

function notAFolder(folder: string, cause: unknown): CliFailure {
  return new CliFailure(exit.usage, {
    code: "folder-not-writable",
    says: `${folder} is no folder, or lies in something that is none.`,
    next: "Name a folder with --data; one that is not there yet is made.",
    cause,
  });
}

function notWritable(folder: string, path: string, cause: unknown): CliFailure {
  const { at, uid } = ownerOf(path);
  const user = process.getuid?.() ?? 0;
  const whose =
    uid === user
      ? "its rights do not let this user write"
      : `it belongs to user ${uid}, and this process is user ${user}`;
  return new CliFailure(exit.failed, {
    code: "folder-not-writable",
    says: `nothing can be kept in ${folder}: ${at} is closed to this process: ${whose}.`,
    next: `Start it as user ${uid}, or give the folder to this one (chown -R ${user} ${folder}); or name another with --data. Nothing was changed.`,
    cause,
  });
}

/** Of the path, or of the nearest folder above it that can be looked at. */
function ownerOf(path: string): { readonly at: string; readonly uid: number } {
  for (let at = path; ; at = dirname(at)) {
    try {
      return { at, uid: statSync(at).uid };
    } catch (error) {
      if (at === dirname(at)) throw error;
    }
  }
}
