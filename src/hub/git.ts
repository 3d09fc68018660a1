/** Runs the machine's `git` with nothing of the machine's in it: no user or system configuration, no prompt, a bound on time and output. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { isOneOf, saysDiskFull } from "./errors.ts";

export interface GitProgram {
  /** `git`, or the absolute path of one. */
  readonly program: string;
  /** PATH of the process, where git finds its own helpers. */
  readonly path: string;
}

export const systemGit: GitProgram = { program: "git", path: "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin" };

/** git did not do what it was asked to: the disk, a damaged repository, or a bound. */
export class GitFailure extends Error {
  override readonly name = "GitFailure";
  readonly code: "git-missing" | "git-failed" | "git-disk-full" | "git-too-slow" | "git-too-much";

  constructor(code: GitFailure["code"], says: string, options?: ErrorOptions) {
    super(says, options);
    this.code = code;
  }
}

export interface GitRun {
  readonly args: readonly string[];
  /** The bare repository; absent only for `init`. */
  readonly repository?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Written to its standard input, piece by piece. */
  readonly input?: Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>;
  readonly limitMs?: number;
  readonly outputMaxBytes?: number;
  readonly signal?: AbortSignal;
  /** Exit codes that are answers, not failures; 0 always is. */
  readonly answers?: readonly number[];
  /** It starts others that do its work (`gc`): all are ended at a bound, first so that they remove their locks, then by force. */
  readonly withHelpers?: boolean;
}

export interface GitResult {
  readonly exitCode: number;
  readonly output: Buffer;
  readonly says: string;
}

/** Long enough to write a repository of the largest accepted commit to a slow disk. */
const gitLimitMs = 120_000;
/** git removes its locks and its unfinished files when it is asked to end, which takes it milliseconds. */
const endingMs = 2_000;
/** A listing of 200,000 files; more is no Space. */
export const gitOutputMaxBytes = 64 << 20;
const saysMaxBytes = 16 << 10;

/** What each write must have reached before it is acknowledged; and no writer collects by itself (collect.ts does). */
export const durable: Readonly<Record<string, string>> = {
  "core.fsync": "committed,reference",
  "core.fsyncMethod": "fsync",
  "gc.auto": "0",
};
const durableArgs = Object.entries(durable).flatMap(([key, value]) => ["-c", `${key}=${value}`]);

/** Runs git to its end. Throws {@link GitFailure} where it ended with a code that is no answer, or ran into a bound. */
export async function runGit(git: GitProgram, run: GitRun): Promise<GitResult> {
  run.signal?.throwIfAborted();
  const where = run.repository === undefined ? [] : [`--git-dir=${run.repository}`];
  const child = spawn(git.program, [...durableArgs, ...where, ...run.args], {
    env: { ...cleanEnv(git), ...run.env },
    stdio: ["pipe", "pipe", "pipe"],
    cwd: run.repository ?? "/",
    detached: run.withHelpers === true,
  });
  const limitMs = run.limitMs ?? gitLimitMs;
  let bound: GitFailure | undefined;
  let forced: NodeJS.Timeout | undefined;
  const stop = (failure: GitFailure): void => {
    bound ??= failure;
    if (run.withHelpers !== true) return void child.kill("SIGKILL");
    endGroup(child.pid, "SIGTERM");
    forced ??= setTimeout(() => endGroup(child.pid, "SIGKILL"), endingMs);
  };
  const timer = setTimeout(() => stop(failed("git-too-slow", run, `took longer than ${limitMs} ms`)), limitMs);
  const onAbort = (): void => stop(failed("git-too-slow", run, "was cancelled"));
  run.signal?.addEventListener("abort", onAbort, { once: true });
  try {
    const ended = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
    // A git that ends early closes its input; its exit code says why, better than the broken pipe.
    child.stdin.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE" && error.code !== "ERR_STREAM_DESTROYED")
        stop(failed("git-failed", run, error.message));
    });
    const [[exitCode, signal], output, says] = await Promise.all([
      ended,
      collect(child.stdout, run.outputMaxBytes ?? gitOutputMaxBytes, () =>
        stop(failed("git-too-much", run, "said more than expected")),
      ),
      collectEnd(child.stderr, saysMaxBytes),
      feed(child.stdin, run.input ?? []).catch((error: Error) =>
        stop(failed("git-failed", run, error.message, { cause: error })),
      ),
    ]);
    if (bound) throw bound;
    const known = exitCode !== null && (exitCode === 0 || (run.answers ?? []).includes(exitCode));
    if (!known) {
      const code = saysDiskFull.test(says) ? "git-disk-full" : "git-failed";
      throw failed(code, run, `ended with ${exitCode ?? signal}: ${says.trim() || "it said nothing"}`);
    }
    return { exitCode, output, says };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw failed("git-missing", run, `${git.program} or the repository's folder is not there`, { cause: error });
  } finally {
    clearTimeout(timer);
    clearTimeout(forced);
    run.signal?.removeEventListener("abort", onAbort);
  }
}

/** Called only while a process of the group holds its output open, so its number is no other's yet. */
function endGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (!isOneOf(error, ["ESRCH"])) throw error;
  }
}

function failed(code: GitFailure["code"], run: GitRun, says: string, options?: ErrorOptions): GitFailure {
  return new GitFailure(code, `git ${run.args[0] ?? ""} ${says}`, options);
}

/** The whole environment of a git process of ours. */
export function cleanEnv(git: GitProgram): Record<string, string> {
  return {
    PATH: git.path,
    HOME: "/nonexistent",
    LC_ALL: "C.UTF-8",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_TERMINAL_PROMPT: "0",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_LITERAL_PATHSPECS: "1",
  };
}

async function feed(into: NodeJS.WritableStream, input: NonNullable<GitRun["input"]>): Promise<void> {
  try {
    for await (const piece of input) {
      if (!into.writable) return;
      // A process that ended never drains: its close wakes this up too.
      if (!into.write(piece)) await drained(into);
    }
  } finally {
    into.end();
  }
}

function drained(stream: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of ["drain", "close", "error"]) stream.removeListener(event, done);
      resolve();
    };
    for (const event of ["drain", "close", "error"]) stream.on(event, done);
  });
}

async function collect(stream: Readable, maxBytes: number, onTooMuch: () => void): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of stream as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > maxBytes) onTooMuch();
    else pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

async function collectEnd(stream: Readable, maxBytes: number): Promise<string> {
  let end = Buffer.alloc(0);
  for await (const piece of stream as AsyncIterable<Buffer>) end = Buffer.concat([end, piece]).subarray(-maxBytes);
  return end.toString("utf8");
}
