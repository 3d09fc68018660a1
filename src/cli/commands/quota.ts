/** `waybill quota --account NAME`: used, held and left of the window. */
import type { Command } from "commander";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  program
    .command("quota")
    .description("an account's GPU time: used, held, left")
    .option("--account <name>", "the account; your own where it is not said")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawQuota }] = await Promise.all([context.client(), import("../draw/views.ts")]);
        const answer = await client.quota({
          account: command.opts<{ account?: string }>().account,
          signal: world.signal,
        });
        context.answer(answer, drawQuota(context.paper, answer));
      }),
    );
}
