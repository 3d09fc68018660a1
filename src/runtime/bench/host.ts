/** The agent's end of a build's bench: starts it in namespaces of its own, has it run commands, and ends it. */
import { spawn, type ChildProcess } from "node:child_process";
import { chownSync, mkdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { assert } from "../../stdx/assert.ts";
import { readFrames, writeFrame } from "../frames.ts";
import { packageOf } from "../shim-program.ts";
import { endAll, linuxProcesses, members } from "../processes.ts";
import { hostCommand, mapUsers } from "../sandbox/stage.ts";
import { lineFd, type BenchPlan, type FromBench, type RunEnd, type ToBench } from "./messages.ts";

export interface BenchHost {
  readonly nodePath: string;
  /** The bench's entry module: `main/bench.ts`, or `main/bench.js` where the program is compiled. */
  readonly benchEntry: string;
  readonly compileCache: string;
}

export interface BenchOptions {
  readonly plan: BenchPlan;
  /** The user that commands are outside, or where they make images the first of their many; null: the agent's own. */
  readonly hostUid: number | null;
  /** For the build's log. */
  note(text: string): void;
}

export interface BenchRun {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly onOutput: (stream: "out" | "err", bytes: Uint8Array) => void;
}

export interface SandboxBench {
  /** Resolves when the command and all that it started have ended. Rejects with {@link BenchLost}. */
  run(command: BenchRun): Promise<RunEnd & { readonly aborted: boolean }>;
  /** Lays unpacked Debian packages over the machine's own, for all commands from now on; says why that could not be, else null. */
  lay(packages: string): Promise<string | null>;
  /** Ends what still runs, and the bench. */
  close(): Promise<void>;
}

/** The bench ended, or could not be made (`denied`); the message ends with its last words. */
export class BenchLost extends Error {
  override readonly name = "BenchLost";
  readonly denied: boolean;

  constructor(message: string, denied: boolean) {
    super(message);
    this.denied = denied;
  }
}

/** What keeps it small, as a shim. */
const flags = ["--max-semi-space-size=1", "--max-old-space-size=64"];
/** Half a second on an idle machine. */
const readyWithinMs = 15_000;
/** A command's end is one signal; what takes longer is the kernel's affair, and ends with the bench. */
const endWithinMs = 10_000;
const saidMaxLength = 2_000;
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Resolves when the bench's network is there. Rejects with {@link BenchLost}. */
export async function openBench(options: BenchOptions, host: BenchHost): Promise<SandboxBench> {
  const { plan, hostUid } = options;
  mkdirSync(plan.folder, { recursive: true, mode: 0o700 });
  if (hostUid !== null) chownSync(plan.folder, hostUid, hostUid);
  const bench = new HostedBench(startBench(options, host), options);
  try {
    await bench.open();
  } catch (error) {
    await bench.close();
    throw error;
  }
  return bench;
}

/** Ends all that carries a build's mark: what an agent that was killed left of it. */
export async function endMarked(marker: string): Promise<void> {
  const processes = linuxProcesses();
  const of = { root: { pid: -1, start: "" }, marker };
  await endAll(processes, () => members(processes, of, process.pid));
}

function startBench({ plan, hostUid }: BenchOptions, host: BenchHost): ChildProcess {
  const { nodePath, benchEntry, compileCache } = host;
  const needs = [
    ...[plan.folder, dirname(plan.gateway), dirname(nodePath), packageOf(benchEntry), compileCache],
    ...[...plan.readOnly, ...plan.writable].map(({ from }) => from),
    ...(plan.images === null ? [] : [plan.images.containers, plan.images.temporary]),
  ];
  const [command, ...rest] = hostCommand(
    {
      hostUid,
      needs: [...new Set(needs)],
      frozen: [],
      cgroup: plan.cgroups?.shim ?? null,
      manyUsers: plan.images !== null,
    },
    [nodePath, ...flags, benchEntry],
  );
  const [name = "", value = ""] = plan.marker.split("=");
  return spawn(command, rest, {
    cwd: "/",
    // A terminal's Ctrl-C is for the platform, which ends its builds in order.
    detached: true,
    env: { PATH: systemPath, NODE_COMPILE_CACHE: compileCache, [name]: value },
    stdio: ["ignore", "ignore", "pipe", "pipe"],
  });
}

class HostedBench implements SandboxBench {
  readonly #child: ChildProcess;
  readonly #line: Duplex;
  readonly #options: BenchOptions;
  readonly #gone: Promise<unknown>;
  readonly #ready = Promise.withResolvers<void>();
  #running:
    | {
        readonly run: number;
        readonly onOutput: BenchRun["onOutput"];
        resolve(end: RunEnd): void;
        reject(error: Error): void;
      }
    | undefined;
  #laid: PromiseWithResolvers<string | null> | undefined;
  #loss: BenchLost | undefined;
  #runs = 0;
  #said = "";
  #closed: Promise<void> | undefined;

  constructor(child: ChildProcess, options: BenchOptions) {
    this.#child = child;
    this.#options = options;
    const pipes: readonly unknown[] = child.stdio;
    this.#line = pipes[lineFd] as Duplex;
    this.#gone = new Promise((resolve) => {
      child.once("exit", resolve);
      child.once("error", resolve);
    });
    // A line that breaks is a bench that has gone, which is told by its end.
    this.#line.on("error", () => undefined);
    child.stderr?.on("data", (bytes: Buffer) => (this.#said = (this.#said + bytes.toString()).slice(-saidMaxLength)));
    readFrames<FromBench>(this.#line, (message) => this.#take(message));
    void this.#gone.then(() => this.#lost());
  }

  async open(): Promise<void> {
    const late = setTimeout(() => this.#child.kill("SIGKILL"), readyWithinMs);
    const { plan, hostUid } = this.#options;
    writeFrame<ToBench>(this.#line, { type: "open", plan });
    try {
      // One that ended meanwhile has said why.
      if (plan.images !== null && hostUid !== null) await mapUsers(this.#child.pid ?? 0, hostUid);
      await this.#ready.promise;
    } finally {
      clearTimeout(late);
    }
  }

  async run({ argv, env, signal, onOutput }: BenchRun): Promise<RunEnd & { aborted: boolean }> {
    assert(this.#running === undefined, "a bench runs one command at a time");
    if (this.#loss) throw this.#loss;
    const run = ++this.#runs;
    const ended = Promise.withResolvers<RunEnd>();
    this.#running = { run, onOutput, resolve: ended.resolve, reject: ended.reject };
    let late: NodeJS.Timeout | undefined;
    const onAbort = (): void => {
      writeFrame<ToBench>(this.#line, { type: "end" });
      late = setTimeout(() => this.#child.kill("SIGKILL"), endWithinMs);
    };
    writeFrame<ToBench>(this.#line, { type: "run", run, argv, env });
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort);
    try {
      const end = await ended.promise.catch((error: unknown) => {
        // Both have ended because the command was to.
        if (late === undefined) throw error;
        return { exitCode: null, signal: "SIGKILL", failure: null, denied: false, outOfMemory: false } as const;
      });
      if (end.denied) throw new BenchLost(end.failure ?? "its sandbox could not be made", true);
      return { ...end, aborted: late !== undefined };
    } finally {
      this.#running = undefined;
      signal.removeEventListener("abort", onAbort);
      clearTimeout(late);
    }
  }

  async lay(packages: string): Promise<string | null> {
    if (this.#loss) throw this.#loss;
    const laid = Promise.withResolvers<string | null>();
    this.#laid = laid;
    writeFrame<ToBench>(this.#line, { type: "lay", packages });
    return laid.promise;
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#line.end();
    const waited = new AbortController();
    const late = delay(endWithinMs, undefined, { signal: waited.signal }).then(
      () => this.#child.kill("SIGKILL"),
      () => undefined, // it has gone by itself
    );
    await Promise.race([this.#gone, late]);
    waited.abort();
    await this.#gone;
    rmSync(this.#options.plan.folder, { recursive: true, force: true });
  }

  #take(message: FromBench): void {
    switch (message.type) {
      case "ready":
        return this.#ready.resolve();
      case "denied":
        return this.#ready.reject(new BenchLost(message.says, true));
      case "laid":
        return this.#laid?.resolve(message.says);
      case "note":
        return this.#options.note(message.text);
      case "output":
        return this.#running?.onOutput(message.stream, Buffer.from(message.bytes, "base64"));
      case "ended":
        if (this.#running?.run === message.run) this.#running.resolve(message);
    }
  }

  #lost(): void {
    const words = this.#said.trim().split("\n").at(-1) ?? "";
    const how = `it ended with ${this.#child.signalCode ?? `exit code ${this.#child.exitCode}`}`;
    const says = words === "" ? how : `${how}: ${words}`;
    this.#ready.promise.catch(() => undefined); // whoever opened it has heard of that, or of it being ready
    this.#ready.reject(new BenchLost(says, true));
    this.#loss = new BenchLost(says, false);
    this.#running?.reject(this.#loss);
    this.#laid?.reject(this.#loss);
  }
}
