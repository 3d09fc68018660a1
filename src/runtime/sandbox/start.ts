/** Starts a program in a sandbox: from inside the namespaces that `stage.ts` made, so by a shim or a bench. */
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { signalName } from "../processes.ts";
import { builderOptions, bwrapOptions, etcOf, fds, rlimits, type BuilderRecipe, type Recipe } from "./recipe.ts";
import { seccompFilter, type Arch, type Filtered } from "./seccomp.ts";

export interface SandboxEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it could not even be started, in the failing program's words; null when it was. */
  readonly failure: string | null;
  /** It was the sandbox that could not be made, not the command in it. */
  readonly denied: boolean;
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

/** Our own part of the way in ends with this; an app may too, but then bubblewrap had begun. */
const joinFailed = 125;
/** What the failing program said last is kept for the end's sentence. */
const saidMaxLength = 2_000;
const signalBase = 128;
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Its groups first, then its limits, then bubblewrap: without any variable, since bubblewrap runs outside of what it makes. */
const begin = `for f in $GROUPS_TO_JOIN; do echo $$ > "$f/cgroup.procs" || exit ${joinFailed}; done; exec env -i /usr/bin/prlimit "$@"`;

/** Writes what every sandbox of this process shares, once: its `/etc` and its filter. */
export function prepareFiles(
  folder: string,
  hostname: string,
  of: Filtered = "command",
): { readonly etc: string; readonly filter: string } {
  const etc = join(folder, "etc");
  mkdirSync(etc, { recursive: true, mode: 0o755 });
  for (const [name, text] of Object.entries(etcOf(hostname))) writeFileSync(join(etc, name), text, { mode: 0o644 });
  const filter = join(folder, "filter.bpf");
  writeFileSync(filter, seccompFilter(process.arch as Arch, of), { mode: 0o600 });
  return { etc, filter };
}

export function startSandboxed(
  recipe: Recipe | BuilderRecipe,
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
  const status = new StatusReader(pipes[fds.status] as Readable | null);
  let said = "";
  const heardOut = new Promise<void>((resolve) => child.stderr?.once("close", resolve));
  child.stderr?.on("data", (bytes: Buffer) => (said = (said + bytes.toString()).slice(-saidMaxLength)));
  const bwrap = "containers" in recipe ? builderOptions(recipe) : bwrapOptions(recipe);
  giveOptions(pipes[fds.options] as Writable | null, bwrap);
  const exited = new Promise<SandboxEnd>((resolve) => {
    child.once("error", (error) => resolve({ exitCode: null, signal: null, failure: error.message, denied: true }));
    child.once("exit", (code, signal) => {
      const heard = Promise.all([status.closed, heardOut]);
      void Promise.race([heard, delay(statusWithinMs, undefined, { ref: false })]).then(() =>
        resolve(endOf(code, signal, status.began, said)),
      );
    });
  });
  return { child, stdout: child.stdout as Readable, stderr: child.stderr as Readable, pid1: status.pid1, exited };
}

function endOf(code: number | null, signal: NodeJS.Signals | null, began: boolean, said: string): SandboxEnd {
  // bubblewrap tells a death by signal n as exit code 128 + n, as shells do.
  const inner = code !== null && code > signalBase ? signalName(code - signalBase) : undefined;
  if (inner !== undefined) return { exitCode: null, signal: inner, failure: null, denied: false };
  if (began || signal !== null) return { exitCode: code, signal, failure: null, denied: false };
  const words = said.trim().split("\n").at(-1) ?? "";
  const command = /^bwrap: execvp (.+)$/.exec(words);
  if (command) return { exitCode: code, signal, failure: command[1] as string, denied: false };
  const how = code === joinFailed ? "a cgroup could not be joined" : `bubblewrap ended with exit code ${code}`;
  return { exitCode: code, signal, failure: words === "" ? how : `${how}: ${words}`, denied: true };
}

/** Options and variables by a pipe: neither shows in any `/proc/PID/cmdline`. */
function giveOptions(pipe: Writable | null, options: readonly string[]): void {
  // bubblewrap that ended before it read them says so by its exit.
  pipe?.on("error", () => undefined);
  pipe?.end(options.map((option) => `${option}\0`).join(""));
}

/**
 * Reads `--json-status-fd`: `{"child-pid": N}` before anything is mounted, and `{"exit-code": N}` at the end, if the command was
 * begun at all.
 */
class StatusReader {
  readonly pid1: Promise<number | undefined>;
  readonly closed: Promise<void>;
  #text = "";

  constructor(pipe: Readable | null) {
    const pid1 = Promise.withResolvers<number | undefined>();
    const closed = Promise.withResolvers<void>();
    this.pid1 = pid1.promise;
    this.closed = closed.promise;
    const end = (): void => {
      pid1.resolve(undefined);
      closed.resolve();
    };
    pipe?.setEncoding("utf8");
    pipe?.on("data", (chunk: string) => {
      if (this.#text.length < statusMaxLength) this.#text += chunk;
      const found = /"child-pid"\s*:\s*(\d+)/.exec(this.#text);
      if (found) pid1.resolve(Number(found[1]));
    });
    pipe?.on("error", end);
    pipe?.once("close", end);
    if (pipe === null) end();
  }

  /** The command was begun and has ended. */
  get began(): boolean {
    return this.#text.includes('"exit-code"');
  }
}

const statusMaxLength = 4_096;
/** Its last word is in the pipe before it ends. */
const statusWithinMs = 1_000;
