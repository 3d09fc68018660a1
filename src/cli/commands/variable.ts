/** `waybill variable set|list|unset`: what a Space's builds and replicas get; for what nobody else may know there are secrets. */
import type { Command } from "commander";
import { parseSpace } from "../arguments.ts";
import { contextOf } from "../context.ts";
import { exit } from "../exit.ts";
import { CliFailure } from "../failures.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  const variable = program.command("variable").description("variables of a Space: set, list, unset");
  variable
    .command("set")
    .description("set variables; a running app is started again with them")
    .argument("<owner/name>", "the Space", parseSpace)
    .argument("<key=value...>", "the variables; what is not named stays")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [space, pairs] = command.processedArgs as [string, readonly string[]];
        const entries = pairs.map(entryOf);
        const [client, { drawVariables }] = await Promise.all([context.client(), import("../draw/environment.ts")]);
        let answer = {};
        for (const entry of entries) answer = await client.setVariable(space, entry, { signal: world.signal });
        context.answer(answer, context.quiet ? `${space}\n` : drawVariables(context.paper, answer));
      }),
    );
  variable
    .command("list")
    .description("a Space's variables")
    .argument("<owner/name>", "the Space", parseSpace)
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawVariables }] = await Promise.all([context.client(), import("../draw/environment.ts")]);
        const answer = await client.variables(command.processedArgs[0] as string, { signal: world.signal });
        const names = Object.keys(answer).map((name) => `${name}\n`);
        context.answer(answer, context.quiet ? names.join("") : drawVariables(context.paper, answer));
      }),
    );
  variable
    .command("unset")
    .description("remove a variable; a running app is started again without it")
    .argument("<owner/name>", "the Space", parseSpace)
    .argument("<key>", "the variable's name")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [space, key] = command.processedArgs as [string, string];
        const client = await context.client();
        await client.unsetVariable(space, key, { signal: world.signal });
        context.answer({ name: key, unset: true }, context.quiet ? `${key}\n` : `${key} is gone\n`);
      }),
    );
}

function entryOf(pair: string): { readonly key: string; readonly value: string } {
  const at = pair.indexOf("=");
  if (at > 0) return { key: pair.slice(0, at), value: pair.slice(at + 1) };
  throw new CliFailure(exit.usage, {
    code: "variable-invalid",
    says: `"${pair}" is not KEY=VALUE.`,
    next: "Write variables as KEY=VALUE.",
  });
}
