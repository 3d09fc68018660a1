/** `waybill account create NAME [--organisation]` and `account list`: for operators. */
import type { Command } from "commander";
import { parseTier } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

interface CreateOptions {
  readonly organisation?: boolean;
  readonly tier?: ReturnType<typeof parseTier>;
  readonly admin?: string;
}

export function declare(program: Command, run: Runner): void {
  const account = program.command("account").description("accounts of people and organisations: create, list");
  account
    .command("create")
    .description("make an account")
    .argument("<name>")
    .option("--organisation", "one that owns Spaces and has members, who act for it")
    .option("--tier <tier>", "free, pro, enterprise, unlimited; free where it is not said", parseTier)
    .option("--admin <name>", "an organisation's first administrator; you where it is not said")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const client = await context.client();
        const body = { name: command.args[0] as string, ...command.opts<CreateOptions>() };
        const made = await client.createAccount(body, { signal: world.signal });
        context.answer(made, `${made.name}\n`);
        const next =
          made.kind === "organisation"
            ? `waybill member add ${made.name} NAME --role write`
            : `waybill token create --account ${made.name}`;
        context.note(`next: ${next}\n`);
      }),
    );
  account
    .command("list")
    .description("all accounts")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawAccounts }] = await Promise.all([context.client(), import("../draw/accounts.ts")]);
        const answer = await client.accounts({ signal: world.signal });
        const names = answer.items.map(({ name }) => `${name}\n`).join("");
        context.answer(answer, context.quiet ? names : drawAccounts(context.paper, answer.items));
      }),
    );
}
