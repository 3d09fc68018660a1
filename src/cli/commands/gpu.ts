/** `waybill gpu queue [POOL]` and `waybill gpu board`: who waits and why, and who has the slots. */
import type { Command } from "commander";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  const gpu = program.command("gpu").description("GPUs: queue, board");
  gpu
    .command("queue")
    .description("who waits, for how long, and all that keeps them")
    .argument("[pool]", "the pool; all of them where it is not said")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawQueue }] = await Promise.all([context.client(), import("../draw/views.ts")]);
        const answer = await client.gpuQueue({ pool: command.args[0], signal: world.signal });
        const ids = answer.calls.map(({ call }) => `${call}\n`).join("");
        context.answer(answer, context.quiet ? ids : drawQueue(context.paper, answer));
      }),
    );
  gpu
    .command("board")
    .description("each slot: who has it, and for how long")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawBoard }] = await Promise.all([context.client(), import("../draw/views.ts")]);
        const answer = await client.gpuBoard({ signal: world.signal });
        context.answer(answer, drawBoard(context.paper, answer));
      }),
    );
}
