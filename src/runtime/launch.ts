/** The agent's side of a replica: start its shim so that it outlives us, find it again, and tell what became of a dead one. */
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, lchownSync, mkdirSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ReplicaStatus } from "../contract/agent.ts";
import { shimContract } from "../contract/shim.ts";
import { assert } from "../stdx/assert.ts";
import {
  markerOf,
  readApp,
  readExit,
  readPlan,
  readShim,
  readText,
  shimOutput,
  socketFolder,
  volumesMountedName,
  volumesOf,
  writeStored,
  type LaunchPlan,
  type SandboxPlan,
  type StoredPlan,
} from "./folder.ts";
import { connectLink, type ReplicaLink } from "./link.ts";
import { readLogFiles, type LogPart } from "../log/segments.ts";
import { giveTree } from "./ownership.ts";
import { hostCommand, type Stage } from "./sandbox/stage.ts";
import { volumeAtWork, volumeFailed, volumeLow } from "./sandbox/volume.ts";
import { programNeeds, shimEnvironment, shimFlags, shimPath, type ShimProgram } from "./shim-program.ts";
import { placeOf, type SpareShims } from "./spares.ts";
import { endAll, isAlive, linuxProcesses, members, type Processes } from "./processes.ts";

export type { LaunchPlan } from "./folder.ts";
export type { ReplicaLink } from "./link.ts";

export interface LaunchTools extends ShimProgram {
  /** Told to the shim; 0 where it does not matter. */
  readonly agentEpoch?: number;
  /** Where sockets go when the replica's folder is too deep for a socket's address; the system's temporary folder where absent. */
  readonly shortFolder?: string;
  /** One that was started in advance is taken from there, where one waits and fits. */
  readonly spares?: Pick<SpareShims, "take" | "waiting">;
  /** Called when the replica's folders are there, before its shim starts: its gateway's door must be open by then. */
  readonly beforeStart?: (plan: StoredPlan) => Promise<void>;
}

/** A replica whose shim is dead, and how it ended. What it could not report any more is in its folder: `meter.jsonl`, `spool/`. */
export interface DeadReplica {
  readonly dead: ReplicaStatus;
}

/** A cold start with eviction took under 3 s; a machine that takes longer has other troubles. */
const startWithinMs = 15_000;
/** Before it, a /data of many gigabytes may have to be copied or checked, which says so. */
const volumesWithinMs = 1_800_000;
/** A shim that lives answers in milliseconds. */
const answerWithinMs = 5_000;
/** A shim's own grace for its app, and what it needs beyond that. */
const endWithinMs = 10_000;
const lookEveryMs = 10;
const shimOutputShown = 2_000;

/** The shim could not be started: `message` ends with what it printed. */
export class LaunchFailure extends Error {
  override readonly name = "LaunchFailure";
  readonly code: "runtime/shim-lost" | "runtime/sandbox-denied" | "runtime/disk-failed" | "runtime/disk-low";

  constructor(message: string, code: LaunchFailure["code"]) {
    super(message);
    this.code = code;
  }
}

/** How the programs on a shim's way into its namespaces begin their complaints. */
const saysDenied = /^It printed: (?:unshare|setpriv|mount|mkdir|rm|sh|\/bin\/sh): /;

/**
 * Starts the shim, detached, and with it the app. Resolves when the shim answers: the app may still be starting.
 * Rejects with a {@link LaunchFailure}. A folder starts one replica, once.
 */
export async function launch(plan: LaunchPlan, tools: LaunchTools): Promise<ReplicaLink> {
  mkdirSync(plan.folder, { recursive: true, mode: 0o700 });
  assert(readPlan(plan.folder) === undefined, "a replica's folder is used once");
  const path = shimPath(tools);
  // No file holds a secret: the shim is told through a pipe, and keeps them for the agents to come.
  const { secrets = {}, ...spec } = plan.spec;
  const stored: StoredPlan = { ...plan, spec, sockets: socketFolder(plan.folder, tools.shortFolder), path };
  writeStored(plan.folder, "plan.json", stored);
  if (plan.sandbox !== null && plan.sandbox.hostUid !== null) await giveTo(plan.sandbox.hostUid, stored);
  await tools.beforeStart?.(stored);
  if (stored.sandbox !== null) makeOwnFolders(stored.sandbox);
  const spare = takeSpare(stored, tools);
  const child = spare?.child ?? startShim(stored, secrets, tools);
  let failed: string | undefined;
  child.once("error", (error) => (failed = error.message));
  child.once("exit", (code, signal) => (failed ??= `it ended with ${signal ?? `exit code ${code}`}`));
  let denied = false;
  void spare?.become(secrets).catch((error: Error) => {
    denied = true;
    failed ??= error.message;
  });
  const mayTake = (waited: number): boolean =>
    waited < startWithinMs || (waited < volumesWithinMs && printed(plan.folder).includes(volumeAtWork));
  for (let waited = 0; failed === undefined && mayTake(waited); waited += lookEveryMs) {
    const link = await tryConnect(stored, tools.agentEpoch ?? 0);
    if (link) return link;
    await delay(lookEveryMs);
  }
  // A shim that is only slow must not start the app later, when another replica has taken its place; nor may what it waits for go on.
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
    process.kill(-child.pid, "SIGKILL");
  await endOrphans(stored, linuxProcesses());
  const how = failed ?? `nothing within ${startWithinMs} ms`;
  const said = printed(plan.folder);
  if (said.includes(volumeLow)) throw new LaunchFailure(said, "runtime/disk-low");
  if (said.includes(volumeFailed))
    throw new LaunchFailure(`the replica's disk could not be made or mounted. ${said}`, "runtime/disk-failed");
  if (plan.sandbox !== null && (denied || saysDenied.test(said)))
    throw new LaunchFailure(`the sandbox could not be made: ${how}. ${said}`, "runtime/sandbox-denied");
  throw new LaunchFailure(`the shim did not start: ${how}. ${said}`, "runtime/shim-lost");
}

