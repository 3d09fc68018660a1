/**
 * `waybill quote OWNER/NAME --declare 60s`, or `--endpoint /run`: what a call of yours would cost, and whether it would be let in now.
 * Without either: what calls of the Space's functions cost, of those that are known.
 */
import type { Command } from "commander";
import { parseLength, parseSpace } from "../arguments.ts";
import { contextOf } from "../context.ts";
import { exit } from "../exit.ts";
import { CliFailure } from "../failures.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  program
    .command("quote")
    .description(
      "what a GPU call would cost and meet now; nothing is held. Without options: what each known function costs",
    )
    .argument("<owner/name>", "the Space", parseSpace)
    .option("--declare <length>", "the duration that the function declares, such as 60s", parseLength)
    .option("--whole-card", "for size xlarge")
    .option(
      "--endpoint <path>",
      "the function's endpoint, such as /run; then what it declared last is known without --declare",
    )
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawFunctions, drawQuote }] = await Promise.all([
          context.client(),
          import("../draw/views.ts"),
        ]);
        const {
          declare: declaredMs,
          wholeCard,
          endpoint,
        } = command.opts<{
          declare?: number;
          wholeCard?: true;
          endpoint?: string;
        }>();
        const space = command.args[0] as string;
        if (declaredMs === undefined && endpoint === undefined) {
          if (wholeCard)
            throw new CliFailure(exit.usage, {
              code: "usage",
              says: "neither the length of the call nor its function was named.",
              next: "Add --declare 60s, or --endpoint /run.",
            });
          const functions = await client.functions(space, { signal: world.signal });
          const names = functions.items.map((one) => `${one.endpoint}\n`).join("");
          context.answer(functions, context.quiet ? names : drawFunctions(context.paper, functions.items));
          return;
        }
        const size = wholeCard ? "xlarge" : declaredMs === undefined ? undefined : "large";
        const request = { space, declaredMs, size, endpoint } as const;
        const answer = await client.quote(request, { signal: world.signal });
        context.answer(answer, `Pool ${answer.pool}: ${drawQuote(answer)}`);
      }),
    );
}
