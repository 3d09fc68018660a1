/**
 * The packages of a Python environment that bring code for cards: found by what was installed, read from their shared objects'
 * headers. None is imported, which would take seconds and run what the app brought.
 *
 *   NAME-VERSION.dist-info/RECORD     a line `path,hash,size` for each file of the package ("Recording installed projects", PyPA)
 *   PREFIX/conda-meta/*.json          `name`, `version`, `build` and `files` of what conda installed, beside Python packages of its own
 */
import { constants } from "node:fs";
import { open, opendir, realpath, type FileHandle } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import type { CudaPackage } from "../../contract/release.ts";
import { readCudaCode, type CudaCode } from "./code.ts";
import { isOlder } from "./toolkits.ts";

/** torch's, the longest that we know, has 1.5 MB. */
const recordMaxBytes = 8 << 20;
/** A large environment has some thousand names beside each other; an image's author may have made more. */
const namesMax = 50_000;
/** A large environment has 400 packages and 2 000 shared objects. */
const packagesMax = 5_000;
const objectsMax = 20_000;

/** What was found, and whether all could be looked at: a bound or `signal` may have come before. */
export interface FoundPackages {
  readonly packages: readonly CudaPackage[];
  readonly whole: boolean;
}

/**
 * Those that `pip` and its like installed sorted by name, then conda's. `folder` is a `site-packages` inside `root`, which nothing that
 * is read may lie outside of.
 */
export async function readPackages(folder: string, root: string, signal: AbortSignal): Promise<FoundPackages> {
  const reading: Reading = { root: await realpath(root), signal, objects: 0, whole: true };
  const packages: CudaPackage[] = [];
  try {
    for (const name of await namesIn(folder, ".dist-info", reading)) {
      signal.throwIfAborted();
      const found = await readPackage(folder, name, reading);
      if (found) packages.push(found);
    }
    const known = new Set(packages.map(({ name }) => name));
    const prefix = dirname(dirname(dirname(folder)));
    for (const name of await namesIn(join(prefix, "conda-meta"), ".json", reading)) {
      signal.throwIfAborted();
      const found = await readCondaPackage(folder, { prefix, name }, reading);
      if (found && !known.has(found.name)) packages.push(found);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    return { packages, whole: false };
  }
  return { packages, whole: reading.whole };
}

/** The version of an installed package, as its folder's name has it; null where it is not there. */
export async function installedVersion(folder: string, name: string): Promise<string | null> {
  const all = await namesIn(folder, ".dist-info", { root: await realpath(folder), whole: true });
  return all.map(calledBy).find((one) => one.name === name)?.version ?? null;
}

interface Reading {
  readonly root: string;
  readonly signal: AbortSignal;
  objects: number;
  /** No bound was met. */
  whole: boolean;
}

/** Names in a folder inside the root that end so, sorted; none where there is no such folder. */
async function namesIn(folder: string, end: string, reading: Pick<Reading, "root" | "whole">): Promise<string[]> {
  const found: string[] = [];
  let looked = 0;
  try {
    const real = await realpath(folder);
    if (!isInside(real, reading.root)) return [];
    for await (const { name } of await opendir(real)) {
      looked += 1;
      if (name.endsWith(end)) found.push(name);
      if (looked < namesMax && found.length < packagesMax) continue;
      reading.whole = false;
      break;
    }
  } catch (error) {
    if (absent.includes((error as NodeJS.ErrnoException).code ?? "")) return [];
    throw error;
  }
  return found.sort();
}

async function readPackage(folder: string, info: string, reading: Reading): Promise<CudaPackage | undefined> {
  const called = calledBy(info);
  // The toolkit's own libraries: they fit what was compiled against them.
  const code = called.name.startsWith("nvidia-") ? [] : await codeOf(folder, info, reading);
  const cuda = cudaByName(called) ?? leastOf(code);
  if (code.length === 0 && cuda === null && !compilers.has(called.name)) return undefined;
  return { ...called, cuda, archs: [...new Set(code.flatMap(({ archs }) => archs))] };
}

function calledBy(info: string): Pick<CudaPackage, "name" | "version"> {
  const [, name = "", version = ""] = /^([\w.]+?)-([\w.+!]+)\.dist-info$/.exec(info) ?? [];
  return { name: normalised(name), version };
}

/** As PEP 503 compares names. */
function normalised(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]+/g, "-");
}

