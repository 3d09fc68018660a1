/** `waybill up`: the whole platform in this process. */
import type { Command } from "commander";
import { parsePort, parseSimulated } from "../arguments.ts";
import type { GlobalOptions } from "../context.ts";
import type { Runner } from "../program.ts";

interface Options extends GlobalOptions {
  readonly data?: string;
  readonly port?: number;
  readonly host?: string;
  readonly simulateGpus?: { readonly devices: number; readonly slots: number };
  readonly sandbox?: string;
  readonly service?: true;
}

export function declare(program: Command, run: Runner): void {
  program
    .command("up")
    .description("start the platform on this machine; Ctrl-C stops all that it started")
    .option("--data <dir>", "data folder")
    .option(
      "--port <number>",
      "port of console and apps; 0 takes a free one (default 7070 or the next free one)",
      parsePort,
    )
    .option("--host <address>", "address to listen on (default: loopback only)")
    .option(
      "--simulate-gpus <cards x slots>",
      "pretend to have GPUs, such as 2x2; labelled simulated everywhere",
      parseSimulated,
    )
    .option(
      "--sandbox <driver>",
      "what isolates apps and builds: bubblewrap, crun (podman's), or none; by default the first of the first two that works",
    )
    .option("--service", "told to stop, leave the apps running for the next start: an upgrade restarts no app")
    .action(
      run(async (world, command) => {
        const { data, port, host, simulateGpus, sandbox, service, json } = command.optsWithGlobals<Options>();
        return await world.up({
          role: "all",
          data,
          port,
          host,
          simulateGpus,
          sandbox,
          journal: undefined,
          standBy: false,
          service: service === true,
          json: json === true,
        });
      }),
    );
}
