/**
 * What an environment's torch was compiled for, read from its files: importing it takes seconds, and would run what the app brought.
 *
 *   torch/version.py                  `__version__ = '2.1.2+cu121'`, `cuda = '12.1'` (in newer ones `cuda: Optional[str] = '12.1'`)
 *   torch/lib/libtorch_python.so      the text behind `torch.cuda.get_arch_list()`: torch/csrc/cuda/Module.cpp compiles the list in as one
 *                                     string, `sm_50 sm_80 sm_90 compute_90`
 */
import { readdir, realpath, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { withFile } from "../cuda/installed.ts";
import type { TorchFacts } from "../runtime-contract.ts";

const versionMaxBytes = 16 << 10;
/** It has some 20 to 40 MB; one that is much larger is not what we know. */
const libraryMaxBytes = 256 << 20;
const chunkBytes = 1 << 20;
/** Longer than any list of architectures. */
const overlap = 1 << 10;
/** Between two zero bytes, as C keeps its strings. The longest is the list: single names may be constants of something else. */
const archList = /\0((?:(?:sm|compute)_\d{2,3}[af]?)(?: (?:sm|compute)_\d{2,3}[af]?)*)(?=\0)/g;

/** Null where the packages have no torch. `packages` is a `site-packages` inside `environment`. Rejects where its files cannot be read. */
export async function readTorch(packages: string, environment: string): Promise<TorchFacts | null> {
  const root = await realpath(environment);
  const folder = join(packages, "torch");
  const text = await withFile(join(folder, "version.py"), root, async (file) => {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(versionMaxBytes), 0, versionMaxBytes, 0);
    return buffer.toString("utf8", 0, bytesRead);
  });
  const version = /^__version__(?:: \w+)? = '([^']+)'/m.exec(text ?? "")?.[1];
  if (text === undefined || version === undefined) return null;
  const cuda = /^cuda(?:: [^=]+)? = '([^']+)'/m.exec(text)?.[1] ?? null;
  const library = join(folder, "lib", "libtorch_python.so");
  return { version, cuda, archs: cuda === null ? [] : ((await withFile(library, root, archsIn)) ?? []) };
}

/** The `site-packages` of a virtual environment: one, or none. */
export async function packagesIn(environment: string): Promise<readonly string[]> {
  const lib = join(environment, "lib");
  const python = (await readdir(lib)).find((name) => /^python3\.\d+$/.test(name));
  return python === undefined ? [] : [join(lib, python, "site-packages")];
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
