/** `waybill whoami`: the account that the server takes you for. */
import type { Command } from "commander";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  program
    .command("whoami")
    .description("the account that the server takes you for")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawWhoAmI }] = await Promise.all([context.client(), import("../draw/views.ts")]);
        const answer = await client.whoami({ signal: world.signal });
        context.answer(answer, context.quiet ? `${answer.name}\n` : drawWhoAmI(answer));
      }),
    );
}
