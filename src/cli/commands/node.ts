/** `waybill node token NAME`: the token by which an agent joins as that node, shown once. */
import type { Command } from "commander";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  const node = program.command("node").description("nodes: token");
  node
    .command("token")
    .description("make the token by which `waybill agent` joins as this node; the one before it holds no longer")
    .argument("<name>", "the node's name, such as n2")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const client = await context.client();
        const answer = await client.createNodeToken(command.args[0] as string, { signal: world.signal });
        context.answer(answer, `${answer.token}\n`);
        context.note(`the token of node ${answer.node}, for WAYBILL_JOIN_TOKEN; it is not shown again\n`);
      }),
    );
}
