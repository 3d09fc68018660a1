/** `waybill token create --account NAME`: an access token, shown once. */
import type { Command } from "commander";
import { parseTier } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { GlobalOptions } from "../context.ts";
import type { Runner } from "../program.ts";

interface Options extends GlobalOptions {
  readonly account: string;
  readonly create?: boolean;
  readonly tier?: ReturnType<typeof parseTier>;
  readonly name?: string;
}

export function declare(program: Command, run: Runner): void {
  const token = program.command("token").description("access tokens: create");
  token
    .command("create")
    .description("make a token; it is shown only now")
    .requiredOption("--account <name>", "whose token")
    .option("--create", "make the account if it is absent")
    .option("--tier <tier>", "the new account's tier: free, pro, enterprise, unlimited", parseTier)
    .option("--name <text>", "what the token is for")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const client = await context.client();
        const { account, create, tier, name } = command.optsWithGlobals<Options>();
        const body = { account, ...(create ? { create } : {}), ...(tier ? { tier } : {}), ...(name ? { name } : {}) };
        const answer = await client.createToken(body, { signal: world.signal });
        context.answer(answer, `${answer.token}\n`);
        context.note(`a token of ${answer.account}; it is not shown again\n`);
      }),
    );
}
