/** `waybill explain ID`: at which boundary it stopped, whose it is, and the evidence. */
import type { Command } from "commander";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  program
    .command("explain")
    .description("the story of any id, of a Space or of a node, with its evidence")
    .argument("<id or name>", "any id, OWNER/NAME of a Space, OWNER/NAME@COMMIT, OWNER/NAME#NUMBER, or a node")
    .option("--hops", "each hop with its evidence, also those that never happened")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawExplanation }] = await Promise.all([context.client(), import("../draw/explain.ts")]);
        const answer = await client.explain(command.args[0] as string, { signal: world.signal });
        const hops = command.opts<{ hops?: boolean }>().hops === true;
        context.answer(answer, drawExplanation(context.paper, answer, { hops }));
      }),
    );
}
