/** `waybill up`: the whole platform in this process. */
import type { Command } from "commander";
import { parseEdge, parsePort, parseSimulated } from "../arguments.ts";
import type { GlobalOptions } from "../context.ts";
import { networked, networkOf } from "../network-options.ts";
import type { Runner } from "../program.ts";
import type { NetworkOptions } from "../world.ts";

interface Options extends GlobalOptions, NetworkOptions {
  readonly data?: string;
  readonly port?: number;
  readonly simulateGpus?: { readonly devices: number; readonly slots: number };
  readonly sandbox?: string;
  readonly edge?: "own" | "apart";
  readonly otlp?: string;
  readonly service?: true;
}

export function declare(program: Command, run: Runner): void {
  networked(program.command("up"))
    .description("start the platform on this machine; Ctrl-C stops all that it started")
    .option("--data <dir>", "data folder")
    .option(
      "--port <number>",
      "port of console and apps; 0 takes a free one (default 7070 or the next free one)",
      parsePort,
    )
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
    .option(
      "--edge <where>",
      "own: this process carries the requests, as by default; apart: `waybill edge` on the same data folder does",
      parseEdge,
    )
    .option("--otlp <url>", "send works as traces to a collector, by OTLP over HTTP, such as http://localhost:4318")
    .action(
      run(async (world, command) => {
        const options = command.optsWithGlobals<Options>();
        const { data, port, simulateGpus, sandbox, service, edge, otlp, json } = options;
        return await world.up({
          role: "all",
          data,
          port,
          network: networkOf(options),
          simulateGpus,
          sandbox,
          journal: undefined,
          standBy: false,
          service: service === true,
          edgeApart: edge === "apart",
          otlp,
          json: json === true,
        });
      }),
    );
}
