/** `waybill quota --account NAME`, and for operators `quota grant NAME …`, `quota lift NAME POLICY …` and `quota revoke NAME ID`. */
import type { Command } from "commander";
import type { GiveAllowance, LiftablePolicy } from "../../contract/allowances.ts";
import type { QuotaView } from "../../contract/api.ts";
import { parseLength, parseMoment, parsePolicy } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { GlobalOptions } from "../context.ts";
import { exit } from "../exit.ts";
import { CliFailure } from "../failures.ts";
import type { Runner } from "../program.ts";
import type { CliWorld } from "../world.ts";

interface GrantOptions extends GlobalOptions {
  readonly window?: number;
  readonly credits?: number;
  readonly expires?: string;
  readonly reason: string;
}

export function declare(program: Command, run: Runner): void {
  const quota = program
    .command("quota")
    .description("an account's GPU time: used, held, left; for operators also grant, lift, revoke")
    .option("--account <name>", "the account; your own where it is not said")
    .action(
      run(async (world, command) => {
        const { account } = command.opts<{ account?: string }>();
        await answer(world, command, (client) => client.quota({ account, signal: world.signal }));
      }),
    );
  quota
    .command("grant")
    .description("give an account more for its running window, or credits that are used when the window is used up")
    .argument("<account>")
    .option("--window <length>", "GPU time more for the window that runs, such as 10m", parseLength)
    .option("--credits <length>", "GPU time beyond the window, such as 10m", parseLength)
    .option("--expires <instant>", "when the credits go; never where it is not said", parseMoment)
    .requiredOption("--reason <text>", "why; it is kept and shown")
    .action(
      run(async (world, command) => {
        const wish = grantOf(command.args[0] as string, command.opts<GrantOptions>());
        await answer(world, command, (client) => client.allow(wish, { signal: world.signal }));
      }),
    );
  quota
    .command("lift")
    .description("let one of its tier's policies not hold for an account: window, runs, calls or duration")
    .argument("<account>")
    .argument("<policy>", "window, runs, calls or duration", parsePolicy)
    .requiredOption("--for <length>", "for how long from now, such as 2h", parseLength)
    .requiredOption("--reason <text>", "why; it is kept and shown")
    .action(
      run(async (world, command) => {
        const [account, policy] = command.processedArgs as [string, LiftablePolicy];
        const { for: forMs, reason } = command.opts<{ for: number; reason: string }>();
        const until = new Date(world.clock.wall() + forMs).toISOString();
        const wish = { account, kind: "lift", policy, until, reason } as const;
        await answer(world, command, (client) => client.allow(wish, { signal: world.signal }));
      }),
    );
  quota
    .command("revoke")
    .description("take back what was granted or lifted: nothing more is admitted by it; open calls keep what they hold")
    .argument("<account>")
    .argument("<id>", "the allowance's, as `waybill quota --account NAME` shows it")
    .requiredOption("--reason <text>", "why; it is kept")
    .action(
      run(async (world, command) => {
        const [account, id] = command.args as [string, string];
        const wish = { account, reason: command.opts<{ reason: string }>().reason };
        await answer(world, command, (client) => client.revoke(id, wish, { signal: world.signal }));
      }),
    );
}

type Client = Awaited<ReturnType<ReturnType<typeof contextOf>["client"]>>;

async function answer(world: CliWorld, command: Command, ask: (client: Client) => Promise<QuotaView>): Promise<void> {
  const context = contextOf(world, command);
  const [client, { drawQuota }] = await Promise.all([context.client(), import("../draw/views.ts")]);
  const quota = await ask(client);
  context.answer(quota, drawQuota(context.paper, quota));
}

function grantOf(account: string, { window, credits, expires, reason }: GrantOptions): GiveAllowance {
  if (window !== undefined && credits === undefined && expires === undefined)
    return { account, kind: "window", ms: window, reason };
  if (credits !== undefined && window === undefined)
    return { account, kind: "credits", ms: credits, expiresAt: expires ?? null, reason };
  throw new CliFailure(exit.usage, {
    code: "nothing-to-grant",
    says: "It is either time for the window that runs or credits; only credits have an end.",
    next: "Name one: --window 10m, or --credits 10m, with --expires where they end.",
  });
}
