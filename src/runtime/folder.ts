/**
 * What lies where in a replica's folder. The shim writes it, the agent reads it, also when one of the two is dead.
 *
 *   plan.json      what to run (LaunchPlan and where the sockets are) without the secrets; written by the agent before the shim starts
 *   shim.out       what the shim itself prints: nothing, unless it fails
 *   shim.json      { pid, start, contract }  the shim's process, and which messages it speaks
 *   app.json       { pid, start, port, marker }  the app's first process; in a sandbox its pid 1
 *   cgroup         lines that end in `/<replica>`: read by `spaces` instead of /proc/self/cgroup
 *   log.N          log lines as JSON, one a line; N is the number of its first line
 *   meter.jsonl    meter reports that may not be acknowledged yet
 *   spool/         the shim's evidence
 *   etc/           in a sandbox its /etc; filter.bpf its seccomp filter; bundle/ where crun's bundle lies, in memory
 *   layer/         what a sandboxed app wrote into its own folder, and scratch/ where it packs tensors; where the agent is root all
 *                  of it is in a file system that only its shim has mounted; its file lies elsewhere (sandbox/prepare.ts)
 *   exit.json      the final ReplicaStatus, synced; from then on nothing changes
 *   ctl.sock, in.sock   or, where the folder's path is too long for a socket's address, in a short folder named in plan.json
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { ReplicaSpec, ReplicaStatus } from "../contract/agent.ts";
import type { ReleaseManifest } from "../contract/release.ts";
import type { ProcessName } from "./processes.ts";
import type { SandboxDriver } from "./sandbox/way.ts";
import type { Volume } from "./sandbox/volume.ts";

/** What a shim is started with. Paths are absolute. */
export interface LaunchPlan {
  /** The replica's own folder; made if it is absent. */
  readonly folder: string;
  readonly spec: ReplicaSpec;
  readonly release: ReleaseManifest;
  /** The release on this node's disk, with the app's files in `app/`. */
  readonly releaseFolder: string;
  /** The app's port; a free one is chosen where it is absent. */
  readonly port?: number;
  /** How it is closed off; null: a plain process of the agent's user, because the operator asked for that. */
  readonly sandbox: SandboxPlan | null;
}

/** The sandbox of one replica, as its agent prepared it. */
export interface SandboxPlan {
  readonly driver: SandboxDriver;
  /** The user of the replica's Space on this node; null where the agent is not root and has no other than its own. */
  readonly hostUid: number | null;
  /** cgroup folders that were made for it and belong to its user; null where there are none to be had. */
  readonly cgroups: CgroupPlan | null;
  readonly limits: SandboxLimits;
  /** TCP ports that get a listener of their own towards the gateway; all others go through the catch-all, where there is nftables. */
  readonly ports: readonly number[];
  /** The Space's folder that outlives its replicas, `/data` inside. */
  readonly dataFolder: string;
  /** What it may write of the disk; absent in the plan of an older version, which bounded none of it. */
  readonly disk?: DiskPlan;
  /** Device nodes of real cards that it may open. */
  readonly devices: readonly string[];
  /** Files of the cards' driver for an app whose files are an image's: it has no others of the machine. Absent: none. */
  readonly driverFiles?: readonly DriverFile[];
}

/** A file of the machine, and the name by which programs look for it. */
export interface DriverFile {
  readonly name: string;
  readonly path: string;
}

export interface DiskPlan {
  /** Of all replicas of the Space together. */
  readonly data: DiskShare;
  /** Beside its code, or all of its image, and in /scratch. */
  readonly layer: DiskShare;
  /** What the machine's disk keeps free: a replica that writes on when there is less is ended. */
  readonly reserveBytes: number;
}

export interface DiskShare {
  readonly bytes: number;
  /** The file system that bounds it; null: it is looked at, and an app that has more is ended. */
  readonly volume: Volume | null;
}

export interface CgroupPlan {
  /** Folders whose `cgroup.procs` the app's first process is written into: `…/memory/waybill-…/p_…`. */
  readonly join: readonly string[];
  /** Of the v2 tree: all of the app, with a group of its own for each worker, that can be killed whole; null where there is none. */
  readonly workers: string | null;
  /** Of the v2 tree, beside `workers`: where the shim itself goes. */
  readonly shim: string | null;
  /** The file whose line `oom_kill N` counts what the kernel ended for want of memory in this replica; null where memory has no group. */
  readonly oomCounter: string | null;
}

