/**
 * Files that whoever started us left open and that nobody here knows of. Node closes a few such numbers for the programs that it
 * starts, not all; one that got through would be open in every app.
 */
import { closeSync, existsSync, readFileSync, readdirSync } from "node:fs";

/** O_CLOEXEC of asm-generic/fcntl.h: Node opens its own files with it. */
const closeOnExec = 0o2000000;

/** Closes what would be inherited, but for the three standard streams and `keep`. Called first thing in a process; does nothing without /proc. */
export function closeInheritedFiles(keep: readonly number[] = []): void {
  if (!existsSync("/proc/self/fd")) return;
  for (const name of readdirSync("/proc/self/fd")) {
    const fd = Number(name);
    if (fd <= 2 || keep.includes(fd) || !isInherited(name)) continue;
    closeSync(fd);
  }
}

function isInherited(name: string): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, "latin1"))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0;
  } catch (error) {
    // The folder that was being read: it is closed by now.
    if (["ENOENT", "EBADF"].includes(String((error as NodeJS.ErrnoException).code))) return false;
    throw error;
  }
}
