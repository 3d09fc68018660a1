/** `waybill resume OWNER/NAME`: lifts a pause, and starts what is stopped or asleep. */
import type { Command } from "commander";
import { parseSpace } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  program
    .command("resume")
    .description("lift a Space's pause; also starts one that is stopped or asleep")
    .argument("<owner/name>", "the Space", parseSpace)
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const space = command.processedArgs[0] as string;
        const client = await context.client();
        const answer = await client.resume(space, { signal: world.signal });
        context.answer(answer, context.quiet ? `${space}\n` : `${space}: ${answer.stage}\n`);
        context.note(`follow it: waybill logs ${space} -f\n`);
      }),
    );
}