export interface SandboxLimits {
  readonly memoryBytes: number;
  /** Threads count too. */
  readonly processes: number;
  readonly openFiles: number;
  readonly tmpBytes: number;
  readonly shmBytes: number;
  readonly homeBytes: number;
  /** Processors' worth of time; absent: no limit. */
  readonly processors?: number;
}

/** Of the disk, for one replica. */
export interface DiskLimits {
  readonly dataBytes: number;
  readonly layerBytes: number;
  /** The sizes of all may be more than the disk has: so much of it stays free for the platform. */
  readonly reserveBytes: number;
}

export interface StoredPlan extends LaunchPlan {
  /** Where `ctl.sock` and `in.sock` are. */
  readonly sockets: string;
  /** Folders for the app's PATH, the running Node's first. */
  readonly path: readonly string[];
}

export interface ShimRecord extends ProcessName {
  /** The version of contract/shim.ts that it speaks; absent: 1. */
  readonly contract?: number;
}

export interface AppRecord extends ProcessName {
  readonly port: number;
  readonly marker: string;
  /** It is the pid 1 of a sandbox, as the host numbers it. */
  readonly sandboxed?: true;
}

/** A unix socket's address has 108 bytes, its closing zero included. */
export const socketPathMaxBytes = 107;

export const socketNames = { control: "ctl.sock", inbound: "in.sock" } as const;

/** The folder itself where socket addresses fit; else a fresh one (mode 0700) under `short`. */
export function socketFolder(folder: string, short = tmpdir()): string {
  if (Buffer.byteLength(join(folder, socketNames.control)) <= socketPathMaxBytes) return folder;
  mkdirSync(short, { recursive: true, mode: 0o700 });
  return mkdtempSync(join(short, "wb-"));
}

/** A folder may belong to a replica's user and who reads and writes there be root: no link is followed, and no pipe holds anybody up. */
const readOwn = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export function writeStored(folder: string, name: string, value: unknown): void {
  const path = join(folder, name);
  // What lies in its way goes: of a writer that was killed, or a link.
  rmSync(`${path}.new`, { recursive: true, force: true });
  const fd = openSync(`${path}.new`, "wx", 0o600);
  try {
    writeSync(fd, `${JSON.stringify(value)}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${path}.new`, path);
  syncFolder(dirname(path));
}

/** The stored value; undefined where there is none. A damaged file throws `SyntaxError`. */
export function readStored<T>(folder: string, name: string): T | undefined {
  const text = readText(folder, name);
  return text === undefined ? undefined : (JSON.parse(text) as T);
}

/** What a file of a replica's folder says; undefined where there is none, or what lies there is a link and none of ours. */
export function readText(folder: string, name: string): string | undefined {
  let fd: number;
  try {
    fd = openSync(join(folder, name), readOwn);
  } catch (error) {
    if (["ENOENT", "ELOOP"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
  try {
    return fstatSync(fd).isFile() ? readFileSync(fd, "utf8") : undefined;
  } finally {
    closeSync(fd);
  }
}

export const readPlan = (folder: string): StoredPlan | undefined => readStored<StoredPlan>(folder, "plan.json");
export const readShim = (folder: string): ShimRecord | undefined => readStored<ShimRecord>(folder, "shim.json");
export const readApp = (folder: string): AppRecord | undefined => readStored<AppRecord>(folder, "app.json");
export const readExit = (folder: string): ReplicaStatus | undefined => readStored<ReplicaStatus>(folder, "exit.json");

/** Where the layer of a replica and its scratch are, in its folder. */
export const layerName = "layer";
/** What the shim itself prints. */
export const shimOutput = "shim.out";
/** The file that is in a replica's folder from when its volumes are mounted on. */
export const volumesMountedName = "volumes.mounted";

/** Those that are mounted for it, in their order. */
export const volumesOf = (disk: DiskPlan | undefined): readonly Volume[] =>
  (disk ? [disk.data, disk.layer] : []).flatMap(({ volume }) => volume ?? []);

/** `WAYBILL_REPLICA=p_…`: how all that an app starts is known, whoever its parent is by then. */
export const markerOf = (replica: string): string => `WAYBILL_REPLICA=${replica}`;

function syncFolder(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
