/** Runs one command of a build without a sandbox: a clean environment, a group of its own, and nothing left behind. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { BenchCommand, CommandEnd } from "./bench.ts";
import { endFamily, membersOf } from "./processes.ts";

export interface StepCommand extends BenchCommand {
  readonly cwd: string;
  /** The whole environment; `marker` is added. */
  readonly env: Readonly<Record<string, string>>;
  /** `NAME=value`, unlike any other build's. */
  readonly marker: string;
}

/** After the command's end its output is read on for at most this long: a process that hid from us may hold the pipes for ever. */
const drainMs = 2_000;

/** Resolves when the command and all that it started have ended, however it ended. */
export async function runCommand({ argv, cwd, env, marker, signal: stop, onOutput }: StepCommand): Promise<CommandEnd> {
  const [name, value] = splitMarker(marker);
  const child = spawn(argv[0], argv.slice(1), {
    cwd,
    env: { ...env, [name]: value },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const pipes = [once(child.stdout, "close"), once(child.stderr, "close")];
  child.stdout.on("data", (bytes: Buffer) => onOutput("out", bytes));
  child.stderr.on("data", (bytes: Buffer) => onOutput("err", bytes));
  const nothing = { aborted: false, exitCode: null, signal: null, failure: null, outOfMemory: false, leftBehind: 0 };
  if (child.pid === undefined) {
    const [error] = (await once(child, "error")) as [Error];
    return { ...nothing, failure: error.message };
  }
  const family = { group: child.pid, marker };
  const ended = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  const aborted = await isAbortedBefore(ended, stop);
  if (aborted) await endFamily(family);
  const [exitCode, signal] = await ended;
  // What still runs holds the pipes open, and would run beside the next step.
  const left = !aborted && membersOf(family).length > 0 ? (await endFamily(family)).length : 0;
  await drained(Promise.all(pipes), [child.stdout, child.stderr]);
  return { ...nothing, aborted, exitCode, signal, leftBehind: left };
}

function splitMarker(marker: string): [string, string] {
  const at = marker.indexOf("=");
  return [marker.slice(0, at), marker.slice(at + 1)];
}

/** Whether the signal comes before the end. */
async function isAbortedBefore(ended: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
  const aborted = Promise.withResolvers<true>();
  const onAbort = (): void => aborted.resolve(true);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([ended.then(() => false), aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function drained(read: Promise<unknown>, streams: readonly Readable[]): Promise<void> {
  const stop = new AbortController();
  await Promise.race([read, delay(drainMs, undefined, { signal: stop.signal }).catch(() => undefined)]);
  stop.abort();
  for (const stream of streams) stream.destroy();
  await read;
}
