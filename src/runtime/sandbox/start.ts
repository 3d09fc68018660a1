/** Starts a program in a sandbox: from inside the namespaces that `stage.ts` made, so by a shim or a bench. */
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { linuxProcesses, signalName, type ProcessName } from "../processes.ts";
import { bubblewrapWay } from "./bubblewrap.ts";
import { crunWay, type Bundle } from "./crun.ts";
import { quoted } from "./quoted.ts";
import { etcOf, fds, type BuilderRecipe, type Recipe } from "./recipe.ts";
import { seccompFilter, type Arch, type Filtered } from "./seccomp.ts";
import type { SandboxDriver, Way } from "./way.ts";

export interface SandboxEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it could not even be started, in the failing program's words; null when it was. */
  readonly failure: string | null;
  /** It was the sandbox that could not be made, not the command in it. */
  readonly denied: boolean;
}

export interface Sandboxed {
  /** The outermost process; its end is the sandbox's. */
  readonly child: ChildProcess;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** The sandbox's pid 1 as the host numbers it; undefined where it did not come to be. */
  readonly pid1: Promise<number | undefined>;
  readonly exited: Promise<SandboxEnd>;
}

/** Our own part of the way in ends with this; an app may too, but then its sandbox had begun. */
const joinFailed = 125;
/** What the failing program said last is kept for the end's sentence. */
const saidMaxLength = 2_000;
const signalBase = 128;
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Where the first process reads what to become. */
const commandFd = 6;
/**
 * Its groups first: the kernel takes ten milliseconds and more for that, in which the rest is prepared. Then what makes the sandbox,
 * without any variable, since that runs outside of what it makes.
 */
const begin = `for f in $GROUPS_TO_JOIN; do echo $$ > "$f/cgroup.procs" || exit ${joinFailed}; done
command=
while IFS= read -r line <&${commandFd}; do command="$command$line
"; done
exec ${commandFd}<&-
[ -n "$command" ] || exit 0
eval "exec env -i $command"`;

/** What every sandbox of one process shares. */
export interface SandboxFiles {
  readonly etc: string;
  readonly filter: string;
  /** An empty folder. */
  readonly bundle: string;
}

/** Where they lie in a folder. */
export function sandboxFiles(folder: string): SandboxFiles {
  return { etc: join(folder, "etc"), filter: join(folder, "filter.bpf"), bundle: join(folder, "bundle") };
}

/** Writes them, once. */
export function prepareFiles(folder: string, hostname: string, of: Filtered = "command"): SandboxFiles {
  const files = sandboxFiles(folder);
  prepareFilter(files, of);
  prepareFolders(files, hostname);
  return files;
}

/** What the first process of a sandbox is given. */
export function prepareFilter({ filter }: SandboxFiles, of: Filtered = "command"): void {
  writeFileSync(filter, seccompFilter(process.arch as Arch, of), { mode: 0o600 });
}

/** What is only needed when it becomes one. */
export function prepareFolders({ etc, bundle }: SandboxFiles, hostname: string): void {
  for (const made of [etc, bundle]) mkdirSync(made, { recursive: true, mode: 0o755 });
  for (const [name, text] of Object.entries(etcOf(hostname))) writeFileSync(join(etc, name), text, { mode: 0o644 });
}

export interface StartOptions extends Omit<SandboxFiles, "etc"> {
  readonly driver: SandboxDriver;
  readonly cgroups: readonly string[];
  /** The command that takes another into the namespaces where this runs otherwise; absent: this process is there. */
  readonly through?: (argv: readonly string[]) => readonly [string, ...string[]];
}

/** A sandbox that is on its way: what it is to be may be said later. It ends by itself where nobody says it. */
export interface BegunSandbox {
  /** Once. */
  run(recipe: Recipe | BuilderRecipe): Sandboxed;
  /** Nothing is to run. */
  abandon(): void;
}

export function startSandboxed(recipe: Recipe | BuilderRecipe, options: StartOptions): Sandboxed {
  return beginSandbox(options).run(recipe);
}

