/** `waybill space pools OWNER/NAME [POOL…]` and `waybill pool rule ACCOUNT [POOL…]`: the two that show and change a rule. */
import type { Command } from "commander";
import type { Routable } from "../client/api.ts";
import { parseLength } from "./arguments.ts";
import { contextOf } from "./context.ts";
import type { GlobalOptions } from "./context.ts";
import { exit } from "./exit.ts";
import { CliFailure } from "./failures.ts";
import type { Runner } from "./program.ts";

interface RuleOptions extends GlobalOptions {
  readonly moveAfter?: number;
  readonly back?: boolean;
}

/** `command`'s first argument is whose rule it is. */
export function ruled(command: Command, run: Runner, of: (whose: string) => Routable): void {
  command
    .argument("[pools...]", "the pools, the wished one first; a call goes to the first that can take it")
    .option(
      "--move-after <length>",
      "a call that has waited so long in one pool moves on to the next, such as 20s",
      parseLength,
    )
    .option("--back", "take the rule back: calls go by what other rule there is, or by their node's pool")
    .action(
      run(async (world, given) => {
        const context = contextOf(world, given);
        const [whose, pools] = given.processedArgs as [string, readonly string[]];
        const { moveAfter, back = false } = given.opts<RuleOptions>();
        const isRule = pools.length > 0;
        if (back ? isRule || moveAfter !== undefined : !isRule && moveAfter !== undefined) throw contradiction;
        const [client, { drawRoute }] = await Promise.all([context.client(), import("./draw/pools.ts")]);
        const asking = { signal: world.signal };
        const rule = { pools, moveAfterMs: moveAfter ?? null };
        const answer = await (isRule || back
          ? client.changeRoute(of(whose), back ? null : rule, asking)
          : client.route(of(whose), asking));
        context.answer(answer, drawRoute(whose, answer));
      }),
    );
}

const contradiction = new CliFailure(exit.usage, {
  code: "rule",
  says: "A rule is pools, with --move-after where calls are to move on, or it is taken back.",
  next: "Name the pools, such as `fast main --move-after 20s`, or say --back alone.",
});
