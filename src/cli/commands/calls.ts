/** `waybill calls --account NAME`, `--space OWNER/NAME`: GPU calls with what each held, used and cost. */
import type { Command } from "commander";
import { parseSpace } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  program
    .command("calls")
    .description("GPU calls, newest first: an account's, or a Space's")
    .option("--account <name>", "the account; your own where it is not said")
    .option(
      "--space <owner/name>",
      "those of this Space: everybody's where you may change it, else your own",
      parseSpace,
    )
    .option("--page <next>", "the page that the one before named")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const { account, space, page } = command.opts<{ account?: string; space?: string; page?: string }>();
        const [client, { drawCalls }] = await Promise.all([context.client(), import("../draw/views.ts")]);
        const answer = await client.calls({ account, space, page, signal: world.signal });
        const ids = answer.items.map(({ id }) => `${id}\n`).join("");
        context.answer(answer, context.quiet ? ids : drawCalls(context.paper, answer.items));
        const again = `${account ? ` --account ${account}` : ""}${space ? ` --space ${space}` : ""}`;
        if (answer.next) context.note(`more: waybill calls${again} --page ${answer.next}\n`);
      }),
    );
}
