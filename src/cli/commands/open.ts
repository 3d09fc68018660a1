/** `waybill open [OWNER/NAME]`: prints the address of a Space, or the console's, and opens it in a browser where there is a screen. */
import type { Command } from "commander";
import { parseSpace } from "../arguments.ts";
import { contextOf, type Context } from "../context.ts";
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
        const url = space === undefined ? (await context.where()).url : await addressOf(context, space);
        const opened = world.stdout.isTTY === true && !context.json && (await world.browse?.(url)) === true;
        context.answer({ url, opened }, `${url}\n`);
      }),
    );
}

async function addressOf(context: Context, space: string): Promise<string> {
  const client = await context.client();
  const { addresses } = await client.space(space, { signal: context.world.signal });
  return addresses[0] ?? client.url;
}
