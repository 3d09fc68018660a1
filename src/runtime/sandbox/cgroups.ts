/**
 * Control groups of a replica: made and limited by an agent that is root, joined by the app alone, so that running out of memory
 * ends the app and not its shim.
 *
 *   v1   …/memory/waybill/p_1, …/pids/…, …/cpu/…            limits only
 *   v2   …/waybill/p_1/shim                                  the shim: whoever moves processes must be in the subtree itself
 *        …/waybill/p_1/app/main, …/app/w-<pid>-<start>       the app, and each of its workers; `app` holds the limits
 *
 * A machine may have both: limits by v1, and a v2 tree without controllers, which still ends all of a group at once.
 */
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { CgroupPlan, SandboxLimits } from "../folder.ts";

export type CgroupVersion = "cgroup1" | "cgroup2";

/** What groups can do here, found by making one in each tree; null and false: nothing. */
export interface CgroupsHere {
  readonly memory: CgroupVersion | null;
  readonly processes: CgroupVersion | null;
  readonly processor: CgroupVersion | null;
  /** All of a group can be ended at once. */
  readonly kill: boolean;
}

export const noCgroups: CgroupsHere = { memory: null, processes: null, processor: null, kill: false };

const root = "/sys/fs/cgroup";
const ours = "waybill";
/** A v2 tree is mounted beside those of v1, or alone. */
const unifiedRoots = [join(root, "unified"), root];
/** The folders that v1 controllers are mounted at, and what v2 calls them. */
const controllers = { memory: "memory", processes: "pids", processor: "cpu" } as const;
type Kind = keyof typeof controllers;
const kinds = Object.keys(controllers) as readonly Kind[];
/** cpu.max and cpu.cfs_quota_us count in these. */
const periodUs = 100_000;
const lookEveryMs = 50;
/** A shim stays for a minute at most after its app's end, so that its agent hears of it. */
const removeWithinMs = 90_000;

/** For an agent that is root; makes and removes a group in each tree. */
export function cgroupsHere(): CgroupsHere {
  const unified = unifiedRoots.find((path) => existsSync(join(path, "cgroup.controllers")));
  const probe = `probe-${process.pid}`;
  const found = { memory: null, processes: null, processor: null } as Record<Kind, CgroupVersion | null>;
  for (const kind of kinds)
    if (tryGroup(join(root, controllers[kind], ours, probe), limitFile("cgroup1", kind))) found[kind] = "cgroup1";
  if (unified === undefined) return { ...found, kill: false };
  const wanted = kinds.filter((kind) => found[kind] === null);
  const given = wanted.filter((kind) => enable([unified, join(unified, ours)], controllers[kind]));
  for (const kind of given)
    if (tryGroup(join(unified, ours, probe), limitFile("cgroup2", kind))) found[kind] = "cgroup2";
  return { ...found, kill: tryGroup(join(unified, ours, probe), "cgroup.kill") };
}

/** Makes a replica's groups with their limits; its Space's user may join them, and divide the app's. Null where there are none. */
export function makeCgroups(replica: string, uid: number, limits: SandboxLimits, here: CgroupsHere): CgroupPlan | null {
  const joined: string[] = [];
  for (const kind of kinds) {
    const value = limitOf(kind, limits);
    if (here[kind] !== "cgroup1" || value === null) continue;
    const group = join(root, controllers[kind], ours, replica);
    mkdirSync(group, { recursive: true });
    writeFileSync(join(group, limitFile("cgroup1", kind)), value.v1);
    chownSync(join(group, "cgroup.procs"), uid, uid);
    joined.push(group);
  }
  const tree = makeTree(replica, uid, limits, here);
  if (tree) joined.push(join(tree, "app", "main"));
  if (joined.length === 0) return null;
  const oomOf = {
    cgroup1: join(root, controllers.memory, ours, replica, "memory.oom_control"),
    cgroup2: join(tree ?? "", "app", "memory.events"),
  };
  return {
    join: joined,
    workers: tree === null ? null : join(tree, "app"),
    shim: tree === null ? null : join(tree, "shim"),
    oomCounter: here.memory === null ? null : oomOf[here.memory],
  };
}

