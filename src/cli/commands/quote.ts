/** `waybill quote OWNER/NAME --declare 60s`: what a call of yours would cost, and whether it would be let in now. */
import type { Command } from "commander";
import { parseLength, parseSpace } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  program
    .command("quote")
    .description("what a GPU call would cost and meet now; nothing is held")
    .argument("<owner/name>", "the Space", parseSpace)
    .requiredOption("--declare <length>", "the duration that the function declares, such as 60s", parseLength)
    .option("--whole-card", "for size xlarge")
    .option("--endpoint <path>", "the function's endpoint, such as /run")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawQuote }] = await Promise.all([context.client(), import("../draw/views.ts")]);
        const {
          declare: declaredMs,
          wholeCard,
          endpoint,
        } = command.opts<{
          declare: number;
          wholeCard?: true;
          endpoint?: string;
        }>();
        const size = wholeCard ? "xlarge" : "large";
        const request = { space: command.args[0] as string, declaredMs, size, endpoint } as const;
        const answer = await client.quote(request, { signal: world.signal });
        context.answer(answer, `Pool ${answer.pool}: ${drawQuote(answer)}`);
      }),
    );
}
