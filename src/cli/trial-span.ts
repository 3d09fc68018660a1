/** The span of a trial, as people type it, for tiers as for pools; and what is said of what came of it. */
import type { Command } from "commander";
import type { TrialRequest } from "../contract/trials.ts";
import { parseClock } from "./arguments.ts";
import { contextOf } from "./context.ts";
import type { CliWorld } from "./world.ts";

interface SpanOptions {
  readonly from?: ReturnType<typeof parseClock>;
  readonly to?: ReturnType<typeof parseClock>;
}

/** Where nothing is said: the day before now. */
const dayMs = 24 * 3_600_000;

export function spanned(command: Command): Command {
  return command
    .option(
      "--from <time>",
      "the calls since then: 12:00, 36h, or an instant; a day before --to where it is not said",
      parseClock,
    )
    .option("--to <time>", "and before then; now where it is not said", parseClock);
}

export async function tryOnRecord(
  world: CliWorld,
  command: Command,
  edits: Pick<TrialRequest, "tiers" | "pools">,
): Promise<void> {
  const context = contextOf(world, command);
  const [client, { drawTrial }] = await Promise.all([context.client(), import("./draw/trials.ts")]);
  const now = world.clock.wall();
  const { from, to } = command.opts<SpanOptions>();
  const until = to?.(now) ?? new Date(now).toISOString();
  const since = from?.(now) ?? new Date(Date.parse(until) - dayMs).toISOString();
  const answer = await client.trials.run({ from: since, to: until, ...edits }, { signal: world.signal });
  context.answer(answer, drawTrial(context.paper, answer));
}
