/** `waybill releases OWNER/NAME`: what was built, newest first, and which of them runs. */
import type { Command } from "commander";
import { parseSpace } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  program
    .command("releases")
    .description("a Space's releases, newest first; `rollback` goes back to one")
    .argument("<owner/name>", "the Space", parseSpace)
    .option("--page <next>", "the page that the one before named")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const space = command.processedArgs[0] as string;
        const [client, { drawReleases }] = await Promise.all([context.client(), import("../draw/spaces.ts")]);
        const { page } = command.opts<{ page?: string }>();
        const answer = await client.releases(space, { page, signal: world.signal });
        const ids = answer.items.map(({ id }) => `${id}\n`).join("");
        context.answer(answer, context.quiet ? ids : drawReleases(context.paper, space, answer.items));
        if (answer.next) context.note(`more: waybill releases ${space} --page ${answer.next}\n`);
      }),
    );
}
