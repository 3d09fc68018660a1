/** `waybill cancel ID`: a GPU call, as if its visitor had left; or a build. */
import type { Command } from "commander";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  program
    .command("cancel")
    .description("take a waiting GPU call out of its queue, or mark a running one as left; of a build, end it")
    .argument("<id>", "c_… or b_…")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const client = await context.client();
        const id = command.processedArgs[0] as string;
        if (id.startsWith("b_")) {
          const answer = await client.cancelBuild(id, { signal: world.signal });
          const { drawBuild } = await import("../draw/builds.ts");
          return context.answer(answer, context.quiet ? `${answer.id}\n` : drawBuild(answer));
        }
        const answer = await client.cancelCall(id, { signal: world.signal });
        const { stage, outcome } = answer;
        const now =
          stage === "ended"
            ? `ended${outcome ? `, ${outcome}` : ""}`
            : `${stage}; its Space says whether it runs to its end`;
        context.answer(answer, context.quiet ? `${id}\n` : `${id}: ${now}\n`);
      }),
    );
}
