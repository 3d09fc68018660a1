/** The program `uv`, which resolves and installs Python packages: the machine's own, or one in the platform's tools folder. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Interpreter } from "./interpreters.ts";

const run = promisify(execFile);
/** It is one package of some 20 MB. */
const installWithinMs = 180_000;

export interface UvTools {
  /** Folders to look in first. */
  readonly path: readonly string[];
  /** The platform's own; outlives data folders. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
}

/** The path of `uv`; installs it where the machine has none. Rejects with what was tried. */
export async function provideUv(tools: UvTools, python: Interpreter, note: (text: string) => void): Promise<string> {
  const found = tools.path.map((folder) => join(folder, "uv")).find(existsSync);
  if (found) return found;
  const home = join(tools.folder, "uv");
  const uv = join(home, "bin", "uv");
  if (existsSync(uv)) return uv;
  note("uv is not on this machine: it is installed into the platform's tools folder");
  await mkdir(tools.folder, { recursive: true });
  // Made aside and renamed, so that two at the same time both end with a whole one.
  const aside = await mkdtemp(join(tools.folder, ".uv-"));
  const options = { timeout: installWithinMs, env: { ...tools.env, PATH: tools.path.join(":"), HOME: tools.folder } };
  try {
    await run(python.path, ["-m", "venv", aside], options);
    await run(
      join(aside, "bin", "python"),
      ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv"],
      options,
    );
    await rename(aside, home).catch((error: NodeJS.ErrnoException) => {
      if (!["ENOTEMPTY", "EEXIST"].includes(error.code ?? "")) throw error; // Another build was first.
    });
    return uv;
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim().split("\n").at(-1) ?? "";
    throw new Error(`uv could not be installed with pip of ${python.path}: ${said || (error as Error).message}`, {
      cause: error,
    });
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}
