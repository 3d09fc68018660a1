/** `waybill agent --join URL`: a node's agent as a process of its own. */
import type { Command } from "commander";
import { parseServers, parseSimulated } from "../arguments.ts";
import type { GlobalOptions } from "../context.ts";
import type { Runner } from "../program.ts";

interface Options extends GlobalOptions {
  readonly join: readonly string[];
  readonly data?: string;
  readonly simulateGpus?: { readonly devices: number; readonly slots: number };
  readonly sandbox?: string;
}

export function declare(program: Command, run: Runner): void {
  program
    .command("agent")
    .description("run a node's apps and builds for a server; told to stop, it leaves the apps running")
    .requiredOption(
      "--join <address>",
      "the server, such as http://127.0.0.1:7070; several with commas are tried in turn",
      parseServers,
    )
    .option("--data <dir>", "folder of this node, not the server's own")
    .option(
      "--simulate-gpus <cards x slots>",
      "pretend to have GPUs, such as 2x2; labelled simulated everywhere",
      parseSimulated,
    )
    .option("--sandbox <driver>", "what isolates apps and builds: bubblewrap, crun, or none, as with `waybill up`")
    .action(
      run(async (world, command) => {
        const { join, data, simulateGpus, sandbox, json } = command.optsWithGlobals<Options>();
        return await world.agent({ join, data, simulateGpus, sandbox, json: json === true });
      }),
    );
}
