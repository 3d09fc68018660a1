/** `waybill stop --all`: ends the apps that a stopped platform left running. */
import type { Command } from "commander";
import { contextOf, type GlobalOptions } from "../context.ts";
import { exit } from "../exit.ts";
import { CliFailure } from "../failures.ts";
import type { Runner } from "../program.ts";

interface Options extends GlobalOptions {
  readonly all?: true;
  readonly data?: string;
}

export function declare(program: Command, run: Runner): void {
  program
    .command("stop")
    .description("end the apps that `waybill up --service` or `waybill agent` left running when it was stopped")
    .option("--all", "all of them")
    .option("--data <dir>", "data folder")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const { all, data } = command.optsWithGlobals<Options>();
        if (all !== true)
          throw new CliFailure(exit.usage, {
            code: "usage",
            says: "what to stop was not said.",
            next: "`waybill stop --all` ends every app of this machine; `waybill pause OWNER/NAME` stops one.",
          });
        const answer = await world.stopAll(data);
        const { stopped, running } = answer;
        const left = running.length === 0 ? "" : `; still running: ${running.join(", ")}`;
        context.answer(answer, context.quiet ? "" : `${stopped.length} stopped${left}\n`);
        return running.length === 0 ? exit.done : exit.failed;
      }),
    );
}
