/** `waybill tier list`, `waybill tier set NAME --window-limit 5m …`, and `tier try` with the same on the record. */
import type { Command } from "commander";
import type { TierChange } from "../../client/api.ts";
import { limitOf, parseCount, parseCountLimit, parseLength, parseLengthLimit } from "../arguments.ts";
import type { Limit } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { GlobalOptions } from "../context.ts";
import { exit } from "../exit.ts";
import { CliFailure } from "../failures.ts";
import type { Runner } from "../program.ts";
import { spanned, tryOnRecord } from "../trial-span.ts";

interface SetOptions extends GlobalOptions {
  readonly windowLimit?: Limit;
  readonly window?: number;
  readonly longest?: Limit;
  readonly runs?: Limit;
  readonly concurrency?: Limit;
  readonly weight?: number;
}

export function declare(program: Command, run: Runner): void {
  const tier = program.command("tier").description("what accounts may use, by tier: list, set, try");
  tier
    .command("list")
    .description("all tiers with their limits")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawTiers }] = await Promise.all([context.client(), import("../draw/views.ts")]);
        const answer = await client.tiers({ signal: world.signal });
        context.answer(answer, drawTiers(context.paper, answer.tiers));
      }),
    );
  limits(tier.command("set").description("change a tier's limits").argument("<name>")).action(
    run(async (world, command) => {
      const context = contextOf(world, command);
      const [client, { drawTiers }] = await Promise.all([context.client(), import("../draw/views.ts")]);
      const change = changeOf(command.opts<SetOptions>(), "set");
      const answer = await client.changeTier(command.args[0] as string, change, { signal: world.signal });
      context.answer(answer, drawTiers(context.paper, [answer]));
    }),
  );
  spanned(
    limits(
      tier
        .command("try")
        .description("what calls of the record would have become under other limits; changes nothing")
        .argument("<name>"),
    ),
  ).action(
    run((world, command) => {
      const change = changeOf(command.opts<SetOptions>(), "try");
      return tryOnRecord(world, command, { tiers: { [command.args[0] as string]: change } });
    }),
  );
}

function limits(command: Command): Command {
  return command
    .option("--window-limit <length>", "GPU time of one window, such as 5m; none for no limit", parseLengthLimit)
    .option("--window <length>", "how long a window is from its first use, such as 24h", parseLength)
    .option("--longest <length>", "the longest duration that a call may declare; none for the pool's", parseLengthLimit)
    .option("--runs <count>", "runs of one window; none for no limit", parseCountLimit)
    .option("--weight <count>", "where several wait: the tier's weight beside the others'", parseCount)
    .option("--concurrency <count>", "calls of an account at once; none for no limit", parseCountLimit);
}

function changeOf(
  { windowLimit, window, longest, runs, concurrency, weight }: SetOptions,
  verb: "set" | "try",
): TierChange {
  const change: TierChange = {
    ...(windowLimit === undefined ? {} : { windowLimitMs: limitOf(windowLimit) }),
    ...(window === undefined ? {} : { windowMs: window }),
    ...(longest === undefined ? {} : { durationMaxMs: limitOf(longest) }),
    ...(runs === undefined ? {} : { runsMax: limitOf(runs) }),
    ...(concurrency === undefined ? {} : { callsMax: limitOf(concurrency) }),
    ...(weight === undefined ? {} : { weight }),
  };
  if (Object.keys(change).length > 0) return change;
  throw new CliFailure(exit.usage, {
    code: "nothing-to-set",
    says: "No limit was given.",
    next: `Name at least one, such as --window-limit 5m; \`waybill help tier ${verb}\` lists them.`,
  });
}
