/** Control groups of a replica: made by an agent that is root, joined by the app alone, so that running out of memory ends the app and not its shim. */
import { chownSync, existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CgroupPlan, SandboxLimits } from "../folder.ts";

/** Where the kernel's controllers are; tests hand in another. */
const root = "/sys/fs/cgroup";
const ours = "waybill";

export interface CgroupsHere {
  readonly memory: boolean;
  readonly processes: boolean;
}

/** Which controllers of the first version can be had: found by making a group in each. */
export function cgroupsHere(): CgroupsHere {
  return { memory: canMake("memory"), processes: canMake("pids") };
}

/** Makes a replica's groups with their limits; they belong to its user. */
export function makeCgroups(replica: string, uid: number, limits: SandboxLimits, here: CgroupsHere): CgroupPlan | null {
  const groups: string[] = [];
  if (here.memory) groups.push(make("memory", replica, uid, { "memory.limit_in_bytes": String(limits.memoryBytes) }));
  if (here.processes) groups.push(make("pids", replica, uid, { "pids.max": String(limits.processes) }));
  return groups.length === 0 ? null : { join: groups, workers: null };
}

/** Removes them, where nothing is left in them; resolves false while something is. */
export function removeCgroups(replica: string): boolean {
  return ["memory", "pids"].every((controller) => {
    const group = join(root, controller, ours, replica);
    if (!existsSync(group)) return true;
    try {
      rmdirSync(group);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EBUSY") return false;
      throw error;
    }
  });
}

function canMake(controller: string): boolean {
  try {
    mkdirSync(join(root, controller, ours), { recursive: true });
    return existsSync(join(root, controller, ours, "cgroup.procs"));
  } catch (error) {
    // Not mounted, read-only, or not ours to write: all mean that there are no groups to be had.
    if (["ENOENT", "EROFS", "EACCES", "EPERM"].includes(String((error as NodeJS.ErrnoException).code))) return false;
    throw error;
  }
}

function make(controller: string, replica: string, uid: number, limits: Readonly<Record<string, string>>): string {
  const group = join(root, controller, ours, replica);
  mkdirSync(group, { recursive: true });
  for (const [name, value] of Object.entries(limits)) writeFileSync(join(group, name), value);
  chownSync(join(group, "cgroup.procs"), uid, uid);
  return group;
}