/** Which limits of its groups are in force on a process: it is in the group, and the group's file says what it was given. */
export function limitsInForce(
  replica: string,
  pid: number,
  limits: SandboxLimits | undefined,
  here: CgroupsHere,
): Pick<CgroupsHere, Kind> {
  const unified = unifiedRoots.find((path) => existsSync(join(path, "cgroup.controllers"))) ?? "";
  const inForce = (kind: Kind): CgroupVersion | null => {
    const version = here[kind];
    const value = limits && limitOf(kind, limits);
    if (version === null || !value) return null;
    const group = version === "cgroup1" ? join(root, controllers[kind], ours, replica) : join(unified, ours, replica);
    const [limited, joined] = version === "cgroup1" ? [group, group] : [join(group, "app"), join(group, "app", "main")];
    const has = read(join(joined, "cgroup.procs")).split("\n").includes(String(pid));
    const wanted = version === "cgroup1" ? value.v1 : value.v2;
    return has && read(join(limited, limitFile(version, kind))).trim() === wanted ? version : null;
  };
  return { memory: inForce("memory"), processes: inForce("processes"), processor: inForce("processor") };
}

/** What the files of a replica's groups say now; null where a kind has no group. */
export function groupLimits(plan: CgroupPlan | null): Readonly<Record<Kind, number | null>> {
  const folders = [...(plan?.join ?? []), ...(plan?.workers ? [plan.workers] : [])];
  const first = (kind: Kind): number | null => {
    const texts = folders.flatMap((folder) =>
      (["cgroup1", "cgroup2"] as const).map((version) => read(join(folder, limitFile(version, kind))).trim()),
    );
    const number = Number.parseInt(texts.find((text) => /^\d/.test(text)) ?? "", 10);
    return Number.isNaN(number) ? null : number;
  };
  const quotaUs = first("processor");
  return {
    memory: first("memory"),
    processes: first("processes"),
    processor: quotaUs === null ? null : quotaUs / periodUs,
  };
}

/**
 * Ends what is left in a replica's groups and removes them; resolves with false where something stays in them. `holds`: this process waits
 * for it, as a command does that has nothing else to wait for; a node that stops does not.
 */
export async function removeCgroups(
  replica: string,
  { withinMs = removeWithinMs, holds = false }: { readonly withinMs?: number; readonly holds?: boolean } = {},
): Promise<boolean> {
  const trees = [...new Set([...kinds.map((kind) => join(root, controllers[kind])), ...unifiedRoots])];
  const groups = trees.map((tree) => join(tree, ours, replica)).filter((group) => existsSync(group));
  for (const group of groups) killGroup(join(group, "app"));
  for (let waited = 0; ; waited += lookEveryMs) {
    const left = groups.filter((group) => !removeTree(group));
    if (left.length === 0) return true;
    if (waited >= withinMs) return false;
    await delay(lookEveryMs, undefined, { ref: holds });
  }
}

/** Removes our part of each tree, where no replica of any platform of this machine is left in it. */
export function removeEmptyCgroups(): void {
  const trees = [...new Set([...kinds.map((kind) => join(root, controllers[kind])), ...unifiedRoots])];
  for (const tree of trees) allowed(() => void removeTree(join(tree, ours)));
}

/** Ends all of a v2 group; false where there is no such group, or none that can do that. */
export function killGroup(group: string): boolean {
  return write(join(group, "cgroup.kill"), "1");
}

/** Freezes all of a v2 group, or lets it go on; false where there is no such group, or none that can do that. */
export function freezeGroup(group: string, frozen: boolean): boolean {
  return write(join(group, "cgroup.freeze"), frozen ? "1" : "0");
}

/** Whether anything lives in a v2 group or below it. */
export function isPopulated(group: string): boolean {
  return /^populated 1$/m.test(read(join(group, "cgroup.events")));
}

/** What the kernel ended for want of memory, as the group's file counts it. */
export function oomKills(counter: string | null): number {
  return counter === null ? 0 : Number(/^oom_kill (\d+)/m.exec(read(counter))?.[1] ?? 0);
}

/** Makes a group, or finds it made; false where that is not allowed. */
export function makeGroup(group: string): boolean {
  return allowed(() => mkdirSync(group, { recursive: true }));
}

/** Moves a process into a group; false where it has gone or may not be moved. */
export function joinGroup(group: string, pid: number): boolean {
  return write(join(group, "cgroup.procs"), String(pid));
}

