/** One build's bench: its log, its steps with their times, and how it stops. The builders for each SDK work on it. */
import { join } from "node:path";
import type { BuildSpec } from "../contract/agent.ts";
import type { Code } from "../evidence/codes.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { iso, type Clock } from "../stdx/time.ts";
import { buildMarker } from "./release.ts";
import { runCommand, type StepEnd } from "./step.ts";

/** Where commits come from; the hub's repositories are one. A refusal is the commit's own fault, a thrown error ours. */
export interface Source {
  checkout(
    repository: string,
    commit: string,
    folder: string,
    signal?: AbortSignal,
  ): Promise<
    | { readonly ok: true; readonly files: number; readonly notes: readonly string[] }
    | {
        readonly ok: false;
        readonly refusal: "unknown-commit" | "bad-link";
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

export interface StepLimits {
  readonly fetchMs: number;
  readonly installMs: number;
  readonly buildMs: number;
}

/** A large Python-free install took 90 s on a slow line; a bundler's build rarely passes a minute. */
export const stepLimits: StepLimits = { fetchMs: 120_000, installMs: 600_000, buildMs: 600_000 };

export interface BuildTools {
  readonly source: Source;
  /** The builder's own: releases, npm's cache, the builds' home. */
  readonly folder: string;
  /** PATH of build steps: the folder of the platform's Node first, then where npm is. */
  readonly path: readonly string[];
  /** What an operator lets builds see beside that: a proxy, a registry. Never a credential of the platform. */
  readonly env?: Readonly<Record<string, string>>;
  /** Null: no SDK is provided. */
  readonly sdk: SdkPackage | null;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly limits?: StepLimits;
  /** Where Pythons may be beside PATH, and where the platform keeps tools of its own; absent: no Gradio Spaces are built. */
  readonly python?: { readonly versions: readonly string[]; readonly toolsFolder: string };
}

export interface BuildLogLine {
  readonly at: string;
  readonly stream: "out" | "err" | "note";
  readonly text: string;
}

export interface BuildEvents {
  log(line: BuildLogLine): void;
  /** `end` comes with `failed`: what the step's entry says. */
  step(step: string, state: "started" | "done" | "failed", tookMs: number, end?: StepFailure): void;
}

export interface StepFailure {
  readonly code: Code;
  readonly exitCode: number | null;
  readonly because: readonly string[];
}

/** A build that stops here. Thrown by a step, caught by `runBuild` alone. */
export class BuildFailure extends Error {
  override readonly name = "BuildFailure";
  readonly code: Code;
  readonly because: readonly string[];
  readonly exitCode: number | null;

  constructor(
    code: Code,
    says: string,
    because: readonly string[] = [],
    options: ErrorOptions & { exitCode?: number | null } = {},
  ) {
    super(says, options);
    this.code = code;
    this.because = because;
    this.exitCode = options.exitCode ?? null;
  }
}

/** A log beyond this is a loop's output; what comes after is counted and not kept. */
const logMaxLines = 50_000;
const logMaxLength = 16 << 20;
/** The whole text of a problem is in the log; the outcome carries this much. */
export const becauseMax = 20;

export class Workshop {
  readonly spec: BuildSpec;
  readonly tools: BuildTools;
  readonly signal: AbortSignal;
  /** `releases/.building-…`; the app's files are in `app`. */
  readonly work: string;
  /** The step in which the build is; null before the first. */
  current: string | null = null;
  readonly #on: BuildEvents;
  readonly #startedAt: number;
  #lines = 0;
  #length = 0;
  #leftOut = 0;

  constructor(spec: BuildSpec, tools: BuildTools, on: BuildEvents, work: string, signal: AbortSignal) {
    this.spec = spec;
    this.tools = tools;
    this.#on = on;
    this.work = work;
    this.signal = signal;
    this.#startedAt = tools.clock.monotonic();
  }

  get app(): string {
    return join(this.work, "app");
  }

  get limits(): StepLimits {
    return this.tools.limits ?? stepLimits;
  }

  /** Milliseconds that the whole build may still take. */
  leftMs(): number {
    return Math.max(1, this.spec.limitMs - (this.tools.clock.monotonic() - this.#startedAt));
  }

  /** A sentence of ours in the build's log. */
  note(text: string): void {
    for (const line of text.split("\n")) this.#write("note", line);
  }

  /** Runs a step: told when it starts and how it ended, with its time. */
  async step<T>(name: string, task: () => Promise<T>): Promise<T> {
    this.current = name;
    const from = this.tools.clock.monotonic();
    const took = (): number => Math.max(0, Math.round(this.tools.clock.monotonic() - from));
    this.#on.step(name, "started", 0);
    try {
      if (this.signal.aborted) throw cancelled(this.signal);
      const result = await task();
      this.#on.step(name, "done", took());
      return result;
    } catch (error) {
      const failure = this.signal.aborted ? cancelled(this.signal) : asFailure(name, error);
      this.#on.step(name, "failed", took(), {
        code: failure.code,
        exitCode: failure.exitCode,
        because: failure.because,
      });
      throw failure;
    }
  }

  /** Runs a command of the app in its folder; anything but exit code 0 is the step's failure. */
  async run(
    argv: readonly [string, ...string[]],
    limitMs: number,
    env: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const bound = Math.min(limitMs, this.leftMs());
    this.note(`$ ${argv.join(" ")}`);
    const end = await runCommand({
      argv,
      cwd: this.app,
      env: { ...this.#environment(), ...env },
      marker: buildMarker(this.spec.build),
      limitMs: bound,
      signal: this.signal,
      onLine: (stream, text) => this.#write(stream, text),
    });
    if (end.leftBehind > 0) this.note(`ended ${end.leftBehind} process(es) that ${argv[0]} had left running`);
    const failure = failureOf(this.current ?? "", argv, end, bound, this.signal);
    if (failure) throw failure;
  }

  /** The last words of the log: what was left out of it. */
  close(): void {
    if (this.#leftOut > 0)
      this.#on.log(
        this.#line(
          "note",
          `${this.#leftOut} more lines were not kept: a build log holds ${logMaxLines} lines or ${logMaxLength >> 20} MiB`,
        ),
      );
  }

  #write(stream: BuildLogLine["stream"], text: string): void {
    if (this.#lines >= logMaxLines || this.#length >= logMaxLength) {
      if (stream !== "note") {
        this.#leftOut += 1;
        return;
      }
    }
    this.#lines += 1;
    this.#length += text.length;
    this.#on.log(this.#line(stream, text));
  }

  #line(stream: BuildLogLine["stream"], text: string): BuildLogLine {
    return { at: iso(this.tools.clock.wall()), stream, text };
  }

