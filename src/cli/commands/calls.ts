/** `waybill calls --account NAME`: GPU calls with what each held, used and cost. */
import type { Command } from "commander";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  program
    .command("calls")
    .description("an account's GPU calls, newest first")
    .option("--account <name>", "the account; your own where it is not said")
    .option("--page <next>", "the page that the one before named")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const { account, page } = command.opts<{ account?: string; page?: string }>();
        const [client, { drawCalls }] = await Promise.all([context.client(), import("../draw/views.ts")]);
        const answer = await client.calls({ account, page, signal: world.signal });
        const ids = answer.items.map(({ id }) => `${id}\n`).join("");
        context.answer(answer, context.quiet ? ids : drawCalls(context.paper, answer.items));
        if (answer.next)
          context.note(`more: waybill calls${account ? ` --account ${account}` : ""} --page ${answer.next}\n`);
      }),
    );
}