/** Only its Python modules: the toolkit's libraries are conda packages too, and fit what was compiled against them. */
async function readCondaPackage(
  folder: string,
  { prefix, name }: { readonly prefix: string; readonly name: string },
  reading: Reading,
): Promise<CudaPackage | undefined> {
  const text = await textOf(join(prefix, "conda-meta", name), reading.root);
  const said = condaRecord(text);
  if (said === undefined) return undefined;
  const modules = `${relative(prefix, folder)}${sep}`;
  const objects = said.files.filter(
    (file) => file.startsWith(modules) && !file.startsWith(`${modules}torch/`) && sharedObject.test(file),
  );
  const code = await codeIn(
    objects.map((file) => join(prefix, file)),
    reading,
  );
  const [, major, minor] = /cuda_?(\d\d)\.?(\d)?/.exec(said.build) ?? [];
  const built = major === undefined ? null : minor === undefined ? major : `${major}.${minor}`;
  if (code.length === 0) return undefined;
  const archs = [...new Set(code.flatMap((one) => one.archs))];
  return { name: normalised(said.name), version: said.version, cuda: built ?? leastOf(code), archs };
}

/** Undefined where it is none: whoever wrote it, it tells nothing. */
function condaRecord(
  text: string,
): { readonly name: string; readonly version: string; readonly build: string; readonly files: string[] } | undefined {
  let record: unknown;
  try {
    record = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { name, version, build, files } = (record ?? {}) as Record<string, unknown>;
  if (!isPlain(name) || !isPlain(version) || !Array.isArray(files)) return undefined;
  const paths = files.filter((file) => typeof file === "string");
  return { name, version, build: typeof build === "string" ? build : "", files: paths };
}

/** What may stand in a log's line. */
function isPlain(text: unknown): text is string {
  return typeof text === "string" && /^[\w.+!-]{1,100}$/.test(text);
}

/** They compile for the card that they find: their version tells which cards they know. */
const compilers: ReadonlySet<string> = new Set(["triton"]);

const sharedObject = /\.so(?:\.[\d.]+)?$/;

async function codeOf(folder: string, info: string, reading: Reading): Promise<readonly CudaCode[]> {
  const record = await textOf(join(folder, info, "RECORD"), reading.root);
  const paths = record.split("\n").map((line) => (line.split(",", 1)[0] ?? "").replaceAll('"', ""));
  return codeIn(
    paths.filter((path) => sharedObject.test(path)).map((path) => join(folder, path)),
    reading,
  );
}

async function codeIn(objects: readonly string[], reading: Reading): Promise<readonly CudaCode[]> {
  const found: CudaCode[] = [];
  for (const path of objects) {
    if (reading.objects >= objectsMax) {
      reading.whole = false;
      break;
    }
    reading.objects += 1;
    const code = await withFile(path, reading.root, (file) => readCudaCode(file, reading.signal));
    if (code) found.push(code);
  }
  return found;
}

/** As much of it as a record has; empty where there is none. */
async function textOf(path: string, root: string): Promise<string> {
  const text = await withFile(path, root, async (file) => {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(size, recordMaxBytes)));
    return buffer.toString("utf8", 0, bytesRead);
  });
  return text ?? "";
}

/**
 * `2.6.0+cu124` → `12.4`, `nvidia-cuda-runtime-cu12` 12.8.90 → `12.8`, `jax-cuda12-plugin` → `12`. Other packages of NVIDIA's say nothing
 * of their own: they come with the runtime.
 */
function cudaByName({ name, version }: Pick<CudaPackage, "name" | "version">): string | null {
  if (name.startsWith("nvidia-"))
    return /^nvidia-cuda-runtime(-cu\d+)?$/.test(name) ? (/^\d+\.\d+/.exec(version)?.[0] ?? null) : null;
  const [, local, localMinor] = /\+cu(?:da)?(\d\d)(\d?)/.exec(version) ?? [];
  if (local !== undefined) return localMinor === "" ? local : `${local}.${localMinor}`;
  return /(?:^|-)(?:cuda|cu)(\d\d)x?(?:-|$)/.exec(name)?.[1] ?? null;
}

/** Where a package brings its code for several, it takes the one that fits: so it needs no more than the oldest. */
function leastOf(code: readonly CudaCode[]): string | null {
  const known = code.flatMap(({ cuda }) => cuda ?? []);
  return known.reduce<string | null>((least, cuda) => (least === null || isOlder(cuda, least) ? cuda : least), null);
}

/**
 * An installed package chooses what lies there: only a plain file inside `root`, a real path, is read, and nothing is waited for.
 * Undefined where there is none.
 */
export async function withFile<T>(
  path: string,
  root: string,
  read: (file: FileHandle) => Promise<T>,
): Promise<T | undefined> {
  let file: FileHandle;
  try {
    const folder = await realpath(dirname(path));
    if (!isInside(folder, root)) return undefined;
    file = await open(join(folder, basename(path)), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (absent.includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
  try {
    return (await file.stat()).isFile() ? await read(file) : undefined;
  } finally {
    await file.close();
  }
}

function isInside(real: string, root: string): boolean {
  return `${real}${sep}`.startsWith(`${root}${sep}`);
}

/** Also what an image's author let nobody read. */
const absent = ["ENOENT", "ENOTDIR", "ELOOP", "ENXIO", "EACCES"];
