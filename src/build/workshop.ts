/** One build at work: its log, its steps with their times, its folders and its bench, and how it stops. The builders for each SDK work on it. */
import { lstat, mkdir, writeFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import type { BuildSpec, ReplicaLimits } from "../contract/agent.ts";
import { buildLimitsSay, type LimitsOfBuild, type PlainBuildLimits } from "../contract/isolation.ts";
import type { Code } from "../evidence/codes.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { buildLimits, Intake, tickMs } from "../log/intake.ts";
import { maskOf, type Mask } from "../log/mask.ts";
import { iso, type Clock } from "../stdx/time.ts";
import { BenchDenied, type Bench, type Benches, type CommandEnd } from "./bench.ts";
import { environmentIn, Environments } from "./environments.ts";
import type { Engine, StorageDriver } from "./docker/engine.ts";
import { BuildFailure } from "./failure.ts";
import { LastLines } from "./lines.ts";
import type { KnownInterpreters } from "./python/interpreters.ts";
import { readMade } from "./small-file.ts";
import { ownerFolder } from "./tidy.ts";
import { spaceOwner } from "../contract/space.ts";

export { BuildFailure } from "./failure.ts";

/** Where commits come from; the hub's repositories are one. A refusal is the commit's own fault, a thrown error ours. */
export interface Source {
  checkout(
    repository: string,
    commit: string,
    folder: string,
    signal?: AbortSignal,
    /** For which it is: told to a server on another machine. */
    build?: string,
  ): Promise<
    | { readonly ok: true; readonly files: number; readonly notes: readonly string[] }
    | {
        readonly ok: false;
        readonly refusal: "unknown-commit" | "bad-link" | "missing-object";
        readonly says: string;
        readonly problems: readonly string[];
      }
  >;
}

/** The platform's own SDK, for apps that do not bring it. */
export interface SdkPackage {
  readonly version: string;
  /** Writes the package `waybill`, plain JavaScript, into `folder`, which may not exist. */
  write(folder: string): Promise<void>;
}

/** What image builds need; absent from the tools: this node makes no images. */
export interface ImageTools {
  /** Null: no engine is installed here, and a build is told so. */
  readonly engine: Engine | null;
  /** The operator's folder with archives of images, which are taken before a registry is asked; null: none. */
  readonly archives: string | null;
  /** What of one owner's images and layers is kept for later builds. */
  readonly maxBytes: number;
  /** What was found out about this machine, and how many builds use each store; the same for all builds. */
  readonly known: { driver?: StorageDriver; readonly users: Map<string, number> };
  /** An image's app is given the libraries of the node's cards' driver. */
  readonly hasDriver: boolean;
}

export interface StepLimits {
  readonly fetchMs: number;
  readonly installMs: number;
  readonly buildMs: number;
}

/** A commit may cross a slow line, and its source gives up one that stands still; a large Python-free install took 90 s on a slow line; a bundler's build rarely passes a minute. */
export const stepLimits: StepLimits = { fetchMs: 1_800_000, installMs: 600_000, buildMs: 600_000 };

export interface BuildTools {
  readonly source: Source;
  /** The builder's own: releases, locks, what it keeps for each owner. */
  readonly folder: string;
  /** Where the machine's programs are: the folder of the platform's Node first, then where npm is. */
  readonly path: readonly string[];
  readonly benches: Benches;
  /** What an operator lets builds see beside that: a proxy, a registry. Never a credential of the platform. */
  readonly env?: Readonly<Record<string, string>>;
  /** Null: no SDK is provided. */
  readonly sdk: SdkPackage | null;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Those of all builds in `folder`; absent: this build is the only one. */
  readonly environments?: Environments;
  readonly limits?: StepLimits;
  /** What of one owner's package caches is kept, and as much of environments that no release needs. */
  readonly cacheBytes?: number;
  /** How much a build may write. */
  readonly diskBytes?: number;
  /** What stays free of the disk: less, and nothing is built; none where absent. */
  readonly reserveBytes?: number;
  readonly images?: ImageTools;
  /** Where Pythons may be beside PATH, and where the platform keeps tools of its own; absent: no Gradio Spaces are built. */
  readonly python?: {
    readonly versions: readonly string[];
    readonly toolsFolder: string;
    readonly known?: KnownInterpreters;
  };
}

export interface BuildLogLine {
  readonly at: string;
  readonly stream: "out" | "err" | "note";
  /** Absent before the first step. */
  readonly step?: string;
  readonly text: string;
}

export interface BuildEvents {
  log(line: BuildLogLine): void;
  /** What is in force on the build; again when its commands have a bench. */
  limits?(limits: LimitsOfBuild): void;
  /** `end` comes with `failed`: what the step's entry says. */
  step(step: string, state: "started" | "done" | "failed", tookMs: number, end?: StepFailure): void;
  /** Something that is no failure of the build's, and that the operator should hear of. */
  trouble?(says: string): void;
}

export interface StepFailure {
  readonly code: Code;
  readonly exitCode: number | null;
  readonly because: readonly string[];
}

export interface RunOptions {
  /** Beside what all commands have. */
  readonly env?: Readonly<Record<string, string>>;
  /** A command of our own, which says nothing to the app's owner. */
  readonly quiet?: boolean;
  /** Each line that it prints. */
  readonly onLine?: (text: string) => void;
}

/** Packages with a torch have 6 GB, and as much again in a cache that may not be able to share. */
const diskBytesUsual = 20 * 2 ** 30;
/** Of what a command of ours said last, in the sentence about its end. */
const saidMaxLength = 500;
/** A step that says nothing for so long is told to go on; with the look's own delay a log is never silent for 5 s. */
const silenceMs = 4_000;
const lookEveryMs = 500;
/** The whole text of a problem is in the log; the outcome carries this much. */
export const becauseMax = 20;

export class Workshop {
  readonly spec: BuildSpec;
  readonly tools: BuildTools;
  readonly signal: AbortSignal;
  /** `releases/.building-…`, which becomes the release. What is directly in it is the builder's own. */
  readonly work: string;
  /** Files and folders of the machine that commands need beside the system's own; complete before the first of them runs. */
  readonly needs: string[] = [];
  /** A build whose commands make images: its engine's configuration, and where it keeps them; set before the first of them runs. */
  images: { readonly containers: string; readonly temporary: string; readonly stores: string } | undefined;
  /** The step in which the build is; null before the first. */
  current: string | null = null;
  readonly #on: BuildEvents;
  readonly #startedAt: number;
  /** What all commands of the build print. */
  readonly #intake: Intake;
  readonly #environments: Environments;
  readonly #holds = new DisposableStack();
  #bench: Promise<Bench> | undefined;
  /** What the command that runs printed last. */
  #last = new LastLines();
  readonly #mask: Mask;
  #onLine: RunOptions["onLine"];
  #saidAt = 0;

  constructor(spec: BuildSpec, tools: BuildTools, on: BuildEvents, work: string, signal: AbortSignal) {
    this.spec = spec;
    this.tools = tools;
    this.#on = on;
    this.work = work;
    this.signal = signal;
    this.#startedAt = tools.clock.monotonic();
    this.#mask = maskOf(spec.secrets ?? {});
    this.#intake = new Intake({
      clock: tools.clock,
      limits: buildLimits,
      mask: this.#mask,
      lines: (stream, texts) => {
        for (const text of texts) {
          this.#last.take(text);
          this.#onLine?.(text);
          this.#write(stream, text);
        }
      },
      note: (text) => this.note(text),
    });
    this.#environments = tools.environments ?? new Environments();
    on.limits?.(this.#whole);
  }

  /** What holds for each build, whatever runs its commands. */
  get #whole(): PlainBuildLimits {
    return { wholeMs: this.spec.limitMs, writtenBytes: this.diskBytes };
  }

  /** The app's files. */
  get app(): string {
    return join(this.work, "app");
  }

  /**
   * What builds of one owner keep: caches that commands may write, and environments. In one folder, since files are linked within
   * one mount only; two owners never write one. The folder itself, and `envs`, are the builder's own.
   */
  get store(): string {
    return ownerFolder(this.tools.folder, spaceOwner(this.spec.space));
  }

  get limits(): StepLimits {
    return this.tools.limits ?? stepLimits;
  }

  /** What the whole build may write to the disk. */
  get diskBytes(): number {
    return this.tools.diskBytes ?? diskBytesUsual;
  }

  /** Milliseconds that the whole build may still take. */
  leftMs(): number {
    return Math.max(1, this.spec.limitMs - (this.tools.clock.monotonic() - this.#startedAt));
  }

  /** A sentence of ours in the build's log. */
  note(text: string): void {
    for (const line of this.#mask.hide(text).split("\n")) this.#write("note", line);
  }

  /** Runs a step: told when it starts and how it ended, with its time. */
  async step<T>(name: string, task: () => Promise<T>): Promise<T> {
    this.current = name;
    const from = this.tools.clock.monotonic();
    const took = (): number => Math.max(0, Math.round(this.tools.clock.monotonic() - from));
    this.#on.step(name, "started", 0);
    this.#saidAt = from;
    const sign = setInterval(() => this.#signOfLife(name, from), lookEveryMs);
    try {
      if (this.signal.aborted) throw cancelled(this.signal);
      const result = await task();
      this.#on.step(name, "done", took());
      return result;
    } catch (error) {
      // A builder may know more of what was ended: its line.
      const isTold = error instanceof BuildFailure && error.cause === this.signal.reason;
      const failure = this.signal.aborted && !isTold ? cancelled(this.signal) : asFailure(name, error);
      this.#on.step(name, "failed", took(), {
        code: failure.code,
        exitCode: failure.exitCode,
        because: failure.because,
      });
      throw failure;
    } finally {
      clearInterval(sign);
    }
  }

  /** Writes a file that commands read; its path. */
  async input(name: string, text: string): Promise<string> {
    await mkdir(join(this.work, "in"), { recursive: true });
    await writeFile(join(this.work, "in", name), text);
    return join(this.work, "in", name);
  }

  /** Where a command writes a file for {@link made}. */
  output(name: string): string {
    return join(this.work, "out", name);
  }

  /** The text of a file that a command wrote. */
  made(name: string): Promise<string> {
    return readMade(this.output(name));
  }

  /** Makes it a folder that commands may write. */
  async give(folder: string): Promise<void> {
    await (await this.#open()).give(folder);
  }

  /** Runs a command in the app's folder; anything but exit code 0 is the step's failure. */
  async run(argv: readonly [string, ...string[]], limitMs: number, options: RunOptions = {}): Promise<void> {
    const { env, quiet, onLine } = options;
    const bound = Math.min(limitMs, this.leftMs());
    if (quiet !== true) this.note(`$ ${argv.map((one) => this.#shown(one)).join(" ")}`);
    const bench = await this.#open();
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), bound);
    this.#last = new LastLines();
    const ticks = setInterval(() => this.#intake.tick(), tickMs);
    this.#onLine = onLine;
    let end: CommandEnd;
    try {
      end = await bench.run({
        argv,
        env: { ...this.#environment(), ...env },
        signal: AbortSignal.any([this.signal, late.signal]),
        onOutput: (stream, bytes) => this.#intake.push(stream, bytes),
      });
    } catch (error) {
      throw new BuildFailure("build/builder-lost", `the build's bench is lost: ${(error as Error).message}`, [], {
        cause: error,
      });
    } finally {
      clearTimeout(timer);
      clearInterval(ticks);
      this.#intake.end("out");
      this.#intake.end("err");
    }
    if (end.leftBehind > 0) this.note(`ended ${end.leftBehind} process(es) that ${argv[0]} had left running`);
    if (end.aborted && this.signal.aborted) throw cancelled(this.signal);
    const failure = failureOf({
      step: this.current ?? "",
      command: argv[0],
      end,
      because: this.#last.all(),
      limitMs: bound,
    });
    if (failure) throw failure;
  }

  /**
   * Runs a command of ours after the last step, however that ended; resolves with what it printed. Rejects where it did not end well
   * in its time, or there is no bench any more.
   */
  async runLast(argv: readonly [string, ...string[]], limitMs: number): Promise<string> {
    const bench = await this.#bench;
    if (bench === undefined) return "";
    const said: Uint8Array[] = [];
    const end = await bench.run({
      argv,
      env: this.#environment(),
      signal: AbortSignal.timeout(limitMs),
      onOutput: (_, bytes) => void said.push(bytes),
    });
    const text = Buffer.concat(said).toString("utf8");
    if (end.exitCode === 0) return text;
    const how = end.aborted ? `more than ${limitMs / 1000} s` : `exit code ${end.exitCode}`;
    throw new Error(`${argv[0]} ended with ${how}: ${text.trim().slice(-saidMaxLength)}`);
  }

  /** Something that is no failure of the build's, and that the operator should hear of. */
  trouble(says: string): void {
    this.note(says);
    this.#on.trouble?.(says);
  }

  /** A path in this build's folder as it is from where commands run. */
  #shown(argument: string): string {
    return argument.startsWith(`${this.work}${sep}`) ? relative(this.app, argument) : argument;
  }

  /**
   * The owner's environment of this name, at its path; where it is not there yet it is made, by commands that `make` runs. It stays
   * for as long as this build takes.
   */
  async environment(name: string, make: (path: string) => Promise<void>): Promise<{ path: string; made: boolean }> {
    const envs = join(this.store, "envs");
    const path = environmentIn(envs, name);
    await mkdir(envs, { recursive: true });
    // Without root, commands are the agent's own user: what lies behind a link that one left there is not to be made or removed.
    if (!(await lstat(envs)).isDirectory())
      throw new BuildFailure("build/publish-failed", `${envs} is no folder: a command has replaced it; remove it`);
    this.#holds.use(this.#environments.hold(path));
    const makeIt = async (): Promise<void> => {
      await this.give(path);
      await make(path);
    };
    const made = await this.#environments.provide(path, makeIt, this.signal);
    return { path, made };
  }

  /** Lays unpacked Debian packages over the machine's own, for all commands from now on; says why that could not be, else null. */
  async lay(packages: string): Promise<string | null> {
    return (await this.#open()).lay(packages);
  }

  /** Ends what still runs of it. */
  async end(): Promise<void> {
    const bench = await this.#bench?.catch(() => undefined); // that it could not be made has been told
    await bench?.close();
  }

  /** The environments that it had may go as far as it is concerned. */
  close(): void {
    this.#holds.dispose();
  }

  /** A resolver may think for a minute without a word: whoever reads along sees that it goes on. */
  #signOfLife(step: string, from: number): void {
    const now = this.tools.clock.monotonic();
    if (now - this.#saidAt >= silenceMs) this.note(`${step} goes on, ${Math.round((now - from) / 1000)} s`);
  }

  #write(stream: BuildLogLine["stream"], text: string): void {
    this.#saidAt = this.tools.clock.monotonic();
    const step = this.current === null ? {} : { step: this.current };
    this.#on.log({ at: iso(this.tools.clock.wall()), stream, ...step, text });
  }

  #open(): Promise<Bench> {
    return (this.#bench ??= this.#openBench());
  }

  async #openBench(): Promise<Bench> {
    const { app, work, store, spec, tools, images } = this;
    const readable = join(work, "in");
    const out = join(work, "out");
    const kept = images === undefined ? [join(store, "npm"), join(store, "uv")] : [images.stores, images.temporary];
    for (const folder of [readable, out, images?.temporary ?? out, images?.stores ?? join(store, "envs")])
      await mkdir(folder, { recursive: true });
    try {
      const bench = await tools.benches.open({
        build: spec.build,
        space: spec.space,
        work,
        app,
        readable: [readable, ...this.needs],
        writable: [out, images?.stores ?? store],
        ...(images === undefined ? {} : { images }),
        note: (text) => this.note(text),
      });
      for (const folder of [app, out, ...kept]) await bench.give(folder);
      if (bench.limits !== null) this.#tellLimits(bench.limits);
      return bench;
    } catch (error) {
      if (!(error instanceof BenchDenied)) throw error;
      throw new BuildFailure("runtime/sandbox-denied", error.message, [], { cause: error });
    }
  }

  #tellLimits(limits: ReplicaLimits): void {
    const { wholeMs, writtenBytes } = this.#whole;
    const all = { ...limits, wholeMs, writtenBytes };
    this.#on.limits?.(all);
    const says = buildLimitsSay(all).map(([name, what]) => `${name} ${what}`);
    this.note(`limits of this build: ${says.join("; ")}`);
  }

  #environment(): Record<string, string> {
    return {
      // An image builder is no command of the app's: what its owner names does not steer it.
      ...(this.images === undefined ? this.spec.variables : {}),
      LANG: "C.UTF-8",
      SPACE_ID: this.spec.space,
      npm_config_cache: join(this.store, "npm"),
      npm_config_update_notifier: "false",
      npm_config_progress: "false",
      CI: "1",
      ...this.tools.env,
    };
  }
}