/**
 * Finds the replica of `folder` after the agent's restart. A dead shim's app and all that it started are ended first, then its
 * end is told: by its own record where it left one, else as `lost`. Rejects where the folder holds no replica.
 */
export async function adopt(
  folder: string,
  agentEpoch = 0,
  processes: Processes = linuxProcesses(),
): Promise<ReplicaLink | DeadReplica> {
  const plan = readPlan(folder);
  if (!plan) throw new Error(`no replica was started in ${folder}`);
  const strange = strangerSays(folder);
  const link = strange === undefined ? await untilAnswered(plan, agentEpoch, processes) : undefined;
  if (link) return link;
  if (strange !== undefined) await endShim(folder, processes);
  // One that was ended for its version wrote that it was told to stop: nobody wanted that of the app.
  const known = strange === undefined ? readExit(folder) : undefined;
  const dead = known ?? lostStatus(plan, strange);
  // Written first: a shim that is only just starting finds it, or is found by its record below.
  try {
    if (known === undefined) writeStored(folder, "exit.json", dead);
  } finally {
    await endOrphans(plan, processes);
  }
  return { dead };
}

/** The log of a replica whose shim is dead, or of any replica: the files are the log. */
export function readReplicaLog(folder: string, from: number, limit: number): LogPart {
  return readLogFiles(folder, from, limit);
}

/**
 * What the Space's user must own. The release too: the kernel copies a file into the layer above it only for an owner whom the
 * sandbox knows. Nothing is written into the release for that, and the app sees it through its layer alone.
 */
async function giveTo(uid: number, plan: StoredPlan): Promise<void> {
  // The folder last: whoever has it may change what lies in it.
  for (const path of [join(plan.folder, "plan.json"), plan.sockets, plan.folder]) lchownSync(path, uid, uid);
  await giveTree(join(plan.releaseFolder, "app"), uid);
  if (plan.release.image !== undefined) await giveTree(plan.release.image.root, uid);
}

/** Starts a shim for this replica. */
function startShim(stored: StoredPlan, secrets: Readonly<Record<string, string>>, tools: LaunchTools): ChildProcess {
  const output = openSync(join(stored.folder, shimOutput), "a", 0o600);
  const shim = [tools.nodePath, ...shimFlags, tools.shimEntry, stored.folder] as const;
  const [command, ...rest] = stored.sandbox === null ? shim : stagedShim(stored, stored.sandbox, shim, tools);
  const child = spawn(command, rest, {
    // Not a folder of ours: it would stay open behind whatever is put over it.
    cwd: stored.sandbox === null ? stored.folder : "/",
    detached: true,
    env: shimEnvironment(tools),
    stdio: ["pipe", output, output],
  });
  closeSync(output);
  // A shim that ends before it has read them tells so by its end.
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(JSON.stringify(secrets));
  child.unref();
  return child;
}

/** One that waits, where it can be put in this replica's place. */
function takeSpare(stored: StoredPlan, tools: LaunchTools) {
  if (tools.spares?.waiting === undefined || stored.sandbox === null) return undefined;
  const place = placeOf(stored, stored.sandbox, reachOf(stored, stored.sandbox, tools));
  const spare = place === null ? undefined : tools.spares.take();
  if (place === null || spare === undefined) return undefined;
  return { child: spare.child, become: (secrets: Readonly<Record<string, string>>) => spare.become(place, secrets) };
}

