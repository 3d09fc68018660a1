/** Files that are read whole: of an app its settings and its requirements, of a command what it was asked to write. */
import { constants } from "node:fs";
import { open, readFile, stat } from "node:fs/promises";
import { BuildFailure } from "./failure.ts";

/** README.md, package.json and requirements.txt are pages of text; larger ones are no such files. */
const smallMaxBytes = 1 << 20;
/** A lock of hundreds of packages, with the hashes of all their files, has a few megabytes. */
const madeMaxBytes = 32 << 20;

/** The file's text; undefined where the commit has no such file. Throws a {@link BuildFailure} where it is too large. */
export async function readSmall(path: string): Promise<string | undefined> {
  return (await readSmallBytes(path))?.toString("utf8");
}

/** As {@link readSmall}, for a lockfile: of hundreds of packages it has a few megabytes. */
export async function readText(path: string): Promise<string | undefined> {
  return (await readBytes(path, madeMaxBytes))?.toString("utf8");
}

/** As {@link readSmall}, for a text whose encoding has to be looked for. */
export function readSmallBytes(path: string): Promise<Buffer | undefined> {
  return readBytes(path, smallMaxBytes);
}

async function readBytes(path: string, maxBytes: number): Promise<Buffer | undefined> {
  try {
    const found = await stat(path);
    // A command may have left a pipe there, which nobody ever writes.
    if (!found.isFile()) return undefined;
    if (found.size > maxBytes)
      throw new BuildFailure("build/config-invalid", `${path.split("/").at(-1)} has more than ${maxBytes} bytes`);
    return await readFile(path);
  } catch (error) {
    if (["ENOENT", "ELOOP"].includes(String((error as NodeJS.ErrnoException).code))) return undefined;
    throw error;
  }
}

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
