/** The seam between starting a program in a sandbox and the program that makes the sandbox: one implementation for each driver. */
import type { ProcessName } from "../processes.ts";

/** What makes sandboxes here: bubblewrap, or crun, the program with which podman runs containers. */
export type SandboxDriver = "bubblewrap" | "crun";

/** How one sandbox is made, for one command in it. */
export interface Way {
  readonly driver: SandboxDriver;
  /** Started without any variable, and with the files of `fds`: it runs outside of what it makes. */
  readonly argv: readonly string[];
  /** What it reads from its pipe for options: they show in no `/proc/PID/cmdline`. */
  readonly options: string;
  /** The sandbox's pid 1 as the host numbers it; undefined while it is not there. `maker` is the process that `argv` started. */
  pid1(status: string, maker: ProcessName): number | undefined;
  /** By all that came on the status pipe: the command was begun, or what was to begin it. */
  began(status: string): boolean;
  /** The sandbox was made and its command could not be started: why, by the last line on standard error. */
  notFound(status: string, lastWords: string): string | undefined;
  /** Why no sandbox was made, by the status pipe; undefined where standard error alone tells. */
  complaint(status: string): string | undefined;
}
