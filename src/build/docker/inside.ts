/** Files of an unpacked image, looked up as a program inside would: its links lead nowhere but within it. */
import { constants } from "node:fs";
import { lstat, open, readlink } from "node:fs/promises";
import { join, posix } from "node:path";

/** As many as the kernel follows (path_resolution(7)). */
const linksMax = 40;
/** An ELF header, or the first line of a script. */
const headBytes = 256;
/** A list of users is a page. */
const smallMaxBytes = 1 << 20;
/** `e_machine` of ELF headers (elf.h), by Go's names. */
const machines: Readonly<Record<number, string>> = { 3: "386", 40: "arm", 62: "amd64", 183: "arm64", 243: "riscv64" };

/** The path on this machine of a path inside, every link of it followed inside; undefined where there is nothing. */
export async function resolveInside(root: string, path: string): Promise<string | undefined> {
  let left = path.split("/");
  let at = "/";
  for (let links = 0; left.length > 0;) {
    const [name = "", ...rest] = left;
    left = rest;
    if (name === "" || name === ".") continue;
    if (name === "..") {
      at = posix.dirname(at);
      continue;
    }
    const next = posix.join(at, name);
    const found = await lstat(join(root, next)).catch(absent);
    if (found === undefined) return undefined;
    if (found.isSymbolicLink()) {
      links += 1;
      if (links > linksMax) return undefined;
      const target = await readlink(join(root, next));
      if (target.startsWith("/")) at = "/";
      left = [...target.split("/"), ...left];
    } else at = next;
  }
  return join(root, at);
}

/** The text of a small file inside; empty where there is none. */
export async function readInside(root: string, path: string): Promise<string> {
  const found = await resolveInside(root, path);
  if (found === undefined || !(await lstat(found)).isFile()) return "";
  return (await head(found, smallMaxBytes)).toString("utf8");
}

export type Program =
  | { readonly ok: true }
  | { readonly ok: false; readonly why: "missing" | "not-executable" | "wrong-arch"; readonly says: string };

/** Whether a command's program can be started in an image whose PATH and working folder these are, on an architecture by Go's name. */
export async function findProgram(
  root: string,
  program: string,
  { path, workdir, arch }: { readonly path: string; readonly workdir: string; readonly arch: string },
): Promise<Program> {
  const places = program.includes("/")
    ? [posix.resolve(workdir, program)]
    : path.split(":").map((folder) => posix.resolve(workdir, folder, program));
  const found: string[] = [];
  for (const place of places) {
    const file = await resolveInside(root, place);
    if (file !== undefined && (await lstat(file)).isFile()) found.push(file);
  }
  if (found.length === 0)
    return {
      ok: false,
      why: "missing",
      says: `the image has no ${program}${program.includes("/") ? "" : ` in its PATH ${path}`}`,
    };
  const [file] = await executable(found);
  if (file === undefined)
    return {
      ok: false,
      why: "not-executable",
      says: `${program} in the image is not executable: RUN chmod +x, or name what runs it`,
    };
  const start = await head(file, headBytes);
  const machine = start.subarray(0, 4).toString("latin1") === "\x7fELF" ? start.readUInt16LE(18) : undefined;
  const made = machine === undefined ? arch : (machines[machine] ?? `machine ${machine}`);
  if (made !== arch)
    return {
      ok: false,
      why: "wrong-arch",
      says: `${program} in the image is a program for ${made}, and this node is ${arch}`,
    };
  const interpreter = /^#![ \t]*(\S+)/.exec(start.toString("latin1"))?.[1];
  if (interpreter !== undefined && (await resolveInside(root, interpreter)) === undefined)
    return {
      ok: false,
      why: "missing",
      says: `${program} begins with #!${interpreter}, which the image does not have`,
    };
  return { ok: true };
}

async function executable(files: readonly string[]): Promise<readonly string[]> {
  const modes = await Promise.all(files.map(async (file) => ({ file, mode: (await lstat(file)).mode })));
  return modes.filter(({ mode }) => (mode & 0o111) !== 0).map(({ file }) => file);
}

async function head(file: string, bytes: number): Promise<Buffer> {
  const opened = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const buffer = Buffer.alloc(bytes);
    const { bytesRead } = await opened.read(buffer, 0, bytes, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await opened.close();
  }
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (["ENOENT", "ENOTDIR"].includes(String(error.code))) return undefined;
  throw error;
}
