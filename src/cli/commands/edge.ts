/** `waybill edge`: the edge of a server, as processes of its own. */
import type { Command } from "commander";
import { parseWithin } from "../arguments.ts";
import type { GlobalOptions } from "../context.ts";
import type { Runner } from "../program.ts";

interface Options extends GlobalOptions {
  readonly data?: string;
  readonly workers: number;
  readonly drain: number;
}

/** More than the cores of any machine. */
const workersMax = 128;
/** An upload of 10 GB at 3 MB/s. */
const drainMaxSeconds = 3_600;

export function declare(program: Command, run: Runner): void {
  program
    .command("edge")
    .description(
      "carry the requests of a server that was started with --edge apart. SIGHUP: new workers of the program as it is on the disk, and no request is lost",
    )
    .option("--data <dir>", "the server's data folder")
    .option("--workers <number>", "processes that carry requests", parseWithin(1, workersMax), 1)
    .option(
      "--drain <seconds>",
      "how long a worker that is being left may take to finish what is under way",
      parseWithin(1, drainMaxSeconds),
      60,
    )
    .action(
      run(async (world, command) => {
        const { data, workers, drain, json } = command.optsWithGlobals<Options>();
        return await world.edge({ data, workers, drainMs: drain * 1000, json: json === true });
      }),
    );
}
