/**
 * The packages of a Python environment that bring code for cards: found by what was installed, read from their shared objects'
 * headers. None is imported, which would take seconds and run what the app brought.
 *
 *   NAME-VERSION.dist-info/RECORD     a line `path,hash,size` for each file of the package ("Recording installed projects", PyPA)
 */
import { constants } from "node:fs";
import { open, readdir, realpath, type FileHandle } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import type { CudaPackage } from "../../contract/release.ts";
import { readCudaCode, type CudaCode } from "./code.ts";
import { isOlder } from "./toolkits.ts";

/** torch's, the longest that we know, has 1.5 MB. */
const recordMaxBytes = 8 << 20;
/** A large environment has 400 packages and 2 000 shared objects. */
const packagesMax = 5_000;
const objectsMax = 20_000;

/** What was found, and whether all could be looked at: a bound or `signal` may have come before. */
export interface FoundPackages {
  readonly packages: readonly CudaPackage[];
  readonly whole: boolean;
}

/** Sorted by name. `folder` is a `site-packages` inside `root`, which nothing that is read may lie outside of. */
export async function readPackages(folder: string, root: string, signal: AbortSignal): Promise<FoundPackages> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".dist-info")).sort();
  const packages: CudaPackage[] = [];
  const reading = { root: await realpath(root), signal, objects: 0 };
  try {
    for (const name of names.slice(0, packagesMax)) {
      const found = await readPackage(folder, name, reading);
      if (found) packages.push(found);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    return { packages, whole: false };
  }
  return { packages, whole: names.length <= packagesMax && reading.objects < objectsMax };
}

interface Reading {
  readonly root: string;
  readonly signal: AbortSignal;
  objects: number;
}

async function readPackage(folder: string, info: string, reading: Reading): Promise<CudaPackage | undefined> {
  const [, name = "", version = ""] = /^(.+?)-([^-]+)\.dist-info$/.exec(info) ?? [];
  const called = { name: name.toLowerCase().replaceAll(/[-_.]+/g, "-"), version };
  // The toolkit's own libraries: they fit what was compiled against them.
  const code = called.name.startsWith("nvidia-") ? [] : await codeIn(folder, info, reading);
  const cuda = cudaByName(called) ?? leastOf(code);
  if (code.length === 0 && cuda === null && !compilers.has(called.name)) return undefined;
  return { ...called, cuda, archs: [...new Set(code.flatMap(({ archs }) => archs))] };
}

/** They compile for the card that they find: their version tells which cards they know. */
const compilers: ReadonlySet<string> = new Set(["triton"]);

async function codeIn(folder: string, info: string, reading: Reading): Promise<readonly CudaCode[]> {
  const record = await withFile(join(folder, info, "RECORD"), reading.root, async (file) => {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(size, recordMaxBytes)));
    return buffer.toString("utf8", 0, bytesRead);
  });
  const found: CudaCode[] = [];
  for (const [, path = ""] of (record ?? "").matchAll(/^"?([^",\n]+\.so(?:\.[\d.]+)?)"?,/gm)) {
    if (reading.objects >= objectsMax) break;
    reading.objects += 1;
    const code = await withFile(join(folder, path), reading.root, (file) => readCudaCode(file, reading.signal));
    if (code) found.push(code);
  }
  return found;
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
    if (!`${folder}${sep}`.startsWith(`${root}${sep}`)) return undefined;
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

const absent = ["ENOENT", "ENOTDIR", "ELOOP", "ENXIO"];