function failureOf({
  step,
  command,
  end,
  because,
  limitMs,
}: {
  readonly step: string;
  readonly command: string;
  readonly end: CommandEnd;
  readonly because: readonly string[];
  readonly limitMs: number;
}): BuildFailure | undefined {
  const { exitCode, signal, failure } = end;
  if (end.aborted)
    return new BuildFailure(
      "build/step-timeout",
      `${step} ran past its limit of ${limitMs / 1000} s and was ended`,
      because,
    );
  if (failure !== null)
    return new BuildFailure("build/step-failed", `${step}: ${command} could not be started`, [failure]);
  if (exitCode === 0) return undefined;
  const how = signal === null ? `exit code ${exitCode}` : `signal ${signal}`;
  if (end.outOfMemory)
    return new BuildFailure(
      "build/out-of-memory",
      `${step} used more memory than it may, and ended with ${how}`,
      because,
      {
        exitCode,
      },
    );
  return new BuildFailure("build/step-failed", `${step} ended with ${how}`, because, { exitCode });
}

/** The platform withdrew the build: superseded, its builder stops, or its whole time is over. */
function cancelled(signal: AbortSignal): BuildFailure {
  if (signal.reason instanceof BuildFailure) return signal.reason;
  const why = signal.reason instanceof Error ? signal.reason.message : String(signal.reason);
  return new BuildFailure("build/builder-lost", `the build was stopped: ${why}`);
}

// What is no BuildFailure is the world's: a full disk, a damaged repository.
function asFailure(step: string, error: unknown): BuildFailure {
  if (error instanceof BuildFailure) return error;
  const says = error instanceof Error ? error.message : String(error);
  return new BuildFailure(
    step === "fetch" ? "build/fetch-failed" : "build/publish-failed",
    `${step}: ${says}`,
    [says],
    { cause: error },
  );
}
