/** `waybill status`: how the platform stands. */
import type { Command } from "commander";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  program
    .command("status")
    .description("how each boundary does, and what runs: Spaces, builds, GPUs, sandbox")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawStatus }] = await Promise.all([context.client(), import("../draw/status.ts")]);
        const answer = await client.status({ signal: world.signal });
        context.answer(answer, drawStatus(context.paper, answer));
      }),
    );
}
