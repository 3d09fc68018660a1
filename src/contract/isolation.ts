import type { DiskLimit, ReplicaLimits } from "./agent.ts";

/**
 * How closed off the apps of a node are: what was measured in a real sandbox of it, never what was configured. Until `probes` is
 * there it holds what the node's start found: that a sandbox can be made, and which limits can be had.
 */

export interface Isolation {
  /**
   * `own-uid`: the whole recipe, each Space a user of its own, limits by cgroups. `shared-uid`: the whole recipe as the agent's
   * user, limits by rlimits and by looking. `none`: plain processes of the agent's user.
   */
  readonly level: "own-uid" | "shared-uid" | "none";
  /** What makes the sandboxes: the first of these that works on the node. */
  readonly driver: "bubblewrap" | "crun" | "none";
  readonly hostUid: "own" | "shared";
  /** SHA-256 of the seccomp filter that is loaded, in hexadecimal. */
  readonly seccomp: string | null;
  readonly memory: "cgroup1" | "cgroup2" | "polled" | "none";
  readonly processes: "cgroup1" | "cgroup2" | "rlimit" | "none";
  readonly cpu: "cgroup1" | "cgroup2" | "none";
  /** How all processes of one worker are ended for certain. */
  readonly ends: "cgroup-kill" | "tree";
  /**
   * `loop`: /data and all else that an app can write to the disk are file systems of their own, with sizes. `polled`: both are looked
   * at, and an app that has more is ended, which is no limit to the byte. What it has in memory (/tmp, its home) has its size either way.
   */
  readonly disk: "loop" | "polled" | "none";
  /** `gateway+catchall`: what goes to a port without a listener leaves evidence too; it needs nftables. */
  readonly egress: "gateway+catchall" | "gateway" | "none";
  /** What a program inside tried; null until it was run once for this node and recipe. */
  readonly probes: ProbeCount | ProbesFailed | null;
  /** Of each build. Absent: its commands are plain processes, of which time and what they write are looked at, and nothing else. */
  readonly builds?: BuildLimits;
  /** One sentence for people. */
  readonly says: string;
}

/** What limits the commands of one build together; their memory and processes as an app's. */
export interface BuildLimits extends Omit<ReplicaLimits, "data" | "disk"> {
  /** Of the whole build, in milliseconds. */
  readonly wholeMs: number;
  /** What it may write to the disk: it is looked at, and a build that wrote more is ended. */
  readonly writtenBytes: number;
}

/** Of plain processes, and of a build that runs no commands, nothing else is limited. */
export interface PlainBuildLimits extends Pick<BuildLimits, "wholeMs" | "writtenBytes"> {
  readonly memory?: undefined;
}

/** In force on one build. */
export type LimitsOfBuild = BuildLimits | PlainBuildLimits;

/** What is in force, each with who sees to it: a name, and what holds. */
export function limitsSay(limits: ReplicaLimits): readonly (readonly [name: string, says: string])[] {
  const { memory, processes, processors, openFiles, tmpBytes, homeBytes, data, disk } = limits;
  const memoryBy = memory.by === "group" ? "by the kernel" : "looked at once a second";
  return [
    ["memory", `${mebibytes(memory.bytes)}, ${memoryBy}`],
    ["processors", processors === null ? "what others leave" : `the time of ${processors}`],
    ["processes", `${processes.most}, ${processes.by === "group" ? "by the kernel, as a group" : "by rlimit"}`],
    ["open files", `${openFiles} of each process`],
    ["in memory", `/tmp ${mebibytes(tmpBytes)}, home ${mebibytes(homeBytes)}`],
    ...(data ? [["/data", diskSays(data)] as const] : []),
    ...(disk ? [["disk", diskSays(disk)] as const] : []),
  ];
}

/** As {@link limitsSay}, of a build. */
export function buildLimitsSay(limits: LimitsOfBuild): readonly (readonly [name: string, says: string])[] {
  const { wholeMs, writtenBytes } = limits;
  const whole = ["time", `${wholeMs / 1_000} s`] as const;
  return [
    whole,
    ...(limits.memory === undefined ? [] : limitsSay(limits)),
    ["disk", `${mebibytes(writtenBytes)} written, looked at`],
  ];
}

function diskSays({ bytes, by }: DiskLimit): string {
  return `${mebibytes(bytes)}, ${by === "file-system" ? "a file system of its own" : "looked at"}`;
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / (1 << 20))} MiB`;
}

export interface ProbeCount {
  readonly total: number;
  /** What it could do; `expected` of them by design. */
  readonly open: number;
  readonly expected: number;
  /** Names of those that were open and should not be: none, or the node is not what it claims. */
  readonly unexpected: readonly string[];
  /** Why others could not be tried at all: `no /usr/bin/python3`. They are not in `total`. */
  readonly notRun: readonly string[];
  readonly at: string;
}

/** The probes could not be run, so nothing is known. */
export interface ProbesFailed {
  readonly failed: string;
  readonly at: string;
}

/** A node that is not what it claims: something was open that should not be. */
export function isOpen({ probes }: Isolation): boolean {
  return probes !== null && "unexpected" in probes && probes.unexpected.length > 0;
}

/** One sentence about the probes, for people; null where there is no sandbox to try. */
export function probesSay({ level, probes }: Isolation): string | null {
  if (level === "none") return null;
  if (probes === null) return "not tried yet: what an app can do from inside is tried once, soon after the start";
  if ("failed" in probes) return `could not be run, so nothing is known of what an app can do: ${probes.failed}`;
  const { total, open, expected, unexpected, notRun, at } = probes;
  const left = notRun.length === 0 ? "" : `; others were not tried: ${notRun.join("; ")}`;
  if (unexpected.length > 0)
    return `WARNING: apps can do what they should not: ${unexpected.join(", ")} (${open} of ${total} open, ${expected} by design; tried at ${at}${left})`;
  return `${total} ways out were tried from inside a real sandbox at ${at}: ${open === 0 ? "none is open" : `open are ${open}, all by design`}${left}`;
}

/** Plain processes of the agent's user; `says` is why. */
export function noIsolation(says: string): Isolation {
  return {
    level: "none",
    driver: "none",
    hostUid: "shared",
    seccomp: null,
    memory: "none",
    processes: "none",
    cpu: "none",
    ends: "tree",
    disk: "none",
    egress: "none",
    probes: null,
    says,
  };
}
