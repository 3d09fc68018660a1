/**
 * The Python packages in an unpacked image: whichever Python they are for, conda's too. The image's author chose all that lies there, so
 * folders are walked without following a link, and names, depth and time are bounded.
 */
import type { Dirent } from "node:fs";
import { opendir } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import type { RuntimeFacts } from "../../contract/release.ts";
import { installedVersion } from "../cuda/installed.ts";
import { coroutinesForGpu } from "../python/look.ts";
import { checkRuntime } from "../runtime-check.ts";
import type { Workshop } from "../workshop.ts";
import { readInside } from "./inside.ts";

/** An image of 8 GB with conda and CUDA has some 250 000 files. */
const namesMax = 500_000;
/** `/home/user/.pyenv/versions/3.10.13/lib/python3.10/site-packages` is 8 below the root. */
const depthMax = 10;
/** An image with more environments is not known. */
const foldersMax = 32;
/** Some 250 000 names take a second from a warm cache. */
const walkWithinMs = 10_000;
/** Characters: the time to look for a program in a command grows with the square of it. */
const commandMax = 4_096;
/** Debian's own packages are in `dist-packages`. */
const packageFolders: ReadonlySet<string> = new Set(["site-packages", "dist-packages"]);
/** Not the image's own, or full of small files that are not Python's. */
const leftOut: ReadonlySet<string> = new Set(["proc", "sys", "dev", "node_modules", ".git", "__pycache__"]);

export interface ImagePackages {
  /** Paths on this machine. */
  readonly folders: readonly string[];
  /** A bound was met before all was looked at. */
  readonly cut: boolean;
}

/** Those of the image whose files are in `root`, the nearest to the root first; cut short once `until` says so. */
export async function findPackages(
  root: string,
  until: AbortSignal = AbortSignal.timeout(walkWithinMs),
): Promise<ImagePackages> {
  const folders: string[] = [];
  let names = 0;
  let level = [root];
  for (let depth = 0; level.length > 0 && depth < depthMax; depth += 1) {
    const next: string[] = [];
    for (const folder of level)
      for await (const entry of entriesOf(folder)) {
        names += 1;
        if (until.aborted || names > namesMax || folders.length >= foldersMax) return { folders, cut: true };
        if (!entry.isDirectory() || leftOut.has(entry.name)) continue;
        (packageFolders.has(entry.name) ? folders : next).push(join(folder, entry.name));
      }
    level = next;
  }
  return { folders, cut: false };
}

/** What an image's app begins with: an image without Python packages has nothing to compare. */
export async function checkImagePackages(
  shop: Pick<Workshop, "spec" | "note">,
  root: string,
  { argv, workdir }: { readonly argv: readonly string[]; readonly workdir: string },
): Promise<RuntimeFacts | undefined> {
  const { folders, cut } = await findPackages(root);
  if (folders.length === 0 && !cut) return undefined;
  const program = await programOf(root, argv, workdir);
  const where = folders.map((folder) => `/${relative(root, folder)}`);
  if (where.length > 0) shop.note(`Python packages are in ${where.join(", ")}`);
  const checked = await checkRuntime(shop, { root, folders, cut, program: program.text, needsCard: false });
  const coroutines = coroutinesForGpu(program.text).map(
    ({ name, line }) =>
      `${program.file} line ${line}: async def ${name} stands under the GPU decorator, which takes plain functions and generators only`,
  );
  for (const one of coroutines) shop.note(`warning: ${one}`);
  return {
    python: [...new Set(folders.flatMap((folder) => pythonOf(folder) ?? []))].sort().join(", "),
    gradio: await versionOf(folders, "gradio"),
    spaces: await versionOf(folders, "spaces"),
    ...checked,
    warnings: [...checked.warnings, ...coroutines],
  };
}

/** Nothing where it cannot be listed: modes are the image's author's, and what the app may not read is not run from either. */
async function* entriesOf(folder: string): AsyncGenerator<Dirent> {
  try {
    yield* await opendir(folder, { bufferSize: 1_024 });
  } catch (error) {
    if (!["EACCES", "ENAMETOOLONG"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

/** The first file of Python's that the command names; a shell's line and a server's `module:app` name one, too. */
async function programOf(
  root: string,
  argv: readonly string[],
  workdir: string,
): Promise<{ file: string; text: string }> {
  const command = argv.join(" ").slice(0, commandMax);
  const [, file] = /([\w./-]+\.py)\b/.exec(command) ?? [];
  const [, module] = /\b([\w.]+):\w+/.exec(command) ?? [];
  const path = file ?? (module === undefined ? undefined : `${module.replaceAll(".", "/")}.py`);
  if (path === undefined) return { file: "", text: "" };
  return { file: path, text: await readInside(root, path.startsWith("/") ? path : `${workdir}/${path}`) };
}

/** `3.11` by the folder above; Debian's have none in their names. */
function pythonOf(folder: string): string | undefined {
  return /^python(3\.\d+)$/.exec(basename(dirname(folder)))?.[1];
}

async function versionOf(folders: readonly string[], name: string): Promise<string | null> {
  for (const folder of folders) {
    const version = await installedVersion(folder, name);
    if (version !== null) return version;
  }
  return null;
}
