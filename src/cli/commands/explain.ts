/** `waybill explain ID`: at which boundary it stopped, whose it is, and the evidence. `--from`, `--to`: all that happened in a span of time. */
import { InvalidArgumentError, type Command } from "commander";
import { parseClock, parseSpace } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { Context, GlobalOptions } from "../context.ts";
import type { Runner } from "../program.ts";

interface Options extends GlobalOptions {
  readonly hops?: boolean;
  readonly from?: ReturnType<typeof parseClock>;
  readonly to?: ReturnType<typeof parseClock>;
  readonly space?: string;
  readonly page?: string;
}

export function declare(program: Command, run: Runner): void {
  program
    .command("explain")
    .description("the story of any id, of a Space, of a node, or of a span of time, with its evidence")
    .argument("[id or name]", "any id, OWNER/NAME of a Space, OWNER/NAME@COMMIT, OWNER/NAME#NUMBER, or a node")
    .option("--hops", "each hop with its evidence, also those that never happened, and the works that they began")
    .option("--from <time>", "what happened since then: 12:00, 10m, or an instant", parseClock)
    .option("--to <time>", "and before then; now where it is not said", parseClock)
    .option("--space <owner/name>", "only of this Space", parseSpace)
    .option("--page <next>", "the groups after those that were shown")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const options = command.optsWithGlobals<Options>();
        const id = command.args[0];
        if (id === undefined) return await span(context, options);
        if (options.from !== undefined || options.space !== undefined) throw new InvalidArgumentError(eitherSays);
        const [client, { drawExplanation }] = await Promise.all([context.client(), import("../draw/explain.ts")]);
        const answer = await client.explain(id, { signal: world.signal });
        if (options.hops !== true)
          return context.answer(answer, drawExplanation(context.paper, answer, { hops: false }));
        const { beneathOf, ifTold } = await import("../beneath.ts");
        const beneath = await beneathOf(answer, (one) => ifTold(client.explain(one, { signal: world.signal })));
        context.answer({ ...answer, beneath }, drawExplanation(context.paper, answer, { hops: true, beneath }));
      }),
    );
}

const eitherSays = "Name an id, or a span of time: waybill explain ID, or waybill explain --from 12:00 --to 12:05";

async function span(context: Context, { from, to, space, page }: Options): Promise<void> {
  if (from === undefined) throw new InvalidArgumentError(eitherSays);
  const now = context.world.clock.wall();
  const since = from(now);
  const asked = {
    from: since,
    ...(to !== undefined && { to: to(now, since) }),
    ...(space !== undefined && { space }),
    ...(page !== undefined && { page }),
  };
  const [client, { drawSpan }] = await Promise.all([context.client(), import("../draw/span.ts")]);
  const answer = await client.explainSpan(asked, { signal: context.world.signal });
  context.answer(answer, drawSpan(context.paper, answer));
}
