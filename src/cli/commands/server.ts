/** `waybill server`: the platform without an agent of its own; agents join it. */
import type { Command } from "commander";
import { parseEdge, parsePort } from "../arguments.ts";
import type { GlobalOptions } from "../context.ts";
import { networked, networkOf } from "../network-options.ts";
import type { Runner } from "../program.ts";
import type { NetworkOptions } from "../world.ts";

interface Options extends GlobalOptions, NetworkOptions {
  readonly data?: string;
  readonly port?: number;
  readonly sandbox?: string;
  readonly edge?: "own" | "apart";
  readonly otlp?: string;
  readonly journal?: string;
  readonly standby?: true;
}

export function declare(program: Command, run: Runner): void {
  networked(program.command("server"))
    .description(
      "start the platform's server: journal, API and edge. Apps and builds run where agents join (`waybill agent`)",
    )
    .option("--data <dir>", "data folder")
    .option(
      "--port <number>",
      "port of console and apps; 0 takes a free one (default 7070 or the next free one)",
      parsePort,
    )
    .option("--sandbox <driver>", "none: its agents run apps and builds as plain processes; they too must say so")
    .option(
      "--journal <address>",
      "keep journal and catalog in PostgreSQL: postgres://…; WAYBILL_JOURNAL where the address has a password",
    )
    .option("--standby", "while another server writes that journal, wait and take over when it ends")
    .option(
      "--edge <where>",
      "own: this process carries the requests, as by default; apart: `waybill edge` on the same data folder does",
      parseEdge,
    )
    .option("--otlp <url>", "send works as traces to a collector, by OTLP over HTTP, such as http://localhost:4318")
    .action(
      run(async (world, command) => {
        const options = command.optsWithGlobals<Options>();
        const { data, port, sandbox, journal, standby, edge, otlp, json } = options;
        return await world.up({
          role: "server",
          data,
          port,
          network: networkOf(options),
          simulateGpus: undefined,
          sandbox,
          journal,
          standBy: standby === true,
          service: true,
          edgeApart: edge === "apart",
          otlp,
          json: json === true,
        });
      }),
    );
}
