/** `waybill space list` and `waybill space show OWNER/NAME`. */
import type { Command } from "commander";
import { parseSpace } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  const space = program.command("space").description("Spaces: list, show");
  space
    .command("list")
    .description("the Spaces that you may see")
    .option("--page <next>", "the page that the one before named")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawSpaces }] = await Promise.all([context.client(), import("../draw/views.ts")]);
        const { page } = command.opts<{ page?: string }>();
        const answer = await client.spaces({ page, signal: world.signal });
        const ids = answer.items.map(({ id }) => `${id}\n`).join("");
        context.answer(answer, context.quiet ? ids : drawSpaces(context.paper, answer.items));
        if (answer.next) context.note(`more: waybill space list --page ${answer.next}\n`);
      }),
    );
  space
    .command("show")
    .description("one Space: state, addresses, build, replicas")
    .argument("<owner/name>", "the Space", parseSpace)
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawSpace }] = await Promise.all([context.client(), import("../draw/views.ts")]);
        const answer = await client.space(command.processedArgs[0] as string, { signal: world.signal });
        context.answer(answer, context.quiet ? `${answer.id}\n` : drawSpace(context.paper, answer));
      }),
    );
}
