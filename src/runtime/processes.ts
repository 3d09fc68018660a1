/**
 * Processes of one replica as `/proc` shows them. A process is named by its pid *and* its start time, and the pair is compared
 * before every signal, because pids are used again. Nothing here is certain about a process that left its parent, its session
 * and its environment behind: that takes a pid namespace or a cgroup, which level `none` does not have.
 */
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { constants } from "node:os";
import { setTimeout as delay } from "node:timers/promises";

/** One process, for ever: `start` is field 22 of `/proc/<pid>/stat`. */
export interface ProcessName {
  readonly pid: number;
  readonly start: string;
}

export interface ProcessStat extends ProcessName {
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** As waitpid(2) would give it; only of a zombie, and only where the kernel shows it. */
  readonly waitStatus: number | null;
}

/** What is read of the machine's processes; tests hand in a table. */
export interface Processes {
  stat(pid: number): ProcessStat | undefined;
  /** Every process of the machine. */
  all(): readonly ProcessStat[];
  children(pid: number): readonly number[];
  /** Whether its first environment held `NAME=value`. */
  hasMarker(pid: number, marker: string): boolean;
  signal(process: ProcessName, signal: NodeJS.Signals): void;
  /** Its number in the innermost pid namespace that it is in, and that namespace; undefined where it has gone. */
  inner(pid: number): { readonly pid: number; readonly namespace: string } | undefined;
}

/** Which processes belong to one replica. */
export interface Membership {
  /** The app's first process, also the id of its session and group; in a sandbox its pid 1, above all that runs in it. */
  readonly root: ProcessName;
  /** The app numbers its processes by a pid namespace of its own. */
  readonly sandboxed?: true;
  /** `WAYBILL_REPLICA=p_…`, in the environment of all that the app starts. */
  readonly marker: string;
}

/** What an app's record says of who belongs to it. */
export function membershipOf({ pid, start, marker, sandboxed }: ProcessName & Omit<Membership, "root">): Membership {
  return { root: { pid, start }, marker, ...(sandboxed && { sandboxed }) };
}

const signalNames = Object.entries(constants.signals) as readonly (readonly [NodeJS.Signals, number])[];
/** A chain of parents longer than this is a loop of a changing table, not a family. */
const ancestorsMax = 64;
/** Passes of stop-then-look before the kill; a family that still grows after so many stopped passes isn't stopped by them. */
const stopPassesMax = 20;
/** Rounds after the first: what a fork that was under way left behind is found in the second. */
const roundsMax = 3;
/** How long the kernel may take to end what got SIGKILL; a process in an uninterruptible wait takes longer and is reported. */
const goneWithinMs = 5_000;
const lookEveryMs = 5;

export function linuxProcesses(): Processes {
  return { stat, all, children, hasMarker, signal, inner };
}

export function parseStat(pid: number, text: string): ProcessStat | undefined {
  const fields = text
    .slice(text.lastIndexOf(")") + 2)
    .trimEnd()
    .split(" ");
  const start = fields[19];
  if (start === undefined) return undefined;
  const state = fields[0] as string;
  const waitStatus = state === "Z" && fields[49] !== undefined ? Number(fields[49]) : null;
  return {
    pid,
    start,
    state,
    parent: Number(fields[1]),
    group: Number(fields[2]),
    session: Number(fields[3]),
    waitStatus,
  };
}

/** `{ exitCode }` or `{ signal }` of a wait status. */
export function howEnded(waitStatus: number): { readonly exitCode: number | null; readonly signal: number | null } {
  const signal = waitStatus & 0x7f;
  return signal === 0 ? { exitCode: (waitStatus >> 8) & 0xff, signal: null } : { exitCode: null, signal };
}

/** `SIGTERM` for 15; undefined where this system has no such signal. */
export function signalName(number: number): NodeJS.Signals | undefined {
  return signalNames.find(([, value]) => value === number)?.[0];
}

/** Whether this very process still runs; a zombie does not. */
export function isAlive(processes: Processes, name: ProcessName): boolean {
  const found = processes.stat(name.pid);
  return found !== undefined && found.start === name.start && found.state !== "Z" && found.state !== "X";
}

/** Pid 1 of a sandbox is bubblewrap, or crun's init, and the app's first process the next. */
export const firstPid = 2;

/** The process that a sandboxed app calls `pid`: below its pid 1 and in the same namespace. Never that pid 1 itself. */
export function insideMember(processes: Processes, of: Membership, pid: number): ProcessStat | undefined {
  if (pid <= 1) return undefined;
  const namespace = processes.inner(of.root.pid)?.namespace;
  return family(processes, of.root).find((one) => {
    const inner = processes.inner(one.pid);
    return inner?.pid === pid && inner.namespace === namespace && one.state !== "Z";
  });
}

