/** `waybill pool list`, `show NAME`, `add NAME`, `set NAME --queue-limit 3s …`, `try` with the same on the record, `rule ACCOUNT POOL…`, `rules`, `drain NAME --reason …` and `undrain`. */
import type { Command } from "commander";
import type { PoolChange } from "../../client/api.ts";
import { limitOf, parseAdmission, parseCount, parseCountLimit, parseLength, parseLengthLimit } from "../arguments.ts";
import type { Limit } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { GlobalOptions } from "../context.ts";
import { exit } from "../exit.ts";
import { CliFailure } from "../failures.ts";
import type { Runner } from "../program.ts";
import { ruled } from "../pool-rule.ts";
import { spanned, tryOnRecord } from "../trial-span.ts";

interface SetOptions extends GlobalOptions {
  readonly queueLimit?: number;
  readonly queueMax?: number;
  readonly durationMax?: number;
  readonly attachWithin?: number;
  readonly admission?: "clip" | "strict";
  readonly spaceCalls?: Limit;
  readonly tokenCalls?: number;
  readonly tokenGpu?: Limit;
  readonly shareHalfLife?: number;
  readonly oldestEvery?: number;
}

export function declare(program: Command, run: Runner): void {
  const pool = program.command("pool").description("GPU pools: list, show, add, set, try, rule, rules, drain, undrain");
  pool
    .command("list")
    .description("the pools, and how much of each is leased")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawPools }] = await Promise.all([context.client(), import("../draw/pools.ts")]);
        const answer = await client.pools({ signal: world.signal });
        const names = answer.pools.map(({ name }) => `${name}\n`).join("");
        context.answer(answer, context.quiet ? names : drawPools(context.paper, answer));
      }),
    );
  settings(
    pool.command("add").description("make a pool, with settings of its own where they are said").argument("<name>"),
  ).action(
    run(async (world, command) => {
      const context = contextOf(world, command);
      const [client, { drawPool }] = await Promise.all([context.client(), import("../draw/views.ts")]);
      const wish = changeOf(command.opts<SetOptions>());
      const answer = await client.makePool(command.args[0] as string, wish, { signal: world.signal });
      context.answer(answer, drawPool(context.paper, answer));
    }),
  );
  ruled(
    pool
      .command("rule")
      .description("by which pools an account's calls are served; shown where nothing is set")
      .argument("<account>", "the account; a rule of a call's Space goes first"),
    run,
    (account) => ({ account }),
  );
  pool
    .command("rules")
    .description("all rules of Spaces and accounts by which calls come into pools")
    .option("--page <next>", "the page that the one before named")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawRules }] = await Promise.all([context.client(), import("../draw/pools.ts")]);
        const { page } = command.opts<{ readonly page?: string }>();
        const answer = await client.rules({ page, signal: world.signal });
        context.answer(answer, drawRules(answer.items));
        if (answer.next) context.note(`more: waybill pool rules --page ${answer.next}\n`);
      }),
    );
  pool
    .command("show")
    .description("a pool's settings and how much of it is leased")
    .argument("<name>")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawPool }] = await Promise.all([context.client(), import("../draw/views.ts")]);
        const answer = await client.pool(command.args[0] as string, { signal: world.signal });
        context.answer(answer, drawPool(context.paper, answer));
      }),
    );
  settings(pool.command("set").description("change a pool's settings").argument("<name>")).action(
    run(async (world, command) => {
      const context = contextOf(world, command);
      const [client, { drawPool }] = await Promise.all([context.client(), import("../draw/views.ts")]);
      const change = changeOf(command.opts<SetOptions>());
      if (Object.keys(change).length === 0) throw nothingToSet;
      const answer = await client.changePool(command.args[0] as string, change, { signal: world.signal });
      context.answer(answer, drawPool(context.paper, answer));
    }),
  );
  spanned(
    settings(
      pool
        .command("try")
        .description("what calls of the record would have become under other settings; changes nothing")
        .argument("<name>"),
    ),
  ).action(
    run((world, command) => {
      const change = changeOf(command.opts<SetOptions>());
      if (Object.keys(change).length === 0) throw nothingToSet;
      return tryOnRecord(world, command, { pools: { [command.args[0] as string]: change } });
    }),
  );
  pool
    .command("drain")
    .description("take all of a pool's cards out of use: running calls finish, new ones are refused")
    .argument("<name>")
    .requiredOption("--reason <text>", "why: whoever is refused reads this")
    .option("--end-after <length>", "end what still runs then, at no charge; such as 10m", parseLength)
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawNodes }] = await Promise.all([context.client(), import("../draw/nodes.ts")]);
        const { reason, endAfter } = command.opts<{ readonly reason: string; readonly endAfter?: number }>();
        const drain = { reason, ...(endAfter !== undefined && { endAfterMs: endAfter }) };
        const answer = await client.drain({ pool: command.args[0] as string }, drain, { signal: world.signal });
        context.answer(answer, drawNodes(context.paper, answer));
      }),
    );
  pool
    .command("undrain")
    .description("give a pool back")
    .argument("<name>")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawNodes }] = await Promise.all([context.client(), import("../draw/nodes.ts")]);
        const answer = await client.undrain({ pool: command.args[0] as string }, { signal: world.signal });
        context.answer(answer, drawNodes(context.paper, answer));
      }),
    );
}

function settings(command: Command): Command {
  return command
    .option("--queue-limit <length>", "how long a call may wait, such as 60s", parseLength)
    .option("--queue-max <count>", "how many calls may wait", parseCount)
    .option("--duration-max <length>", "the longest duration that a call may declare", parseLength)
    .option("--attach-within <length>", "how soon a worker must attach to its grant", parseLength)
    .option("--space-calls <count>", "calls of one Space at once; none for no limit", parseCountLimit)
    .option("--token-calls <count>", "calls that one visitor's request may have in all", parseCount)
    .option("--token-gpu <length>", "GPU time of them together; none for the window's rest", parseLengthLimit)
    .option("--share-half-life <length>", "after which an account's use counts half for its share", parseLength)
    .option("--oldest-every <count>", "one turn in so many is that of the call which waits longest", parseCount)
    .option("--admission <rule>", "clip or strict", parseAdmission);
}

function changeOf(options: SetOptions): PoolChange {
  const { queueLimit, queueMax, durationMax, attachWithin, admission, spaceCalls } = options;
  const { tokenCalls, tokenGpu, shareHalfLife, oldestEvery } = options;
  return {
    ...(queueLimit === undefined ? {} : { queueLimitMs: queueLimit }),
    ...(queueMax === undefined ? {} : { queueMax }),
    ...(durationMax === undefined ? {} : { durationMaxMs: durationMax }),
    ...(attachWithin === undefined ? {} : { attachWithinMs: attachWithin }),
    ...(admission === undefined ? {} : { admission }),
    ...(spaceCalls === undefined ? {} : { spaceCallsMax: limitOf(spaceCalls) }),
    ...(tokenCalls === undefined ? {} : { tokenMaxCalls: tokenCalls }),
    ...(tokenGpu === undefined ? {} : { tokenMaxGpuMs: limitOf(tokenGpu) }),
    ...(shareHalfLife === undefined ? {} : { shareHalfLifeMs: shareHalfLife }),
    ...(oldestEvery === undefined ? {} : { oldestEvery }),
  };
}

const nothingToSet = new CliFailure(exit.usage, {
  code: "nothing-to-set",
  says: "No setting was given.",
  next: "Name at least one, such as --queue-limit 60s; `waybill help pool set` lists them.",
});
