/** The app as a process: started in a session of its own, its output cut into log lines, ended with all that it started. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { assert } from "../../stdx/assert.ts";
import { markerOf, writeStored, type AppRecord, type StoredPlan } from "../folder.ts";
import { tickMs, type OutputStream } from "../../log/intake.ts";
import { endAll, members, type Membership, type Processes } from "../processes.ts";
import type { Facts } from "../../evidence/entry.ts";
import type { DiskTrouble, WatchFolders } from "../sandbox/disk.ts";
import { appEnvironment, cgroupText } from "./environment.ts";
import type { ReplicaLog } from "./replica-log.ts";
import type { Place } from "./place.ts";
import { startSandboxedApp } from "./sandboxed-app.ts";

export interface AppEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it could not even be started; null when it was. */
  readonly failure: string | null;
  /** It was the sandbox that could not be made. */
  readonly denied?: true;
  /** The kernel ended it because its group was over its memory. */
  readonly outOfMemory?: true;
  /** What was full when it ended, or the platform ended it for. */
  readonly disk?: DiskTrouble;
}

/** What an app needs of its shim. */
export interface AppHost {
  readonly log: ReplicaLog;
  readonly processes: Processes;
  readonly watchFolders: WatchFolders;
  /** A place where it writes is about to be full. */
  onDisk(facts: Facts): void;
}

export interface App {
  readonly pid: number | null;
  readonly port: number;
  readonly of: Membership | null;
  /** Resolves once, when the first process has ended, all that it left is ended too, and its last line is in the log. */
  readonly ended: Promise<AppEnd>;
  /** TERM to its group, then KILL to all of it after `graceMs`. Resolves when all is gone. */
  end(graceMs: number): Promise<void>;
  /** The app's first process has ended: whoever must know before the rest is cleared away. */
  readonly exited: Promise<AppEnd>;
}

/** Where apps listen, and how often a port is tried: with 12,000 of them, more misses mean that something is wrong. */
const firstAppPort = 20_000;
const lastAppPort = 32_000;
const portsTried = 100;
/** After the app's end its output is read on for at most this long; a stranger may hold the pipe. */
export const drainMs = 500;

/**
 * Starts `release.argv` in the release's `app/`; `place` is where its sandbox is on its way, if it has one. A command that cannot be started is an app
 * that ended with a `failure`.
 */
export async function startApp(
  plan: StoredPlan,
  place: Place | null,
  deviceApi: string | null,
  host: AppHost,
): Promise<App> {
  if (plan.sandbox !== null) {
    assert(place !== null, "an app that is to be in a sandbox has a place");
    return startSandboxedApp(plan, plan.sandbox, place, deviceApi, host);
  }
  const { log, processes } = host;
  const [command, ...rest] = plan.release.argv ?? [];
  assert(command !== undefined, "a release that is not static has a command");
  const port = plan.port ?? (await freePort());
  const home = join(plan.folder, "home");
  const offload = join(plan.folder, "scratch");
  const cgroupFile = join(plan.folder, "cgroup");
  for (const folder of [home, offload]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(cgroupFile, cgroupText(plan.spec.replica));
  const child = spawn(command, rest, {
    cwd: join(plan.releaseFolder, "app"),
    env: appEnvironment(plan, { port, host: "127.0.0.1", home, cgroupFile, deviceApi, offload }),
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = exitOf(child);
  const output = logOutput({ out: child.stdout, err: child.stderr }, log);
  const marker = markerOf(plan.spec.replica);
  const of = recordApp(plan.folder, child.pid, port, marker, processes);
  const clear = async (): Promise<void> => {
    if (!of) return;
    const left = await endAll(processes, () => members(processes, of, process.pid));
    if (left.length > 0) {
      const pids = left.map(({ pid }) => pid).join(", ");
      log.note(`processes ${pids} did not end after SIGKILL: the kernel still holds them`);
    }
  };
  const ended = exited.then(async (end) => {
    await clear();
    await Promise.race([output, delay(drainMs)]);
    return end;
  });
  return {
    pid: child.pid ?? null,
    port,
    of,
    exited,
    ended,
    end: (graceMs) => endApp(child, exited, ended, clear, graceMs),
  };
}

async function endApp(
  child: ChildProcess,
  exited: Promise<AppEnd>,
  ended: Promise<AppEnd>,
  clear: () => Promise<void>,
  graceMs: number,
): Promise<void> {
  if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    signalGroup(child.pid, "SIGTERM");
    const grace = new AbortController();
    await Promise.race([exited, delay(graceMs, undefined, { signal: grace.signal }).catch(ignoreAbort)]);
    grace.abort();
    await clear();
  }
  await ended;
}

/** Only while the group's leader is our own unreaped child: its number cannot be anybody else's then. */
function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function recordApp(
  folder: string,
  pid: number | undefined,
  port: number,
  marker: string,
  processes: Processes,
): Membership | null {
  if (pid === undefined) return null;
  const start = processes.stat(pid)?.start ?? "";
  writeStored(folder, "app.json", { pid, start, port, marker } satisfies AppRecord);
  return { root: { pid, start }, marker };
}

function exitOf(child: ChildProcess): Promise<AppEnd> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ exitCode: null, signal: null, failure: error.message }));
    child.once("exit", (exitCode, signal) => resolve({ exitCode, signal, failure: null }));
  });
}

/** Writes what an app prints into its log; resolves when both streams are closed and all of it is there. */
export async function logOutput(streams: Readonly<Record<OutputStream, Readable>>, log: ReplicaLog): Promise<void> {
  const { intake } = log;
  let ticks: NodeJS.Timeout | undefined;
  // An app that prints nothing wakes nobody.
  const tickSoon = (): void => {
    if (intake.waits) ticks ??= setTimeout(tick, tickMs);
  };
  const tick = (): void => {
    ticks = undefined;
    intake.tick();
    tickSoon();
  };
  const closed = Object.entries(streams).map(async ([name, stream]) => {
    stream.on("data", (bytes: Buffer) => {
      intake.push(name as OutputStream, bytes);
      tickSoon();
    });
    await once(stream, "close");
    intake.end(name as OutputStream);
  });
  await Promise.all(closed);
  clearTimeout(ticks);
}

/**
 * A free loopback port below those that the system itself hands out for connections (from 32768 on, usually): so that none of
 * them takes it between our look and the app's listen. Where somebody else does, the app ends and is started anew.
 */
async function freePort(): Promise<number> {
  for (let tried = 0; tried < portsTried; tried++) {
    const port = firstAppPort + Math.floor(Math.random() * (lastAppPort - firstAppPort));
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port was found between ${firstAppPort} and ${lastAppPort} in ${portsTried} tries`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

export function ignoreAbort(error: unknown): void {
  if ((error as Error).name !== "AbortError") throw error;
}
