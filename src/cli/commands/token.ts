/** `waybill token create|list|revoke`: access tokens. One is shown once, and may do no more than the one that makes it. */
import type { Command } from "commander";
import type { CreateToken } from "../../contract/api.ts";
import { parseAge, parseScopes, parseSpace, parseTier } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { Runner } from "../program.ts";

type Scopes = NonNullable<CreateToken["scopes"]>;

interface CreateOptions {
  readonly account?: string;
  readonly create?: boolean;
  readonly tier?: ReturnType<typeof parseTier>;
  readonly name?: string;
  readonly scope?: Scopes;
  readonly readSpace?: readonly string[];
  readonly writeSpace?: readonly string[];
  readonly expires?: number;
}

export function declare(program: Command, run: Runner): void {
  const token = program.command("token").description("access tokens: create, list, revoke");
  token
    .command("create")
    .description("make a token; it is shown only now")
    .option("--account <name>", "whose token; your own where it is not said")
    .option("--create", "make the account if it is absent; for operators")
    .option("--tier <tier>", "the new account's tier: free, pro, enterprise, unlimited", parseTier)
    .option("--name <text>", "what the token is for")
    .option(
      "--scope <names>",
      "of read,write,gpu,admin, with commas; all that yours has where none is named",
      parseScopes,
    )
    .option("--read-space <owner/name>", "may read this Space (and others, said again) and no others", collect)
    .option(
      "--write-space <owner/name>",
      "may read and change this Space (and others, said again) and no others",
      collect,
    )
    .option("--expires <length>", "holds for so long, such as 30d; never longer than yours", parseAge)
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const client = await context.client();
        const answer = await client.createToken(bodyOf(command.opts<CreateOptions>()), { signal: world.signal });
        context.answer(answer, `${answer.token}\n`);
        context.note(`a token of ${answer.account}, ${answer.id}; it is not shown again\n`);
      }),
    );
  token
    .command("list")
    .description("tokens with what they may do, until when, and when they were used")
    .option("--account <name>", "whose; your own where it is not said")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const { account } = command.opts<{ account?: string }>();
        const [client, { drawTokens }] = await Promise.all([context.client(), import("../draw/accounts.ts")]);
        const answer = await client.tokens({ account, signal: world.signal });
        const ids = answer.items.map(({ id }) => `${id}\n`).join("");
        context.answer(answer, context.quiet ? ids : drawTokens(context.paper, answer.items));
      }),
    );
  token
    .command("revoke")
    .description("a token holds no longer")
    .argument("<id>", "t_…, as `token list` shows it")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [id = ""] = command.args;
        await (await context.client()).revokeToken(id, { signal: world.signal });
        context.answer({ id }, `${id} is revoked\n`);
      }),
    );
}

function bodyOf({ create, tier, name, account, scope, expires, ...of }: CreateOptions): CreateToken {
  const spaces = [
    ...(of.readSpace ?? []).map((space) => ({ space, right: "read" as const })),
    ...(of.writeSpace ?? []).map((space) => ({ space, right: "write" as const })),
  ];
  return {
    ...(account === undefined ? {} : { account }),
    ...(create ? { create } : {}),
    ...(tier ? { tier } : {}),
    ...(name === undefined ? {} : { name }),
    ...(scope === undefined ? {} : { scopes: scope }),
    ...(spaces.length === 0 ? {} : { spaces }),
    ...(expires === undefined ? {} : { expiresInMs: expires }),
  };
}

function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, parseSpace(text)];
}
