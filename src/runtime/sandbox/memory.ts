/**
 * The memory of a sandbox. Where its group limits it, the kernel does and counts; where there is no group, we look once a second and
 * end one that has too much. Either way its owner is told what happened.
 */
import { readFileSync } from "node:fs";
import type { SandboxPlan } from "../folder.ts";
import { members, type Membership, type Processes } from "../processes.ts";
import { oomKills } from "./cgroups.ts";

export interface MemoryWatch {
  /** Whether want of memory is what ended its first process: asked when that got a SIGKILL that nobody of us sent. */
  endedIt(): boolean;
  /** Whether any of its processes was ended for want of memory. */
  ranOut(): boolean;
  close(): void;
}

type Limited = Pick<SandboxPlan, "cgroups" | "limits">;

export interface WatchedMemory {
  readonly sandbox: Limited;
  readonly of: Membership;
  readonly processes: Processes;
  /** A line for its owner. */
  note(text: string): void;
  /** Ends all of it. */
  end(): void;
}

const lookEveryMs = 1_000;
/** The kernel acts by itself, and the sandbox's own end is asked for when it comes. */
const countEveryMs = 2_000;
const mib = 1 << 20;

export function watchMemory(watched: WatchedMemory): MemoryWatch {
  return typeof watched.sandbox.cgroups?.oomCounter === "string" ? countKills(watched) : pollMemory(watched);
}

/** A kill of one process that leaves the others running is a line in the log; the sandbox's own end says it by itself. */
function countKills({ sandbox, note }: WatchedMemory): MemoryWatch {
  const counter = sandbox.cgroups?.oomCounter ?? null;
  const atFirst = oomKills(counter);
  let told = atFirst;
  let seen = told;
  const timer = setInterval(() => {
    // Told a look later: the end, if it is that, comes first.
    if (seen > told) note(`${memoryOf(sandbox)} were used up, and the kernel killed ${seen - told} of its processes`);
    told = seen;
    seen = oomKills(counter);
  }, countEveryMs);
  return {
    endedIt: () => oomKills(counter) > told,
    ranOut: () => oomKills(counter) > atFirst,
    close: () => clearInterval(timer),
  };
}

function pollMemory({ sandbox, of, processes, note, end }: WatchedMemory): MemoryWatch {
  let exceeded = false;
  const timer = setInterval(() => {
    const pids = members(processes, of, process.pid).map(({ pid }) => pid);
    // Pages that workers share with their parent count for each of them, so what looks like too much is looked at more closely.
    if (exceeded || sum(pids, residentBytes) <= sandbox.limits.memoryBytes) return;
    const bytes = sum(pids, sharedOutBytes);
    if (bytes <= sandbox.limits.memoryBytes) return;
    exceeded = true;
    note(`it uses ${Math.round(bytes / mib)} MiB of ${memoryOf(sandbox)}: the platform ends it`);
    end();
  }, lookEveryMs);
  return { endedIt: () => exceeded, ranOut: () => exceeded, close: () => clearInterval(timer) };
}

const memoryOf = ({ limits }: Limited): string =>
  `the ${Math.round(limits.memoryBytes / mib)} MiB of memory that it may use`;

const sum = (pids: readonly number[], of: (pid: number) => number): number =>
  pids.reduce((total, pid) => total + of(pid), 0);

/** RssAnon and RssShmem of proc_pid_status(5): files that are mapped can be given back. */
function residentBytes(pid: number): number {
  return kibibytes(`/proc/${pid}/status`, /^(?:RssAnon|RssShmem):\s+(\d+) kB$/gm);
}

/** Pss_Anon and Pss_Shmem of proc_pid_smaps(5): each page divided by those who share it. Slow: milliseconds a process. */
function sharedOutBytes(pid: number): number {
  return kibibytes(`/proc/${pid}/smaps_rollup`, /^(?:Pss_Anon|Pss_Shmem):\s+(\d+) kB$/gm);
}

function kibibytes(file: string, fields: RegExp): number {
  let text: string;
  try {
    text = readFileSync(file, "latin1");
  } catch {
    return 0; // it ended between the look at the table and this one
  }
  return [...text.matchAll(fields)].reduce((total, [, value]) => total + Number(value) * 1024, 0);
}
