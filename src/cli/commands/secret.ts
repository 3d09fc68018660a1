/** `waybill secret set|list|unset`: what only a Space's replicas get. A value is never an argument: those are seen by others and kept by shells. */
import type { Command } from "commander";
import { parseSpace } from "../arguments.ts";
import { contextOf } from "../context.ts";
import { exit } from "../exit.ts";
import { CliFailure } from "../failures.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  const secret = program.command("secret").description("secrets of a Space: set, list, unset");
  secret
    .command("set")
    .description("set a secret to what comes on standard input; a running app is started again with it")
    .argument("<owner/name>", "the Space", parseSpace)
    .argument("<key>", "the secret's name")
    .option("--description <text>", "what it is for")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [space, key] = command.processedArgs as [string, string];
        const { description } = command.opts<{ description?: string }>();
        if (world.stdin.isTTY) context.note("Type or paste the value, then Enter and Ctrl-D.\n");
        // The last newline is the shell's or the editor's.
        const value = (await world.stdin.text()).replace(/\r?\n$/, "");
        if (value === "") {
          const says = "The value on standard input is empty.";
          throw new CliFailure(exit.usage, {
            code: "secret-empty",
            says,
            next: `Give it one: waybill secret set ${space} ${key} < FILE; or remove it: waybill secret unset ${space} ${key}.`,
          });
        }
        const client = await context.client();
        const entry = { key, value, ...(description === undefined ? {} : { description }) };
        const answer = await client.setSecret(space, entry, { signal: world.signal });
        context.answer(answer, context.quiet ? `${key}\n` : `${key} is set\n`);
      }),
    );
  secret
    .command("list")
    .description("the names of a Space's secrets; nobody is shown their values")
    .argument("<owner/name>", "the Space", parseSpace)
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawSecrets }] = await Promise.all([context.client(), import("../draw/environment.ts")]);
        const answer = await client.secrets(command.processedArgs[0] as string, { signal: world.signal });
        const names = Object.keys(answer).map((name) => `${name}\n`);
        context.answer(answer, context.quiet ? names.join("") : drawSecrets(context.paper, answer));
      }),
    );
  secret
    .command("unset")
    .description("remove a secret; a running app is started again without it")
    .argument("<owner/name>", "the Space", parseSpace)
    .argument("<key>", "the secret's name")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [space, key] = command.processedArgs as [string, string];
        const client = await context.client();
        await client.unsetSecret(space, key, { signal: world.signal });
        context.answer({ name: key, unset: true }, context.quiet ? `${key}\n` : `${key} is gone\n`);
      }),
    );
}
