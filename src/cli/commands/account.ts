/**
 * `waybill account create NAME [--organisation]`, `list`, and `link`, `unlink`, `links`: by which providers one signs in; for operators.
 * `account password NAME`: one's own, and for operators anybody's.
 */
import type { Command } from "commander";
import type { SetPassword } from "../../contract/identity.ts";
import { parseTier } from "../arguments.ts";
import type { IdentityView } from "../../contract/identity.ts";
import { contextOf } from "../context.ts";
import { exit } from "../exit.ts";
import { CliFailure } from "../failures.ts";
import type { Context } from "../context.ts";
import type { Runner } from "../program.ts";
import type { CliWorld } from "../world.ts";

interface CreateOptions {
  readonly organisation?: boolean;
  readonly tier?: ReturnType<typeof parseTier>;
  readonly admin?: string;
}

export function declare(program: Command, run: Runner): void {
  const account = program
    .command("account")
    .description("accounts of people and organisations: create, list, password, link, unlink, links");
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
    .command("password")
    .description("set a password for the console: typed, or from standard input; ends the account's other sessions")
    .argument("<name>")
    .option("--current", "also give the one that holds, on a line before it, as whoever is no operator has to")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const name = command.args[0] as string;
        const asksCurrent = command.opts<{ current?: boolean }>().current === true;
        const body = await (world.stdin.hidden
          ? typed(world.stdin.hidden, asksCurrent)
          : piped(world, name, asksCurrent));
        const client = await context.client();
        await client.setPassword(name, body, { signal: world.signal });
        context.answer(
          { account: name },
          context.quiet ? "" : `${name} has a new password; its other sessions have ended\n`,
        );
      }),
    );
  account
    .command("list")
    .description("all accounts")
    .option("--page <next>", "the page that the one before named")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawAccounts }] = await Promise.all([context.client(), import("../draw/accounts.ts")]);
        const { page } = command.opts<{ page?: string }>();
        const answer = await client.accounts({ page, signal: world.signal });
        const names = answer.items.map(({ name }) => `${name}\n`).join("");
        context.answer(answer, context.quiet ? names : drawAccounts(context.paper, answer.items));
        if (answer.next) context.note(`more: waybill account list --page ${answer.next}\n`);
      }),
    );
  account
    .command("link")
    .description("let somebody at a sign-in provider sign in as this account")
    .argument("<name>")
    .requiredOption("--provider <name>", "as the operator's file names it; docs/sign-in.md")
    .requiredOption("--subject <sub>", "the provider's own word for the person, as the refused sign-in shows it")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const client = await context.client();
        const body = command.opts<{ provider: string; subject: string }>();
        const answer = await client.linkIdentity(command.args[0] as string, body, { signal: world.signal });
        await show(context, answer.items);
      }),
    );
  account
    .command("unlink")
    .description("take a sign-in provider from this account")
    .argument("<name>")
    .requiredOption("--provider <name>", "its name, or its issuer's address where it is not configured any more")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const client = await context.client();
        const { provider } = command.opts<{ provider: string }>();
        const answer = await client.unlinkIdentity(command.args[0] as string, provider, { signal: world.signal });
        await show(context, answer.items);
      }),
    );
  account
    .command("links")
    .description("by which sign-in providers this account signs in")
    .argument("<name>")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const client = await context.client();
        const answer = await client.identities(command.args[0] as string, { signal: world.signal });
        await show(context, answer.items);
      }),
    );
}

async function show(context: Context, items: readonly IdentityView[]): Promise<void> {
  const { drawIdentities } = await import("../draw/accounts.ts");
  const subjects = items.map(({ subject }) => `${subject}\n`).join("");
  context.answer({ items, next: null }, context.quiet ? subjects : drawIdentities(context.paper, items));
}

async function typed(hidden: NonNullable<CliWorld["stdin"]["hidden"]>, asksCurrent: boolean): Promise<SetPassword> {
  const current = asksCurrent ? { current: await hidden("Current password: ") } : {};
  const password = await hidden("New password: ");
  if (password !== (await hidden("Once more: ")))
    throw new CliFailure(exit.usage, {
      code: "password-differs",
      says: "The two are not the same.",
      next: "Type it again; nothing was changed.",
    });
  return { password, ...current };
}

async function piped({ stdin }: CliWorld, name: string, asksCurrent: boolean): Promise<SetPassword> {
  // The last newline is the shell's or the editor's.
  const lines = (await stdin.text()).replace(/\r?\n$/, "").split(/\r?\n/);
  const [first = "", second = ""] = lines;
  const password = asksCurrent ? second : first;
  if (password === "" || lines.length > (asksCurrent ? 2 : 1))
    throw new CliFailure(exit.usage, {
      code: "password-unread",
      says: asksCurrent
        ? "Standard input is to have two lines: the current password, and the new one."
        : "Standard input is to have one line, the password.",
      next: `waybill account password ${name}${asksCurrent ? " --current" : ""} < FILE; or type it at a terminal.`,
    });
  return { password, ...(asksCurrent && { current: first }) };
}
