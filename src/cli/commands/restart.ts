/** `waybill restart OWNER/NAME [--factory]`: starts an app again, or builds it again from nothing. */
import type { Command } from "commander";
import { parseSpace } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  program
    .command("restart")
    .description("start a Space's app again; requests go to the old one until the new one listens")
    .argument("<owner/name>", "the Space", parseSpace)
    .option("--factory", "build its last commit again, with nothing that an earlier build resolved")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const space = command.processedArgs[0] as string;
        const { factory = false } = command.opts<{ factory?: boolean }>();
        const client = await context.client();
        const answer = await client.restart(space, { factory, signal: world.signal });
        context.answer(answer, context.quiet ? `${space}\n` : `${space}: ${answer.stage}\n`);
        context.note(`follow it: waybill ${factory ? `space show ${space}` : `logs ${space} -f`}\n`);
      }),
    );
}
