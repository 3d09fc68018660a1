/** Plugs the runtime into the agent. */
import type { Launcher } from "../agent/ports.ts";
import { unacknowledgedReports } from "../gpu/meter-file.ts";
import { readPlan, readShim } from "../runtime/folder.ts";
import { adopt, launch } from "../runtime/launch.ts";
import type { LaunchTools } from "../runtime/launch.ts";
import { readLogFiles } from "../runtime/log.ts";
import { isAlive, linuxProcesses } from "../runtime/processes.ts";

export function launcher(tools: Pick<LaunchTools, "nodePath" | "shimEntry" | "compileCache">): Launcher {
  return {
    launch: (plan, agentEpoch) => launch(plan, { ...tools, agentEpoch }),
    adopt: async (folder, agentEpoch) => {
      const found = await adopt(folder, agentEpoch);
      return "dead" in found ? { dead: found.dead, meter: unacknowledgedReports(folder) } : found;
    },
    runs: (folder) => {
      const shim = readShim(folder);
      return shim !== undefined && isAlive(linuxProcesses(), shim);
    },
    specOf: (folder) => readPlan(folder)?.spec,
    readLog: readLogFiles,
  };
}
