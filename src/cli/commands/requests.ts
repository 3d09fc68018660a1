/** `waybill requests SPACE`: who asked what, and who answered. */
import type { Command } from "commander";
import { parseSpace } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  program
    .command("requests")
    .description("a Space's requests, newest first")
    .argument("<owner/name>", "the Space", parseSpace)
    .option("--page <next>", "the page that the one before named")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawRequests }] = await Promise.all([context.client(), import("../draw/views.ts")]);
        const space = command.processedArgs[0] as string;
        const answer = await client.requests(space, {
          page: command.opts<{ page?: string }>().page,
          signal: world.signal,
        });
        const ids = answer.items.map(({ id }) => `${id}\n`).join("");
        context.answer(answer, context.quiet ? ids : drawRequests(context.paper, answer.items));
        if (answer.next) context.note(`more: waybill requests ${space} --page ${answer.next}\n`);
      }),
    );
}
