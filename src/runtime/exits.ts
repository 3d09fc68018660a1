/**
 * How a process ended, told by the kernel also to one who is not its parent and asks when the parent has reaped it: a pidfd that
 * was opened while it lived answers PIDFD_GET_INFO (linux/pidfd.h, since Linux 6.15). It is reached through `node:ffi`.
 */
import type { ProcessName, Processes } from "./processes.ts";

export interface ExitWatch {
  /** As waitpid(2) would give it; null while it lives, and where the kernel does not tell. */
  waitStatus(): number | null;
  close(): void;
}

export interface Exits {
  /** Null where this machine has no such thing, or the process is gone already. */
  watch(name: ProcessName): ExitWatch | null;
}

/** `_IOWR(0xff, 11, struct pidfd_info)`, with the struct's first published size. */
const getInfo = 0xc0_40_ff_0bn;
const infoBytes = 64;
const infoExit = 1n << 3n;
const exitCodeAt = 60;
const nobody: Exits = { watch: () => null };

/** Tells of nothing where Node was started without its flag, the C library is another, or the kernel is older. */
export function openExits(processes: Processes): Exits {
  let opened: Exits | undefined;
  // At the first worker, and not before the app: Node builds a function for each of the library's.
  return { watch: (name) => (opened ??= openLibrary(processes)).watch(name) };
}

function openLibrary(processes: Processes): Exits {
  const ffi = process.platform === "linux" ? process.getBuiltinModule("node:ffi") : undefined;
  if (ffi === undefined) return nobody;
  try {
    const { functions } = ffi.dlopen("libc.so.6", {
      pidfd_open: { arguments: ["i32", "u32"], return: "i32" },
      ioctl: { arguments: ["i32", "u64", "buffer"], return: "i32" },
      close: { arguments: ["i32"], return: "i32" },
    });
    const watch = ({ pid, start }: ProcessName): ExitWatch | null => {
      const fd = functions.pidfd_open(pid, 0);
      if (fd < 0) return null;
      const close = (): void => void functions.close(fd);
      if (processes.stat(pid)?.start !== start) return (close(), null);
      return { waitStatus: () => waitStatusOf((info) => functions.ioctl(fd, getInfo, info)), close };
    };
    return { watch };
  } catch {
    return nobody; // No such library or function: how a worker ended is then seen only while it is a zombie.
  }
}

function waitStatusOf(ask: (info: Buffer) => number): number | null {
  const info = Buffer.alloc(infoBytes);
  info.writeBigUInt64LE(infoExit);
  if (ask(info) !== 0) return null;
  return (info.readBigUInt64LE() & infoExit) === 0n ? null : info.readInt32LE(exitCodeAt);
}
