/** `waybill status`: the platform now. */
import type { Command } from "commander";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  program
    .command("status")
    .description("the platform now: Spaces, builds, GPUs, sandbox, record")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawStatus }] = await Promise.all([context.client(), import("../draw/views.ts")]);
        const answer = await client.status({ signal: world.signal });
        context.answer(answer, drawStatus(context.paper, answer));
      }),
    );
}
