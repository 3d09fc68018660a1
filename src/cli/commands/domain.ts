/** `waybill domain add|list|remove`: names of your own domains that lead to a Space. */
import type { Command } from "commander";
import { parseSpace } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

export function declare(program: Command, run: Runner): void {
  const domain = program
    .command("domain")
    .description("names of your own domains that lead to a Space: add, list, remove");
  domain
    .command("add")
    .description("claim a name for a Space, and look for its proof in the DNS; again, once the record is there")
    .argument("<owner/name>", "the Space", parseSpace)
    .argument("<host>", "the name, such as app.example.com")
    .option("--without-proof", "for operators: it leads to the Space at once")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [space, name] = command.processedArgs as [string, string];
        const { withoutProof } = command.opts<{ withoutProof?: true }>();
        const [client, { drawDomain }] = await Promise.all([context.client(), import("../draw/domains.ts")]);
        const wish = { name, ...(withoutProof === true && { withoutProof }) };
        const answer = await client.domains.add(space, wish, { signal: world.signal });
        context.answer(answer, context.quiet ? `${answer.name}\n` : drawDomain(context.paper, answer));
      }),
    );
  domain
    .command("list")
    .description("a Space's domains, and what their DNS has to say")
    .argument("<owner/name>", "the Space", parseSpace)
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawDomains }] = await Promise.all([context.client(), import("../draw/domains.ts")]);
        const answer = await client.domains.list(command.processedArgs[0] as string, { signal: world.signal });
        const names = answer.items.map(({ name }) => `${name}\n`).join("");
        context.answer(answer, context.quiet ? names : drawDomains(context.paper, answer.items));
      }),
    );
  domain
    .command("remove")
    .description("give a name up: it leads to the Space no more")
    .argument("<owner/name>", "the Space", parseSpace)
    .argument("<host>", "the name")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [space, name] = command.processedArgs as [string, string];
        const client = await context.client();
        await client.domains.remove(space, name, { signal: world.signal });
        context.answer({ name, removed: true }, context.quiet ? `${name}\n` : `${name} leads to ${space} no more\n`);
      }),
    );
}
