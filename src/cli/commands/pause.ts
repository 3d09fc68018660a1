/** `waybill pause OWNER/NAME [--reason TEXT] [--by RULE]`: nothing of a Space runs until somebody who may resumes it. */
import { Option } from "commander";
import type { Command } from "commander";
import { parseSpace } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  program
    .command("pause")
    .description("stop a Space's app until it is resumed; no request and no commit starts it meanwhile")
    .argument("<owner/name>", "the Space", parseSpace)
    .option("--reason <text>", "why, as everybody who may see the Space reads it")
    .addOption(
      new Option("--by <rule>", "for operators, with --reason: the rule that wants it").choices([
        "budget",
        "abuse-rule",
      ]),
    )
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const space = command.processedArgs[0] as string;
        const { reason, by } = command.opts<{ reason?: string; by?: string }>();
        const client = await context.client();
        const answer = await client.pause(space, { reason, by, signal: world.signal });
        context.answer(answer, context.quiet ? `${space}\n` : `${space}: ${answer.stage}\n`);
        context.note(`bring it back: waybill resume ${space}\n`);
      }),
    );
}
