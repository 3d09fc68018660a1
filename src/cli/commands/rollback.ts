/** `waybill rollback OWNER/NAME [RELEASE]`: runs a release that was built before, without building it again. */
import type { Command } from "commander";
import { parseSpace } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  program
    .command("rollback")
    .description("go back to a release; the one that runs serves until it is ready")
    .argument("<owner/name>", "the Space", parseSpace)
    .argument("[release]", "the release; else the one before the one that runs")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [space, release] = command.processedArgs as [string, string | undefined];
        const client = await context.client();
        const answer = await client.rollBack(space, { release, signal: world.signal });
        context.answer(answer, context.quiet ? `${space}\n` : `${space}: ${answer.stage}\n`);
        context.note(`follow it: waybill space show ${space}\n`);
      }),
    );
}