/** Removes a group and those below it, which must be empty; false while they are not. */
export function removeTree(group: string): boolean {
  if (!existsSync(group)) return true;
  for (const entry of readdirSync(group, { withFileTypes: true }))
    if (entry.isDirectory() && !removeTree(join(group, entry.name))) return false;
  try {
    rmdirSync(group);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EBUSY") return false;
    if (code === "ENOENT") return true;
    throw error;
  }
}

/** The replica's part of the v2 tree, delegated to its Space's user as far as it must be; its limits stay root's. */
function makeTree(replica: string, uid: number, limits: SandboxLimits, here: CgroupsHere): string | null {
  const limited = kinds.filter((kind) => here[kind] === "cgroup2");
  const unified = unifiedRoots.find((path) => existsSync(join(path, "cgroup.controllers")));
  if (unified === undefined || (!here.kill && limited.length === 0)) return null;
  const tree = join(unified, ours, replica);
  mkdirSync(tree, { recursive: true });
  for (const kind of limited) writeFileSync(join(tree, "cgroup.subtree_control"), `+${controllers[kind]}`);
  for (const group of ["shim", "app", "app/main"]) mkdirSync(join(tree, group), { recursive: true });
  for (const kind of limited) {
    const value = limitOf(kind, limits);
    if (value !== null) writeFileSync(join(tree, "app", limitFile("cgroup2", kind)), value.v2);
  }
  for (const owned of ["cgroup.procs", "shim/cgroup.procs", "app", "app/cgroup.procs", "app/main/cgroup.procs"])
    chownSync(join(tree, owned), uid, uid);
  // Kernels before 5.2 cannot freeze a group, before 5.14 not end one whole.
  for (const file of ["app/cgroup.freeze", "app/cgroup.kill"].map((name) => join(tree, name)))
    if (existsSync(file)) chownSync(file, uid, uid);
  return tree;
}

function limitFile(version: CgroupVersion, kind: Kind): string {
  const files = {
    memory: { cgroup1: "memory.limit_in_bytes", cgroup2: "memory.max" },
    processes: { cgroup1: "pids.max", cgroup2: "pids.max" },
    processor: { cgroup1: "cpu.cfs_quota_us", cgroup2: "cpu.max" },
  } as const satisfies Record<Kind, Record<CgroupVersion, string>>;
  return files[kind][version];
}

function limitOf(kind: Kind, limits: SandboxLimits): { readonly v1: string; readonly v2: string } | null {
  const same = (value: number): { v1: string; v2: string } => ({ v1: String(value), v2: String(value) });
  if (kind === "memory") return same(limits.memoryBytes);
  if (kind === "processes") return same(limits.processes);
  if (limits.processors === undefined) return null;
  const quotaUs = Math.round(limits.processors * periodUs);
  return { v1: String(quotaUs), v2: `${quotaUs} ${periodUs}` };
}

/** Whether a group can be made here that has this file. */
function tryGroup(group: string, file: string): boolean {
  if (!existsSync(join(group, "..", "..", "cgroup.procs"))) return false;
  if (!makeGroup(group)) return false;
  const has = existsSync(join(group, file));
  removeTree(group);
  return has;
}

/** Hands a controller down through these groups, from the root on. */
function enable(groups: readonly string[], controller: string): boolean {
  return groups.every((group) => {
    if (!makeGroup(group)) return false;
    const has = read(join(group, "cgroup.controllers")).split(/\s+/).includes(controller);
    return has && write(join(group, "cgroup.subtree_control"), `+${controller}`);
  });
}

/** Not mounted, read-only, not ours to write, in use otherwise, or gone: all mean that it cannot be done here. */
const notHere = ["ENOENT", "ENOTDIR", "EROFS", "EACCES", "EPERM", "EBUSY", "ENODEV", "ESRCH", "EINVAL", "EOPNOTSUPP"];

function allowed(act: () => unknown): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (notHere.includes(String((error as NodeJS.ErrnoException).code))) return false;
    throw error;
  }
}

function write(file: string, text: string): boolean {
  return existsSync(file) && allowed(() => writeFileSync(file, text));
}

function read(file: string): string {
  let text = "";
  // Most of those that are asked for are not there, and an error takes longer than a look.
  if (existsSync(file)) allowed(() => (text = readFileSync(file, "latin1")));
  return text;
}
