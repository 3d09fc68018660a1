/** Starts a program in a sandbox: from inside the namespaces that `stage.ts` made, so by a shim or a bench. */
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { bwrapOptions, etcOf, fds, rlimits, type Recipe } from "./recipe.ts";
import { seccompFilter, type Arch } from "./seccomp.ts";

export interface SandboxEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it could not even be started; null when it was. */
  readonly failure: string | null;
}

export interface Sandboxed {
  /** bubblewrap's outer process; its end is the sandbox's. */
  readonly child: ChildProcess;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** The sandbox's pid 1 as the host numbers it; undefined where it did not come to be. */
  readonly pid1: Promise<number | undefined>;
  readonly exited: Promise<SandboxEnd>;
}

/** bubblewrap ends with this where it could not make the sandbox; an app may too, but then it had a pid 1. */
const joinFailed = 125;
const signalBase = 128;
const signals: Readonly<Record<number, NodeJS.Signals>> = {
  1: "SIGHUP",
  2: "SIGINT",
  3: "SIGQUIT",
  4: "SIGILL",
  6: "SIGABRT",
  7: "SIGBUS",
  8: "SIGFPE",
  9: "SIGKILL",
  10: "SIGUSR1",
  11: "SIGSEGV",
  12: "SIGUSR2",
  13: "SIGPIPE",
  14: "SIGALRM",
  15: "SIGTERM",
  24: "SIGXCPU",
  25: "SIGXFSZ",
  31: "SIGSYS",
};
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Its groups first, then its limits, then bubblewrap: without any variable, since bubblewrap runs outside of what it makes. */
const begin = `for f in $GROUPS_TO_JOIN; do echo $$ > "$f/cgroup.procs" || exit ${joinFailed}; done; exec env -i /usr/bin/prlimit "$@"`;

/** Writes what every sandbox of this process shares, once: its `/etc` and its filter. */
export function prepareFiles(
  folder: string,
  hostname: string,
  arch: Arch = process.arch as Arch,
): { readonly etc: string; readonly filter: string } {
  const etc = join(folder, "etc");
  mkdirSync(etc, { recursive: true, mode: 0o755 });
  for (const [name, text] of Object.entries(etcOf(hostname))) writeFileSync(join(etc, name), text, { mode: 0o644 });
  const filter = join(folder, "filter.bpf");
  writeFileSync(filter, seccompFilter(arch), { mode: 0o600 });
  return { etc, filter };
}

export function startSandboxed(
  recipe: Recipe,
  options: { readonly filter: string; readonly cgroups: readonly string[] },
): Sandboxed {
  const filter = openSync(options.filter, "r");
  const child = spawn(
    "/bin/sh",
    [
      "-c",
      begin,
      "sh",
      ...rlimits(recipe.limits),
      "--",
      "/usr/bin/bwrap",
      "--args",
      String(fds.options),
      "--",
      ...recipe.argv,
    ],
    {
      cwd: "/",
      env: { PATH: path, GROUPS_TO_JOIN: options.cgroups.join(" ") },
      stdio: ["ignore", "pipe", "pipe", filter, "pipe", "pipe"],
      detached: true,
    },
  );
  closeSync(filter);
  const pipes: readonly unknown[] = child.stdio;
  const said = new StatusReader(pipes[fds.status] as Readable | null);
  giveOptions(pipes[fds.options] as Writable | null, bwrapOptions(recipe));
  const exited = new Promise<SandboxEnd>((resolve) => {
    child.once("error", (error) => resolve({ exitCode: null, signal: null, failure: error.message }));
    child.once("exit", (code, signal) => {
      void said.pid1.then((pid1) => resolve(endOf(code, signal, pid1)));
    });
  });
  return { child, stdout: child.stdout as Readable, stderr: child.stderr as Readable, pid1: said.pid1, exited };
}

function endOf(code: number | null, signal: NodeJS.Signals | null, pid1: number | undefined): SandboxEnd {
  if (pid1 === undefined) {
    const how =
      code === joinFailed ? "its cgroup could not be joined" : `bubblewrap ended with ${signal ?? `exit code ${code}`}`;
    return { exitCode: code, signal, failure: how };
  }
  // bubblewrap tells a death by signal n as exit code 128 + n, as shells do.
  const inner = code !== null && code > signalBase ? signals[code - signalBase] : undefined;
  if (inner !== undefined) return { exitCode: null, signal: inner, failure: null };
  return { exitCode: code, signal, failure: null };
}

/** Options and variables by a pipe: neither shows in any `/proc/PID/cmdline`. */
function giveOptions(pipe: Writable | null, options: readonly string[]): void {
  // bubblewrap that ended before it read them says so by its exit.
  pipe?.on("error", () => undefined);
  pipe?.end(options.map((option) => `${option}\0`).join(""));
}

/** Reads `{"child-pid": N}` of `--json-status-fd`. */
class StatusReader {
  readonly pid1: Promise<number | undefined>;

  constructor(pipe: Readable | null) {
    this.pid1 = new Promise((resolve) => {
      if (pipe === null) return resolve(undefined);
      let text = "";
      pipe.setEncoding("utf8");
      pipe.on("data", (chunk: string) => {
        if (text.length < statusMaxLength) text += chunk;
        const found = /"child-pid"\s*:\s*(\d+)/.exec(text);
        if (found) resolve(Number(found[1]));
      });
      pipe.once("close", () => resolve(undefined));
    });
  }
}

const statusMaxLength = 4_096;
