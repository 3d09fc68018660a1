/** `waybill space list`, `space show OWNER/NAME`, `space events OWNER/NAME`, `space budget OWNER/NAME`, `space pools OWNER/NAME` and `space set OWNER/NAME KEY=VALUE…`. */
import type { Command } from "commander";
import { limitOf, parseLengthLimit, parseSpace, parseWhenOut } from "../arguments.ts";
import type { Limit } from "../arguments.ts";
import { contextOf } from "../context.ts";
import { exit } from "../exit.ts";
import { CliFailure } from "../failures.ts";
import type { Runner } from "../program.ts";
import { ruled } from "../pool-rule.ts";

export function declare(program: Command, run: Runner): void {
  const space = program.command("space").description("Spaces: list, show, events, set, budget, pools");
  space
    .command("list")
    .description("the Spaces that you may see")
    .option("--page <next>", "the page that the one before named")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawSpaces }] = await Promise.all([context.client(), import("../draw/spaces.ts")]);
        const { page } = command.opts<{ page?: string }>();
        const answer = await client.spaces({ page, signal: world.signal });
        const ids = answer.items.map(({ id }) => `${id}\n`).join("");
        context.answer(answer, context.quiet ? ids : drawSpaces(context.paper, answer.items));
        if (answer.next) context.note(`more: waybill space list --page ${answer.next}\n`);
      }),
    );
  space
    .command("show")
    .description("one Space: state, addresses, build, replicas")
    .argument("<owner/name>", "the Space", parseSpace)
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawSpace }] = await Promise.all([context.client(), import("../draw/spaces.ts")]);
        const answer = await client.space(command.processedArgs[0] as string, { signal: world.signal });
        context.answer(answer, context.quiet ? `${answer.id}\n` : drawSpace(context.paper, answer));
      }),
    );
  space
    .command("events")
    .description("what happened to a Space, newest first: from state to state, by whom and why")
    .argument("<owner/name>", "the Space", parseSpace)
    .option("--page <next>", "the page that the one before named")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const id = command.processedArgs[0] as string;
        const [client, { drawSpaceEvents }] = await Promise.all([context.client(), import("../draw/spaces.ts")]);
        const { page } = command.opts<{ page?: string }>();
        const answer = await client.spaceEvents(id, { page, signal: world.signal });
        const seqs = answer.items.map(({ seq }) => `${seq}\n`).join("");
        context.answer(answer, context.quiet ? seqs : drawSpaceEvents(context.paper, id, answer.items));
        if (answer.next) context.note(`more: waybill space events ${id} --page ${answer.next}\n`);
      }),
    );
  space
    .command("set")
    .description(
      "change a Space's settings: on-leave=finish or on-leave=stop, health-path=/PATH, private=true, reach=none or reach=NAME,NAME:PORT",
    )
    .argument("<owner/name>", "the Space", parseSpace)
    .argument("<key=value...>", "the settings; what is not named stays")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [id, pairs] = command.processedArgs as [string, readonly string[]];
        const change = changeOf(pairs);
        const [client, { drawRows }] = await Promise.all([context.client(), import("../draw/views.ts")]);
        const answer = await client.changeSpace(id, change, { signal: world.signal });
        context.answer(
          answer,
          drawRows(
            context.paper,
            Object.entries(answer).map(([name, value]) => [name, String(value)] as const),
          ),
        );
      }),
    );
  ruled(
    space
      .command("pools")
      .description("by which pools a Space's calls are served; shown where nothing is set")
      .argument("<owner/name>", "the Space", parseSpace),
    run,
    (id) => ({ space: id }),
  );
  space
    .command("budget")
    .description("what a Space's owner pays for its visitors in one of the owner's windows; shown where nothing is set")
    .argument("<owner/name>", "the Space", parseSpace)
    .option("--limit <length>", "GPU time at most, such as 10m; none: each visitor pays", parseLengthLimit)
    .option("--when-out <what>", "visitor: then each visitor pays; refuse: then calls are refused", parseWhenOut)
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const id = command.processedArgs[0] as string;
        const { limit, whenOut } = command.opts<{ limit?: Limit; whenOut?: "visitor" | "refuse" }>();
        const change = {
          ...(limit !== undefined && { limitMs: limitOf(limit) }),
          ...(whenOut !== undefined && { whenOut }),
        };
        const [client, { drawBudget }] = await Promise.all([context.client(), import("../draw/views.ts")]);
        const asking = { signal: world.signal };
        const isChange = Object.keys(change).length > 0;
        const answer = await (isChange ? client.changeBudget(id, change, asking) : client.budget(id, asking));
        context.answer(answer, drawBudget(context.paper, answer));
      }),
    );
}

function changeOf(pairs: readonly string[]): Record<string, string> {
  const parts = pairs.map((pair) => /^([^=]+)=(.*)$/s.exec(pair)?.slice(1) ?? [pair]);
  const names = parts.map(([name = ""]) => name);
  const problems = [
    ...parts.flatMap(([name, value]) => (value === undefined ? [`"${name}" is not KEY=VALUE`] : [])),
    ...new Set(names.flatMap((name, at) => (names.indexOf(name) < at ? [`${name} is given twice`] : []))),
  ];
  if (problems.length === 0) return Object.fromEntries(parts as [string, string][]);
  throw new CliFailure(exit.usage, {
    code: "settings-invalid",
    says: `${problems.join("; ")}.`,
    next: "Write settings as KEY=VALUE; `waybill space show OWNER/NAME` lists them.",
  });
}
