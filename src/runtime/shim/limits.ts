/** What limits a replica, or a build's commands, as their groups' own files say, and otherwise what it was started with. */
import { statfsSync } from "node:fs";
import { join } from "node:path";
import type { DiskLimit, ReplicaLimits } from "../../contract/agent.ts";
import { layerName, type DiskShare, type SandboxPlan } from "../folder.ts";
import { groupLimits } from "../sandbox/cgroups.ts";

/** `folder`: the replica's own. */
export function limitsOf(plan: SandboxPlan, folder: string): ReplicaLimits {
  const { dataFolder, disk } = plan;
  return {
    ...groupsAndSizes(plan),
    ...(disk && { data: diskLimit(dataFolder, disk.data), disk: diskLimit(join(folder, layerName), disk.layer) }),
  };
}

/** Those of any sandbox: a build's has no others. */
export function groupsAndSizes({ limits, cgroups }: Pick<SandboxPlan, "limits" | "cgroups">): ReplicaLimits {
  const groups = groupLimits(cgroups);
  const { memoryBytes, processes, openFiles, tmpBytes, homeBytes } = limits;
  return {
    memory: groups.memory === null ? { bytes: memoryBytes, by: "looking" } : { bytes: groups.memory, by: "group" },
    processes: groups.processes === null ? { most: processes, by: "rlimit" } : { most: groups.processes, by: "group" },
    processors: groups.processor,
    openFiles,
    tmpBytes,
    homeBytes,
  };
}

/** One that was made by an earlier setting may be larger. */
function diskLimit(path: string, { bytes, volume }: DiskShare): DiskLimit {
  if (volume === null) return { bytes, by: "looking" };
  const { blocks, bsize } = statfsSync(path);
  return { bytes: blocks * bsize, by: "file-system" };
}