/** What a shim must reach, and what it must not write. */
function reachOf(plan: StoredPlan, { dataFolder }: SandboxPlan, tools: LaunchTools): Pick<Stage, "needs" | "frozen"> {
  const released = [plan.releaseFolder, ...(plan.release.image === undefined ? [] : [plan.release.image.root])];
  const needs = [
    ...[...released, plan.folder, plan.sockets, dataFolder],
    ...programNeeds(tools),
    ...(plan.release.needs ?? []),
    ...(plan.sandbox?.driverFiles ?? []).map(({ path }) => path),
  ];
  return { needs: [...new Set(needs)], frozen: released };
}

/** Its own layer's folder and file: programs less on the way. What lasts is another replica's too, which may be moving it. */
function makeOwnFolders({ disk }: SandboxPlan): void {
  for (const { at, image } of volumesOf(disk).filter(({ lasts }) => !lasts)) {
    mkdirSync(at, { recursive: true });
    closeSync(openSync(image, "a", 0o600));
  }
}

/** The command that takes the shim into namespaces of its own, as its Space's user where there is one. */
function stagedShim(
  plan: StoredPlan,
  sandbox: SandboxPlan,
  shim: readonly string[],
  tools: LaunchTools,
): readonly [string, ...string[]] {
  const { hostUid, cgroups, disk } = sandbox;
  const all = volumesOf(disk);
  const volumes = all.length === 0 ? {} : { volumes: { all, mounted: join(plan.folder, volumesMountedName) } };
  return hostCommand({ hostUid, ...reachOf(plan, sandbox, tools), cgroup: cgroups?.shim ?? null, ...volumes }, shim);
}

async function untilAnswered(
  plan: StoredPlan,
  agentEpoch: number,
  processes: Processes,
): Promise<ReplicaLink | undefined> {
  const link = await tryConnect(plan, agentEpoch);
  if (link || readExit(plan.folder)) return link;
  for (let waited = 0; waited < answerWithinMs; waited += lookEveryMs) {
    const shim = readShim(plan.folder);
    if (!shim || !isAlive(processes, shim)) break;
    const later = await tryConnect(plan, agentEpoch);
    if (later) return later;
    await delay(lookEveryMs);
  }
  return undefined;
}

async function tryConnect(plan: StoredPlan, agentEpoch: number): Promise<ReplicaLink | undefined> {
  try {
    return await connectLink(plan, agentEpoch, answerWithinMs);
  } catch {
    return undefined; // absent, refused, closed or silent: the caller looks at the process and decides
  }
}

/** A silent shim is ended with its app: half a replica can neither be carried on nor be left. */
async function endOrphans(plan: StoredPlan, processes: Processes): Promise<void> {
  const shim = readShim(plan.folder);
  if (shim && isAlive(processes, shim))
    await endAll(processes, () =>
      isAlive(processes, shim) ? [processes.stat(shim.pid)].flatMap((one) => one ?? []) : [],
    );
  const marker = markerOf(plan.spec.replica);
  const app = readApp(plan.folder);
  const root = app && isAlive(processes, app) ? app : { pid: -1, start: "" };
  const of = { root, marker, ...(app?.sandboxed && root === app ? { sandboxed: true as const } : {}) };
  await endAll(processes, () => members(processes, of, process.pid));
}

/** A shim of another version that we cannot talk to; undefined where we can. */
function strangerSays(folder: string): string | undefined {
  const shim = readShim(folder);
  const speaks = shim?.contract ?? 1;
  if (!shim || readExit(folder) || (speaks >= shimContract.oldest && speaks <= shimContract.speaks)) return undefined;
  const { oldest, speaks: newest } = shimContract;
  return `Its shim speaks version ${speaks} of the messages between shim and agent, and this agent ${oldest} to ${newest}: it was ended, to be started again.`;
}

/** As an operator would end it: it ends its app, with its grace. One that does not is ended with its app by whoever asked. */
async function endShim(folder: string, processes: Processes): Promise<void> {
  const shim = readShim(folder);
  if (!shim) return;
  processes.signal(shim, "SIGTERM");
  for (let waited = 0; waited < endWithinMs && isAlive(processes, shim); waited += lookEveryMs)
    await delay(lookEveryMs);
}

function lostStatus({ spec, folder }: StoredPlan, strange?: string): ReplicaStatus {
  const says =
    strange ?? `The shim of ${spec.replica} died without a word, and its app was ended. ${printed(folder)}`.trimEnd();
  const end = { code: "runtime/shim-lost", exitCode: null, signal: null, says };
  // The shim knew the instant; its plan was written just before.
  const startedAt = Math.floor(statSync(join(folder, "plan.json")).mtimeMs);
  return {
    replica: spec.replica,
    space: spec.space,
    release: spec.release,
    phase: "lost",
    socket: null,
    startedAt,
    ...(spec.setup && { setup: spec.setup }),
    end,
  };
}

function printed(folder: string): string {
  const text = readText(folder, shimOutput)?.trim() ?? "";
  return text === "" ? "" : `It printed: ${text.slice(-shimOutputShown)}`;
}
