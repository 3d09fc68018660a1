/** `waybill logs OWNER/NAME [-f]`: the app's log, or with a build's id that build's. */
import type { Command } from "commander";
import { parseCount } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { GlobalOptions } from "../context.ts";
import { exit } from "../exit.ts";
import type { Runner } from "../program.ts";

interface Options extends GlobalOptions {
  readonly follow?: boolean;
  readonly from?: number;
}

export function declare(program: Command, run: Runner): void {
  program
    .command("logs")
    .description("the log of a Space, or of a build")
    .argument("<owner/name or b_…>", "the Space or the build")
    .option("-f, --follow", "go on with new lines")
    .option("--from <number>", "the first line's number", parseCount)
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const { follow, from } = command.optsWithGlobals<Options>();
        const [client, { drawLogLine }] = await Promise.all([context.client(), import("../draw/views.ts")]);
        const id = command.args[0] as string;
        const options = { follow, from, signal: world.signal };
        const lines = id.includes("/") ? client.logs(id, options) : client.buildLog(id, options);
        let before: number | null = null;
        let any = false;
        try {
          for await (const line of lines) {
            any = true;
            context.stream({ type: "line", ...line }, drawLogLine(context.paper, line, before));
            // A note of the platform's own has number 0; the numbers after it may begin anew (another replica).
            before = line.n === 0 ? null : line.n;
          }
        } catch (error) {
          // Ctrl-C is how a person ends watching; the log itself goes on.
          if (world.signal.aborted && follow)
            return world.signal.reason === "SIGTERM" ? exit.terminated : exit.interrupted;
          throw error;
        }
        if (!any) context.note("The log has no line yet.\n");
        return exit.done;
      }),
    );
}
