/** Runs one command of a build: a clean environment, a group of its own, a deadline, its output line by line, and nothing left behind. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { LastLines, LineSplitter } from "./lines.ts";
import { endFamily, membersOf } from "./processes.ts";

export interface StepCommand {
  readonly argv: readonly [string, ...string[]];
  readonly cwd: string;
  /** The whole environment; `marker` is added. */
  readonly env: Readonly<Record<string, string>>;
  /** `NAME=value`, unlike any other build's. */
  readonly marker: string;
  readonly limitMs: number;
  readonly signal: AbortSignal;
  readonly onLine: (stream: "out" | "err", text: string) => void;
}

export interface StepEnd {
  readonly how: "exited" | "too-slow" | "cancelled" | "not-started";
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last lines that said something; where it was not started, why. */
  readonly because: readonly string[];
  /** Processes that outlived the command and were ended. */
  readonly leftBehind: number;
}

/** After the command's end its output is read on for at most this long: a process that hid from us may hold the pipes for ever. */
const drainMs = 2_000;

/** Resolves when the command and all that it started have ended, however it ended. */
export async function runCommand(command: StepCommand): Promise<StepEnd> {
  const last = new LastLines();
  const [name, value] = splitMarker(command.marker);
  const child = spawn(command.argv[0], command.argv.slice(1), {
    cwd: command.cwd,
    env: { ...command.env, [name]: value },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const take = (stream: "out" | "err") => (text: string) => {
    last.take(text);
    command.onLine(stream, text);
  };
  const pipes = [split(child.stdout, take("out")), split(child.stderr, take("err"))];
  if (child.pid === undefined) {
    const [error] = (await once(child, "error")) as [Error];
    return { how: "not-started", exitCode: null, signal: null, because: [error.message], leftBehind: 0 };
  }
  const family = { group: child.pid, marker: command.marker };
  const ended = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  const how = await firstOf(ended, command);
  if (how !== "exited") await endFamily(family);
  const [exitCode, signal] = await ended;
  // What still runs holds the pipes open, and would run beside the next step.
  const left = how === "exited" && membersOf(family).length > 0 ? (await endFamily(family)).length : 0;
  await drained(Promise.all(pipes), [child.stdout, child.stderr]);
  return { how, exitCode, signal, because: last.all(), leftBehind: left };
}

function splitMarker(marker: string): [string, string] {
  const at = marker.indexOf("=");
  return [marker.slice(0, at), marker.slice(at + 1)];
}

/** What comes first: its end, the deadline, or the cancellation. */
async function firstOf(ended: Promise<unknown>, { limitMs, signal }: StepCommand): Promise<StepEnd["how"]> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const late = new Promise<"too-slow">((resolve) => (timer = setTimeout(resolve, limitMs, "too-slow")));
  const cancelled = new Promise<"cancelled">((resolve) => {
    onAbort = () => resolve("cancelled");
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([ended.then(() => "exited" as const), late, cancelled]);
  } finally {
    clearTimeout(timer);
    if (onAbort) signal.removeEventListener("abort", onAbort);
  }
}

async function drained(read: Promise<unknown>, streams: readonly Readable[]): Promise<void> {
  const stop = new AbortController();
  await Promise.race([read, delay(drainMs, undefined, { signal: stop.signal }).catch(() => undefined)]);
  stop.abort();
  for (const stream of streams) stream.destroy();
  await read;
}

async function split(stream: Readable, onLine: (text: string) => void): Promise<void> {
  const lines = new LineSplitter(onLine);
  stream.on("data", (chunk: Buffer) => lines.push(chunk));
  await once(stream, "close");
  lines.end();
}
