/** `waybill node list`, `give NODE POOL`, `drain NODE --reason …` and `undrain NODE`: nodes, their cards, and what is out of use. `waybill node token NAME`: the token by which an agent joins as that node, shown once. */
import type { Command } from "commander";
import { parseCount, parseLength } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { GlobalOptions } from "../context.ts";
import { exit } from "../exit.ts";
import { CliFailure } from "../failures.ts";
import type { Runner } from "../program.ts";

interface DrainOptions extends GlobalOptions {
  readonly card?: number;
  readonly reason?: string;
  readonly endAfter?: number;
}

const oneOfBoth = new CliFailure(exit.usage, {
  code: "pool",
  says: "Cards are put into a pool, or back.",
  next: "Name the pool, such as `waybill node give n1 fast --card 0`, or say --back.",
});

export function declare(program: Command, run: Runner): void {
  const node = program.command("node").description("nodes and their cards: list, give, drain, undrain, check, token");
  node
    .command("list")
    .description("each card of each node: what it is, what runs there, what is wrong")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawNodes }] = await Promise.all([context.client(), import("../draw/nodes.ts")]);
        const answer = await client.nodes({ signal: world.signal });
        context.answer(answer, drawNodes(context.paper, answer));
      }),
    );
  node
    .command("drain")
    .description("take a node, or one card, out of use: running calls finish, new ones go elsewhere")
    .argument("<node>")
    .requiredOption("--reason <text>", "why: whoever waits for it reads this")
    .option("--card <index>", "this card only", parseCount)
    .option("--end-after <length>", "end what still runs then, at no charge; such as 10m", parseLength)
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawNodes }] = await Promise.all([context.client(), import("../draw/nodes.ts")]);
        const { card, reason = "", endAfter } = command.opts<DrainOptions>();
        const of = { node: command.args[0] as string, ...(card !== undefined && { card }) };
        const drain = { reason, ...(endAfter !== undefined && { endAfterMs: endAfter }) };
        const answer = await client.drain(of, drain, { signal: world.signal });
        context.answer(answer, drawNodes(context.paper, answer));
      }),
    );
  node
    .command("undrain")
    .description("give a node, or one card, back")
    .argument("<node>")
    .option("--card <index>", "this card only", parseCount)
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawNodes }] = await Promise.all([context.client(), import("../draw/nodes.ts")]);
        const { card } = command.opts<DrainOptions>();
        const of = { node: command.args[0] as string, ...(card !== undefined && { card }) };
        const answer = await client.undrain(of, { signal: world.signal });
        context.answer(answer, drawNodes(context.paper, answer));
      }),
    );
  node
    .command("give")
    .description("put a card, or all of a node that are put nowhere themselves, into a pool; what runs there finishes")
    .argument("<node>")
    .argument("[pool]", "the pool, as `waybill pool list` shows it")
    .option("--card <index>", "this card only", parseCount)
    .option("--back", "back into the pool of its node, or of the node's agent")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [name, pool] = command.args as [string, string?];
        const { card, back = false } = command.opts<
          GlobalOptions & { readonly card?: number; readonly back?: boolean }
        >();
        if ((pool === undefined) !== back) throw oneOfBoth;
        const [client, { drawNodes }] = await Promise.all([context.client(), import("../draw/nodes.ts")]);
        const of = { node: name, ...(card !== undefined && { card }) };
        const answer = await client.givePool(of, pool ?? null, { signal: world.signal });
        context.answer(answer, drawNodes(context.paper, answer));
      }),
    );
  node
    .command("check")
    .description("say that a node's cards were seen to: they are looked at now, and come back if they are well")
    .argument("<node>")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const client = await context.client();
        const answer = await client.checkCards(command.args[0] as string, { signal: world.signal });
        context.answer(
          answer,
          `The cards of ${answer.node} are looked at; \`waybill node list\` shows what is found.\n`,
        );
      }),
    );
  node
    .command("token")
    .description("make the token by which `waybill agent` joins as this node; the one before it holds no longer")
    .argument("<name>", "the node's name, such as n2")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const client = await context.client();
        const answer = await client.createNodeToken(command.args[0] as string, { signal: world.signal });
        context.answer(answer, `${answer.token}\n`);
        context.note(`the token of node ${answer.node}, for WAYBILL_JOIN_TOKEN; it is not shown again\n`);
      }),
    );
}
