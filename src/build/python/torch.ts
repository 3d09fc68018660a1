/**
 * What an environment's torch was compiled for, read from its files: importing it takes seconds, and would run what the app brought.
 *
 *   torch/version.py                  `__version__ = '2.1.2+cu121'`, `cuda = '12.1'` (in newer ones `cuda: Optional[str] = '12.1'`)
 *   torch/lib/libtorch_python.so      the text behind `torch.cuda.get_arch_list()`: torch/csrc/cuda/Module.cpp compiles the list in as one
 *                                     string, `sm_50 sm_80 sm_90 compute_90`
 */
import { constants } from "node:fs";
import { open, readdir, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { TorchFacts } from "../runtime-contract.ts";

const versionMaxBytes = 16 << 10;
/** It has some 20 to 40 MB; one that is much larger is not what we know. */
const libraryMaxBytes = 256 << 20;
const chunkBytes = 1 << 20;
/** Longer than any list of architectures. */
const overlap = 1 << 10;
/** Between two zero bytes, as C keeps its strings. The longest is the list: single names may be constants of something else. */
const archList = /\0((?:(?:sm|compute)_\d{2,3}[af]?)(?: (?:sm|compute)_\d{2,3}[af]?)*)(?=\0)/g;

/** Null where the environment has no torch. Rejects where its files cannot be read. */
export async function readTorch(environment: string): Promise<TorchFacts | null> {
  const folder = await torchIn(environment);
  if (folder === undefined) return null;
  const text = await withFile(join(folder, "version.py"), async (file) => {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(versionMaxBytes), 0, versionMaxBytes, 0);
    return buffer.toString("utf8", 0, bytesRead);
  });
  const version = /^__version__(?:: \w+)? = '([^']+)'/m.exec(text ?? "")?.[1];
  if (text === undefined || version === undefined) return null;
  const cuda = /^cuda(?:: [^=]+)? = '([^']+)'/m.exec(text)?.[1] ?? null;
  const library = join(folder, "lib", "libtorch_python.so");
  return { version, cuda, archs: cuda === null ? [] : ((await withFile(library, archsIn)) ?? []) };
}

async function torchIn(environment: string): Promise<string | undefined> {
  const lib = join(environment, "lib");
  const python = (await readdir(lib)).find((name) => /^python3\.\d+$/.test(name));
  if (python === undefined) return undefined;
  const packages = join(lib, python, "site-packages");
  return (await readdir(packages)).includes("torch") ? join(packages, "torch") : undefined;
}

async function archsIn(file: FileHandle): Promise<readonly string[]> {
  const { size } = await file.stat();
  const buffer = Buffer.alloc(chunkBytes + overlap);
  let longest = "";
  for (let from = 0; from < Math.min(size, libraryMaxBytes); from += chunkBytes) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, from);
    for (const [, list = ""] of buffer.toString("latin1", 0, bytesRead).matchAll(archList))
      if (list.length > longest.length) longest = list;
  }
  return longest === "" ? [] : longest.split(" ");
}

/** An installed package chooses what lies there: only a plain file is read, and nothing is waited for. Undefined where there is none. */
async function withFile<T>(path: string, read: (file: FileHandle) => Promise<T>): Promise<T | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ELOOP", "ENXIO"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
  try {
    return (await file.stat()).isFile() ? await read(file) : undefined;
  } finally {
    await file.close();
  }
}
