/**
 * The files of the cards' driver: libraries that fit one driver only, so that no image can bring them, and its programs. What the loader's
 * cache lists (ldconfig(8)), or what lies in a folder that the operator names.
 */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

/** A file of the machine, and the name by which programs look for it. */
export interface DriverFile {
  readonly name: string;
  readonly path: string;
}

/** Those that a container of NVIDIA's toolkit is given; not the toolkit's own, which is for whoever makes containers. */
const library =
  /^lib(?:cuda|cudadebugger|nvcuvid|nvoptix|nvidia-(?!container)[a-z0-9-]+|GLX_nvidia|EGL_nvidia)\.so(?:\.[0-9.]+)?$/;
const programs = ["nvidia-smi"];
const programFolders = ["/usr/bin", "/usr/local/bin"];
const loader = ["/sbin/ldconfig", "/usr/sbin/ldconfig"];
/** It reads one file. */
const listWithinMs = 10_000;
const listMaxBytes = 8 << 20;
/** As `ldconfig -p` marks what this machine's own programs load. */
const native: Partial<Record<NodeJS.Architecture, string>> = { x64: "x86-64", arm64: "AArch64" };

/** None where the machine has no such driver. `folder`: the operator's, null: the loader's cache is asked. */
export async function driverFiles(folder: string | null): Promise<readonly DriverFile[]> {
  const listed = folder === null ? await listedByLoader() : inFolder(folder);
  const folders = folder === null ? programFolders : [folder, join(folder, "bin")];
  const found = programs.flatMap((name) => {
    const path = folders.map((one) => join(one, name)).find((one) => existsSync(one));
    return path === undefined ? [] : [{ name, path: realpathSync(path) }];
  });
  return listed.length === 0 ? [] : [...listed, ...found];
}

async function listedByLoader(): Promise<readonly DriverFile[]> {
  const ldconfig = loader.find((path) => existsSync(path));
  if (ldconfig === undefined) return [];
  const { stdout } = await promisify(execFile)(ldconfig, ["-p"], { timeout: listWithinMs, maxBuffer: listMaxBytes });
  return driverLibraries(stdout, process.arch).filter(({ path }) => existsSync(path));
}

/** `	libcuda.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libcuda.so.1`; the first of a name is what is loaded. */
export function driverLibraries(listed: string, arch: NodeJS.Architecture): readonly DriverFile[] {
  const found = new Map<string, string>();
  for (const line of listed.split("\n")) {
    const [, name = "", kind = "", path = ""] = /^\s+(\S+) \(([^)]*)\) => (\/\S.*)$/.exec(line) ?? [];
    const isNative = kind.split(/,\s*/).includes(native[arch] ?? "");
    if (library.test(name) && isNative && !found.has(name)) found.set(name, path);
  }
  return [...found].map(([name, path]) => ({ name, path }));
}

function inFolder(folder: string): readonly DriverFile[] {
  return readdirSync(folder)
    .filter((name) => library.test(name) && existsSync(join(folder, name)))
    .map((name) => ({ name, path: realpathSync(join(folder, name)) }));
}
