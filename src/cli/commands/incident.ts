/** `waybill incident list`, `show ID`, `note ID WORDS` and `close ID WORDS`. */
import type { Command } from "commander";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  const incident = program.command("incident").description("what was wrong with the platform: list, show, note, close");
  incident
    .command("list")
    .description("incidents, the newest first")
    .option("--page <next>", "the page that the one before named")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const { page } = command.opts<{ readonly page?: string }>();
        const [client, { drawIncidents }] = await Promise.all([context.client(), import("../draw/incidents.ts")]);
        const answer = await client.incidents.list({ page, signal: world.signal });
        const ids = answer.items.map(({ id }) => `${id}\n`).join("");
        context.answer(answer, context.quiet ? ids : drawIncidents(context.paper, answer.items));
        if (answer.next) context.note(`more: waybill incident list --page ${answer.next}\n`);
      }),
    );
  incident
    .command("show")
    .description("one incident: since when, what is behind it, and what operators said")
    .argument("<id>")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawIncident }] = await Promise.all([context.client(), import("../draw/incidents.ts")]);
        const answer = await client.incidents.show(command.args[0] as string, { signal: world.signal });
        context.answer(answer, drawIncident(context.paper, answer));
      }),
    );
  for (const [name, says] of [
    ["note", "put a word beside an incident; for operators"],
    ["close", "end an incident by a word: it is not opened again while what it is of goes on; for operators"],
  ] as const)
    incident
      .command(name)
      .description(says)
      .argument("<id>")
      .argument("<words>", "one argument: quote it")
      .action(
        run(async (world, command) => {
          const context = contextOf(world, command);
          const [client, { drawIncident }] = await Promise.all([context.client(), import("../draw/incidents.ts")]);
          const [id = "", words = ""] = command.args;
          const { signal } = world;
          const answer =
            name === "note"
              ? await client.incidents.note(id, { says: words }, { signal })
              : await client.incidents.close(id, { says: words }, { signal });
          context.answer(answer, drawIncident(context.paper, answer));
        }),
      );
}
