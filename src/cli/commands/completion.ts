/** `waybill completion bash|zsh|fish`: what a shell reads to complete commands, options and ids. */
import type { Command } from "commander";
import type { WaybillClient } from "../../client/api.ts";
import { matching, whatComesNext, type IdKind, type Suggestion } from "../completing.ts";
import { filesMark, scripts, shells } from "../completion-scripts.ts";
import { contextOf, type Context } from "../context.ts";
import type { Runner } from "../program.ts";

/** Somebody waits at a key: with the start of the process all of it is there in less than 300 ms. `WAYBILL_COMPLETION_MS` says otherwise. */
const askedWithinMs = 120;
const askedMostMs = 60_000;
/** A shell shows no more on a screen, and who types on gets the others. */
const idsMax = 200;

export function declare(program: Command, run: Runner): void {
  const completion = program.command("completion").description("completion for a shell: bash, zsh, fish");
  for (const shell of shells)
    completion
      .command(shell)
      .description(`what ${shell} reads; how to use it is in its first lines`)
      .action(
        run(async (world, command) => {
          contextOf(world, command).answer({ shell, script: scripts[shell] }, scripts[shell]);
        }),
      );
  completion
    .command("suggest", { hidden: true })
    .description("what may stand next; the scripts ask it")
    .argument("[words...]", "what stands after `waybill`, the last one as far as it is typed")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const words = command.processedArgs[0] as readonly string[];
        const { buildProgram } = await import("../program.ts");
        const built = await buildProgram(world, words.slice(0, -1));
        const next = whatComesNext(built.program, words);
        const ids = await idsOf(context, next.ids, words.at(-1) ?? "");
        const all = [...next.suggestions, ...ids];
        const files = next.ids.includes("files") ? [`${filesMark}\n`] : [];
        const lines = all.map(({ value, says }) => `${value}\t${says.replaceAll(/[\t\n\r]/g, " ")}\n`);
        context.answer({ suggestions: all, files: files.length > 0 }, [...lines, ...files].join(""));
      }),
    );
}

/** Nothing where the server is away, slow, or says no: a shell has no place for an error. */
async function idsOf(context: Context, kinds: readonly IdKind[], typed: string): Promise<readonly Suggestion[]> {
  const asked = kinds.filter((kind) => kind !== "files");
  if (asked.length === 0) return [];
  const client = await context.client().catch(() => undefined); // A damaged sign-in file: other commands tell of it.
  if (!client) return [];
  const named = Number(context.world.env["WAYBILL_COMPLETION_MS"] ?? askedWithinMs);
  const withinMs = named > 0 ? Math.min(named, askedMostMs) : askedWithinMs;
  const signal = AbortSignal.any([context.world.signal, AbortSignal.timeout(withinMs)]);
  const lists = await Promise.all(asked.map((kind) => listed(client, kind, signal).catch(() => []))); // As above.
  return matching(lists.flat(), typed).slice(0, idsMax);
}

async function listed(client: WaybillClient, kind: IdKind, signal: AbortSignal): Promise<readonly Suggestion[]> {
  const asking = { signal };
  if (kind === "spaces") return (await client.spaces(asking)).items.map(({ id, says }) => ({ value: id, says }));
  if (kind === "builds")
    return (await client.spaces(asking)).items.flatMap(({ id, build }) =>
      build ? [{ value: build.id, says: `of ${id}` }] : [],
    );
  if (kind === "nodes") return (await client.nodes(asking)).nodes.map(({ name }) => ({ value: name, says: "node" }));
  if (kind === "pools") return (await client.pools(asking)).pools.map(({ name }) => ({ value: name, says: "pool" }));
  if (kind === "accounts")
    return (await client.accounts(asking)).items.map((one) => ({ value: one.name, says: one.kind }));
  const { items } = await client.calls(asking);
  if (kind === "calls") return items.map(({ id, space, stage }) => ({ value: id, says: `${space}, ${stage}` }));
  return items.flatMap(({ receipt, id }) => (receipt ? [{ value: receipt, says: `of ${id}` }] : []));
}
