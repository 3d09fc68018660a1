/** Files that are read whole: of an app its settings and its requirements, of a command what it was asked to write. */
import { constants } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import { BuildFailure } from "./failure.ts";

/** README.md, package.json and requirements.txt are pages of text; larger ones are no such files. */
const smallMaxBytes = 1 << 20;
/** A lock of hundreds of packages, with the hashes of all their files, has a few megabytes. */
const madeMaxBytes = 32 << 20;

/**
 * The text of a file of the app's, which commands of the app's may have changed: only a plain file inside the folder `app` is read.
 * Undefined where there is none. Throws a {@link BuildFailure} where it is too large.
 */
export async function readSmall(app: string, name: string): Promise<string | undefined> {
  return (await readSmallBytes(app, name))?.toString("utf8");
}

/** As {@link readSmall}, for a lockfile: of hundreds of packages it has a few megabytes. */
export async function readText(app: string, name: string): Promise<string | undefined> {
  return (await readBytes(app, name, madeMaxBytes))?.toString("utf8");
}

/** As {@link readSmall}, for a text whose encoding has to be looked for. */
export function readSmallBytes(app: string, name: string): Promise<Buffer | undefined> {
  return readBytes(app, name, smallMaxBytes);
}

async function readBytes(app: string, name: string, maxBytes: number): Promise<Buffer | undefined> {
  try {
    // The commit's links lead inside it; a command may have left one that does not, or a pipe that nobody ever writes.
    const path = await realpath(join(app, name));
    if (!path.startsWith(`${await realpath(app)}${sep}`)) return undefined;
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const found = await file.stat();
    if (!found.isFile()) return undefined;
    if (found.size > maxBytes)
      throw new BuildFailure("build/config-invalid", `${name} has more than ${maxBytes} bytes`);
    return await file.readFile();
  } catch (error) {
    if (absent.includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

const absent = ["ENOENT", "ENOTDIR", "ELOOP", "ENXIO"];

/** The text of a file that a command of the app's had to write; where it left a link, a pipe or the like, nothing is followed or read. */
export async function readMade(path: string): Promise<string> {
  const name = path.split("/").at(-1);
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (error: Error) => {
      throw new BuildFailure("build/step-failed", `${name} was not made: ${error.message}`, [], { cause: error });
    },
  );
  try {
    const found = await file.stat();
    if (!found.isFile() || found.size > madeMaxBytes)
      throw new BuildFailure("build/step-failed", `${name} is no file of at most ${madeMaxBytes} bytes`);
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}
