/** What limits this replica, as its groups' own files say, and otherwise what it was started with. */
import type { ReplicaLimits } from "../../contract/agent.ts";
import type { SandboxPlan } from "../folder.ts";
import { groupLimits } from "../sandbox/cgroups.ts";

export function limitsOf({ limits, cgroups }: SandboxPlan): ReplicaLimits {
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