/** The process `pid` if it belongs to the replica, by its parents, its session, or its environment. Never pid 1, never the caller. */
export function member(processes: Processes, of: Membership, pid: number, self: number): ProcessStat | undefined {
  if (pid <= 1 || pid === self) return undefined;
  const found = processes.stat(pid);
  if (!found || found.state === "Z") return undefined;
  const belongs =
    found.session === of.root.pid ||
    hasAncestor(processes, found, of.root.pid, self) ||
    processes.hasMarker(pid, of.marker);
  return belongs ? found : undefined;
}

/** Which of these replicas a process belongs to, as `member` says; undefined where it is of none, or has gone. */
export function ownerOf<Replica extends { readonly of: Membership }>(
  processes: Processes,
  replicas: readonly Replica[],
  pid: number,
): { readonly replica: Replica; readonly process: ProcessStat } | undefined {
  const process = processes.stat(pid);
  if (process === undefined || pid <= 1) return undefined;
  // What an app says of itself does not count where its processes cannot leave their pid 1.
  const replica = replicas.find(({ of }) =>
    of.sandboxed ? hasAncestor(processes, process, of.root.pid, -1) : member(processes, of, pid, -1) !== undefined,
  );
  return replica && { replica, process };
}

/** `root` and all below it, as the table stands now. */
export function family(processes: Processes, root: ProcessName): readonly ProcessStat[] {
  const first = processes.stat(root.pid);
  if (!first || first.start !== root.start) return [];
  const found = [first];
  const seen = new Set([root.pid]);
  for (let at = 0; at < found.length; at++) {
    for (const pid of processes.children((found[at] as ProcessStat).pid)) {
      const child = seen.has(pid) ? undefined : processes.stat(pid);
      if (!child) continue;
      seen.add(pid);
      found.push(child);
    }
  }
  return found;
}

/** All living processes of a replica: descendants of its root, its session and group, and whatever carries its marker. */
export function members(processes: Processes, of: Membership, self: number): readonly ProcessStat[] {
  // What loses its parent in a pid namespace becomes its pid 1's child, so the family is all of it.
  if (of.sandboxed) return family(processes, of.root).filter(({ state }) => state !== "Z");
  const below = new Set(family(processes, of.root).map(({ pid }) => pid));
  return processes
    .all()
    .filter(
      (one) =>
        one.pid > 1 &&
        one.pid !== self &&
        one.state !== "Z" &&
        (below.has(one.pid) ||
          one.session === of.root.pid ||
          one.group === of.root.pid ||
          processes.hasMarker(one.pid, of.marker)),
    );
}

/**
 * Ends all that `list` finds, for certain: stops them first, then kills, and looks once more. Resolves with those that still live: none, but for one in an uninterruptible wait.
 */
export async function endAll(
  processes: Processes,
  list: () => readonly ProcessStat[],
): Promise<readonly ProcessName[]> {
  for (let round = 0; ; round++) {
    const doomed = stopAll(processes, list);
    for (const one of doomed) processes.signal(one, "SIGKILL");
    const alive = await untilGone(processes, doomed);
    if (alive.length > 0 || doomed.length === 0 || round === roundsMax) return alive;
  }
}

/** Stops all that `list` finds, until two passes in a row find nothing more: what is stopped cannot fork. */
export function stopAll(processes: Processes, list: () => readonly ProcessStat[]): readonly ProcessStat[] {
  const stopped = new Map<string, ProcessStat>();
  for (let pass = 0, quiet = 0; pass < stopPassesMax && quiet < 2; pass++) {
    const grown = list().filter((one) => !stopped.has(nameOf(one)));
    quiet = grown.length === 0 ? quiet + 1 : 0;
    for (const one of grown) {
      stopped.set(nameOf(one), one);
      processes.signal(one, "SIGSTOP");
    }
  }
  return [...stopped.values()];
}

async function untilGone(processes: Processes, doomed: readonly ProcessName[]): Promise<readonly ProcessName[]> {
  const alive = (): readonly ProcessName[] => doomed.filter((one) => isAlive(processes, one));
  for (let waited = 0; waited < goneWithinMs && alive().length > 0; waited += lookEveryMs) await delay(lookEveryMs);
  return alive();
}

/** The ports on which these processes listen, over TCP, v4 and v6; and which of them listens where. */
export function listeningPorts(pids: readonly number[]): ReadonlySet<number> {
  const inodes = listeningSockets();
  const ports = new Set<number>();
  for (const pid of pids) {
    for (const link of openFiles(pid)) {
      const port = inodes.get(/^socket:\[(\d+)\]$/.exec(link)?.[1] ?? "");
      if (port !== undefined) ports.add(port);
    }
  }
  return ports;
}