export function beginSandbox(options: StartOptions): BegunSandbox {
  const { cgroups, through = ([first = "", ...rest]) => [first, ...rest] } = options;
  const [command, ...rest] = through(["/bin/sh", "-c", begin]);
  const filter = openSync(options.filter, "r");
  const child = spawn(command, rest, {
    cwd: "/",
    env: { PATH: path, GROUPS_TO_JOIN: cgroups.join(" ") },
    stdio: ["ignore", "pipe", "pipe", filter, "pipe", "pipe", "pipe"],
    detached: true,
  });
  closeSync(filter);
  const pipes: readonly unknown[] = child.stdio;
  const status = new Status(pipes[fds.status] as Readable | null);
  let said = "";
  const heardOut = new Promise<void>((resolve) => child.stderr?.once("close", resolve));
  child.stderr?.on("data", (bytes: Buffer) => (said = (said + bytes.toString()).slice(-saidMaxLength)));
  const over = new Promise<Error | readonly [number | null, NodeJS.Signals | null]>((resolve) => {
    child.once("error", resolve);
    child.once("exit", (code, signal) => {
      const heard = Promise.all([status.closed, heardOut]);
      void Promise.race([heard, delay(statusWithinMs, undefined, { ref: false })]).then(() => resolve([code, signal]));
    });
  });
  const give = (fd: number, text: string): void => giveText(pipes[fd] as Writable | null, text);
  return {
    abandon: () => give(commandFd, ""),
    run(recipe) {
      const way = wayOf(options.driver, recipe, { filter: readFileSync(options.filter), at: options.bundle });
      give(commandFd, `${way.argv.map(quoted).join(" ")}\n`);
      give(fds.options, way.options);
      const exited = over.then((how): SandboxEnd => {
        if (how instanceof Error) return { exitCode: null, signal: null, failure: how.message, denied: true };
        return endOf(...how, way, status.text, said);
      });
      const pid1 = untilThere(child, way, status);
      return { child, stdout: child.stdout as Readable, stderr: child.stderr as Readable, pid1, exited };
    },
  };
}

export function wayOf(driver: SandboxDriver, recipe: Recipe | BuilderRecipe, bundle: Bundle): Way {
  return driver === "crun" ? crunWay(recipe, bundle) : bubblewrapWay(recipe);
}

function endOf(code: number | null, signal: NodeJS.Signals | null, way: Way, status: string, said: string): SandboxEnd {
  // What makes a sandbox tells a death by signal n as exit code 128 + n, as shells do.
  const inner = code !== null && code > signalBase ? signalName(code - signalBase) : undefined;
  if (inner !== undefined) return { exitCode: null, signal: inner, failure: null, denied: false };
  const words = said.trim().split("\n").at(-1) ?? "";
  const command = code === 0 || signal !== null ? undefined : way.notFound(status, words);
  if (command !== undefined) return { exitCode: code, signal, failure: command, denied: false };
  if (way.began(status) || signal !== null) return { exitCode: code, signal, failure: null, denied: false };
  const why = way.complaint(status) ?? words;
  const how = code === joinFailed ? "a cgroup could not be joined" : `${way.driver} ended with exit code ${code}`;
  return { exitCode: code, signal, failure: why === "" ? how : `${how}: ${why}`, denied: true };
}

/** Command, options and variables by pipes: they show in no `/proc/PID/cmdline`. */
function giveText(pipe: Writable | null, text: string): void {
  // Who ended before it read them says so by its exit.
  pipe?.on("error", () => undefined);
  pipe?.end(text);
}

/** Resolves with the sandbox's pid 1 when it is there; undefined where all ended before. */
async function untilThere(child: ChildProcess, way: Way, status: Status): Promise<number | undefined> {
  if (child.pid === undefined) return undefined;
  const maker: ProcessName = { pid: child.pid, start: linuxProcesses().stat(child.pid)?.start ?? "" };
  for (let waited = 0; ; waited += lookEveryMs) {
    const found = way.pid1(status.text, maker);
    if (found !== undefined || status.isClosed) return found;
    if (waited > thereWithinMs) child.kill("SIGKILL");
    await Promise.race([status.changed(), delay(lookEveryMs)]);
  }
}

/** What makes the sandbox says on its status pipe. */
class Status {
  readonly closed: Promise<void>;
  isClosed = false;
  text = "";
  #changed = Promise.withResolvers<void>();

  constructor(pipe: Readable | null) {
    const closed = Promise.withResolvers<void>();
    this.closed = closed.promise;
    const end = (): void => {
      this.isClosed = true;
      this.#tell();
      closed.resolve();
    };
    pipe?.setEncoding("utf8");
    pipe?.on("data", (chunk: string) => {
      if (this.text.length < statusMaxLength) this.text += chunk;
      this.#tell();
    });
    pipe?.on("error", end);
    pipe?.once("close", end);
    if (pipe === null) end();
  }

  /** Resolves when more has come, or the pipe is closed. */
  changed(): Promise<void> {
    return this.#changed.promise;
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

const statusMaxLength = 4_096;
/** Its last word is in the pipe before it ends. */
const statusWithinMs = 1_000;
const lookEveryMs = 3;
/** A tenth of a second on an idle machine; one that takes longer than this hangs. */
const thereWithinMs = 15_000;
