/** `waybill session list|end`: browsers that are signed in at the console. */
import type { Command } from "commander";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

interface Whose {
  readonly account?: string;
}

const whose = ["--account <name>", "whose; your own where it is not said"] as const;

export function declare(program: Command, run: Runner): void {
  const session = program.command("session").description("browsers that are signed in at the console: list, end");
  session
    .command("list")
    .description("sessions with how they were begun, from where, and when they were used")
    .option(...whose)
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawSessions }] = await Promise.all([context.client(), import("../draw/accounts.ts")]);
        const answer = await client.sessions({ ...command.opts<Whose>(), signal: world.signal });
        const ids = answer.items.map(({ id }) => `${id}\n`).join("");
        context.answer(answer, context.quiet ? ids : drawSessions(context.paper, answer.items));
      }),
    );
  session
    .command("end")
    .description("sign a browser out: within a second it is nobody's")
    .argument("<id>", "s_…, of `session list`")
    .option(...whose)
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const id = command.args[0] as string;
        const client = await context.client();
        await client.endSession(id, { ...command.opts<Whose>(), signal: world.signal });
        context.answer({ id }, context.quiet ? `${id}\n` : `${id} has ended\n`);
      }),
    );
}