/** An open file of a process, as the kernel names what is behind it: `socket:[inode]`. */
interface OpenFile {
  readonly path: string;
  readonly target: string;
}

/**
 * Asks whether anybody in this network namespace listens on a TCP port; undefined where that cannot be seen. The kernel's table of
 * sockets costs milliseconds, so a socket that was seen to listen is taken for doing so while one of `pids` has it open, for so many
 * answers: one that was only shut down stays open.
 */
export function listenerWatch(
  port: number,
  pids: () => readonly number[],
  answersByFileMax: number,
): () => boolean | undefined {
  let known: OpenFile | undefined;
  let byFile = 0;
  return () => {
    if (known !== undefined && byFile < answersByFileMax && link(known.path) === known.target) {
      byFile += 1;
      return true;
    }
    known = undefined;
    byFile = 0;
    if (read("/proc/net/tcp") === "") return undefined;
    const targets = new Set([...listeningSockets()].flatMap(([inode, at]) => (at === port ? `socket:[${inode}]` : [])));
    if (targets.size > 0) known = openFileOf(pids(), targets);
    return targets.size > 0;
  };
}

function openFileOf(pids: readonly number[], targets: ReadonlySet<string>): OpenFile | undefined {
  for (const pid of pids) {
    for (const name of names(`/proc/${pid}/fd`)) {
      const path = `/proc/${pid}/fd/${name}`;
      const target = link(path);
      if (targets.has(target)) return { path, target };
    }
  }
  return undefined;
}

/** Ports by inode (proc_pid_net(5)); state 0A is LISTEN. */
function listeningSockets(): ReadonlyMap<string, number> {
  const ports = new Map<string, number>();
  for (const table of ["tcp", "tcp6"]) {
    for (const line of read(`/proc/net/${table}`).split("\n").slice(1)) {
      const columns = line.trim().split(/\s+/);
      if (columns[3] !== "0A") continue;
      ports.set(columns[9] as string, Number.parseInt((columns[1] as string).split(":")[1] as string, 16));
    }
  }
  return ports;
}

function nameOf({ pid, start }: ProcessName): string {
  return `${pid}@${start}`;
}

function hasAncestor(processes: Processes, of: ProcessStat, ancestor: number, self: number): boolean {
  let at: ProcessStat | undefined = of;
  for (let step = 0; step < ancestorsMax && at && at.pid > 1 && at.pid !== self; step++) {
    if (at.pid === ancestor) return true;
    at = processes.stat(at.parent);
  }
  return false;
}

function stat(pid: number): ProcessStat | undefined {
  return parseStat(pid, read(`/proc/${pid}/stat`));
}

function all(): readonly ProcessStat[] {
  return names("/proc").flatMap((name) => (/^\d+$/.test(name) ? (stat(Number(name)) ?? []) : []));
}

function children(pid: number): readonly number[] {
  return names(`/proc/${pid}/task`).flatMap((task) =>
    read(`/proc/${pid}/task/${task}/children`).split(" ").filter(Boolean).map(Number),
  );
}

function hasMarker(pid: number, marker: string): boolean {
  return `\0${read(`/proc/${pid}/environ`)}`.includes(`\0${marker}\0`);
}

function signal(name: ProcessName, which: NodeJS.Signals): void {
  if (stat(name.pid)?.start !== name.start) return;
  try {
    process.kill(name.pid, which);
  } catch (error) {
    // It ended between the look and the signal, or became another user's (set-uid): either way it isn't ours to signal.
    if (!isCode(error, "ESRCH") && !isCode(error, "EPERM")) throw error;
  }
}

function inner(pid: number): { readonly pid: number; readonly namespace: string } | undefined {
  const numbers = /^NSpid:\t(.+)$/m.exec(read(`/proc/${pid}/status`))?.[1]?.split("\t");
  const namespace = link(`/proc/${pid}/ns/pid`);
  return numbers === undefined || namespace === "" ? undefined : { pid: Number(numbers.at(-1)), namespace };
}

function openFiles(pid: number): readonly string[] {
  return names(`/proc/${pid}/fd`).map((fd) => link(`/proc/${pid}/fd/${fd}`));
}

// A process may end between any two of these reads, so what is absent reads as empty.
function read(path: string): string {
  return gone(() => readFileSync(path, "latin1"), "");
}

function names(path: string): readonly string[] {
  return gone(() => readdirSync(path), []);
}

function link(path: string): string {
  return gone(() => readlinkSync(path), "");
}

const goneCodes = ["ENOENT", "ESRCH", "EACCES", "EPERM", "ENOTDIR", "EINVAL"];

function gone<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch (error) {
    if (goneCodes.some((code) => isCode(error, code))) return otherwise;
    throw error;
  }
}

function isCode(error: unknown, code: string): boolean {
  return (error as { code?: unknown }).code === code;
}
