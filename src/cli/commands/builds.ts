/** `waybill builds OWNER/NAME`, one of them, and what can be done to it: cancel, retry, priority; `waybill builds queue` for operators. */
import { InvalidArgumentError } from "commander";
import type { Command } from "commander";
import type { WaybillClient } from "../../client/api.ts";
import type { BuildView } from "../../contract/api.ts";
import { parseSpace } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";
import type { CliWorld } from "../world.ts";

export function declare(program: Command, run: Runner): void {
  const builds = program
    .command("builds")
    .description("builds: those of a Space, show, cancel, retry, priority, queue")
    .argument("<owner/name>", "the Space", parseSpace)
    .option("--page <next>", "the page that the one before named")
    .action(run(list));
  builds
    .command("show")
    .description("one build: its stage, its steps, and what is in force on it")
    .argument("<id>", "the build")
    .action(run(show));
  builds
    .command("cancel")
    .description("end a build that has not ended; its log says by whom")
    .argument("<id>", "the build")
    .action(run(onBuild((client, id, world) => client.cancelBuild(id, { signal: world.signal }))));
  builds
    .command("retry")
    .description("build the same commit again, after its build has ended without a release")
    .argument("<id>", "the build")
    .action(run(onBuild((client, id, world) => client.retryBuild(id, { signal: world.signal }))));
  builds
    .command("priority")
    .description("let a waiting build go before others (above 0) or after them (below); for operators")
    .argument("<id>", "the build")
    .argument("<number>", "0 is what all have", parsePriority)
    .action(
      run(
        onBuild((client, id, world, command) =>
          client.prioritizeBuild(id, command.processedArgs[1] as number, { signal: world.signal }),
        ),
      ),
    );
  builds
    .command("queue")
    .description("who waits to be built, and all that keeps them; for operators")
    .action(run(queue));
}

async function list(world: CliWorld, command: Command): Promise<void> {
  const context = contextOf(world, command);
  const space = command.processedArgs[0] as string;
  const [client, { drawBuilds }] = await Promise.all([context.client(), import("../draw/builds.ts")]);
  const { page } = command.opts<{ page?: string }>();
  const answer = await client.builds(space, { page, signal: world.signal });
  const ids = answer.items.map(({ id }) => `${id}\n`).join("");
  context.answer(answer, context.quiet ? ids : drawBuilds(context.paper, space, answer.items));
  if (answer.next) context.note(`more: waybill builds ${space} --page ${answer.next}\n`);
}

async function show(world: CliWorld, command: Command): Promise<void> {
  const context = contextOf(world, command);
  const [client, { drawWholeBuild }] = await Promise.all([context.client(), import("../draw/builds.ts")]);
  const answer = await client.build(command.processedArgs[0] as string, { signal: world.signal });
  context.answer(answer, context.quiet ? `${answer.id}\n` : drawWholeBuild(context.paper, answer));
}

async function queue(world: CliWorld, command: Command): Promise<void> {
  const context = contextOf(world, command);
  const [client, { drawBuildQueue }] = await Promise.all([context.client(), import("../draw/builds.ts")]);
  const answer = await client.buildQueue({ signal: world.signal });
  const ids = answer.waiting.map(({ id }) => `${id}\n`).join("");
  context.answer(answer, context.quiet ? ids : drawBuildQueue(context.paper, answer));
}

/** A command that does something to one build, and draws what became of it. */
function onBuild(
  act: (client: WaybillClient, id: string, world: CliWorld, command: Command) => Promise<BuildView>,
): (world: CliWorld, command: Command) => Promise<void> {
  return async (world, command) => {
    const context = contextOf(world, command);
    const [client, { drawBuild }] = await Promise.all([context.client(), import("../draw/builds.ts")]);
    const answer = await act(client, command.args[0] as string, world, command);
    context.answer(answer, context.quiet ? `${answer.id}\n` : drawBuild(answer));
  };
}

function parsePriority(text: string): number {
  if (!/^-?\d{1,3}$/.test(text)) throw new InvalidArgumentError("Write a whole number from -100 to 100.");
  return Number(text);
}
