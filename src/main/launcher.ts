/** Plugs the runtime into the agent. */
import type { Launcher } from "../agent/ports.ts";
import { unacknowledgedReports } from "../gpu/meter-file.ts";
import { readPlan } from "../runtime/folder.ts";
import { adopt, launch } from "../runtime/launch.ts";
import type { LaunchTools } from "../runtime/launch.ts";
import { readLogFiles } from "../runtime/log.ts";

export function launcher(tools: Pick<LaunchTools, "nodePath" | "shimEntry" | "compileCache">): Launcher {
  return {
    launch: (plan, agentEpoch) => launch(plan, { ...tools, agentEpoch }),
    adopt: async (folder, agentEpoch) => {
      const found = await adopt(folder, agentEpoch);
      return "dead" in found ? { dead: found.dead, meter: unacknowledgedReports(folder) } : found;
    },
    specOf: (folder) => readPlan(folder)?.spec,
    readLog: readLogFiles,
  };
}
