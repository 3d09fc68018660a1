/** Files of an app that are read whole: its settings, its requirements. */
import { readFile, stat } from "node:fs/promises";
import { BuildFailure } from "./workshop.ts";

/** README.md, package.json and requirements.txt are pages of text; larger ones are no such files. */
const maxBytes = 1 << 20;

/** The file's text; undefined where the commit has no such file. Throws a {@link BuildFailure} where it is too large. */
export async function readSmall(path: string): Promise<string | undefined> {
  try {
    const { size } = await stat(path);
    if (size > maxBytes)
      throw new BuildFailure("build/config-invalid", `${path.split("/").at(-1)} has more than ${maxBytes} bytes`);
    return await readFile(path, "utf8");
  } catch (error) {
    if (["ENOENT", "EISDIR", "ELOOP"].includes(String((error as NodeJS.ErrnoException).code))) return undefined;
    throw error;
  }
}