  #environment(): Record<string, string> {
    const home = join(this.tools.folder, "home");
    return {
      HOME: home,
      LANG: "C.UTF-8",
      TMPDIR: join(this.work, "tmp"),
      SPACE_ID: this.spec.space,
      npm_config_cache: join(this.tools.folder, "npm-cache"),
      npm_config_userconfig: join(home, ".npmrc"),
      npm_config_update_notifier: "false",
      npm_config_progress: "false",
      CI: "1",
      ...this.tools.env,
      PATH: this.tools.path.join(":"),
    };
  }
}

function failureOf(
  step: string,
  argv: readonly string[],
  end: StepEnd,
  limitMs: number,
  signal: AbortSignal,
): BuildFailure | undefined {
  switch (end.how) {
    case "cancelled":
      return cancelled(signal);
    case "too-slow":
      return new BuildFailure(
        "build/step-timeout",
        `${step} ran past its limit of ${limitMs / 1000} s and was ended`,
        end.because,
      );
    case "not-started":
      return new BuildFailure("build/step-failed", `${step}: ${argv[0]} could not be started`, end.because);
    case "exited": {
      if (end.exitCode === 0) return undefined;
      const how = end.signal === null ? `exit code ${end.exitCode}` : `signal ${end.signal}`;
      return new BuildFailure("build/step-failed", `${step} ended with ${how}`, end.because, {
        exitCode: end.exitCode,
      });
    }
  }
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
