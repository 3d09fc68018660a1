/** `waybill open [OWNER/NAME]`: prints the address of a Space, or the console's, and opens it in a browser where there is a screen. */
import type { Command } from "commander";
import { parseSpace } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  program
    .command("open")
    .description("the address of a Space, or of the console, in a browser where there is one")
    .argument("[owner/name]", "the Space", parseSpace)
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const space = command.processedArgs[0] as string | undefined;
        const url =
          space === undefined
            ? (await context.where()).url
            : await addressOf(await context.client(), space, world.signal);
        const opened = world.stdout.isTTY === true && !context.json && (await world.browse?.(url)) === true;
        context.answer({ url, opened }, `${url}\n`);
      }),
    );
}

async function addressOf(
  client: Awaited<ReturnType<ReturnType<typeof contextOf>["client"]>>,
  space: string,
  signal: AbortSignal,
): Promise<string> {
  const { addresses } = await client.space(space, { signal });
  return addresses[0] ?? client.url;
}
