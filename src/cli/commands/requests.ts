/** `waybill requests SPACE [-f]`: who asked what, and who answered. */
import type { Command } from "commander";
import type { WaybillClient } from "../../client/api.ts";
import type { RequestFilter } from "../../contract/requests.ts";
import { parseAnswerer, parseSince, parseSpace, parseStatusClass } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { Context, GlobalOptions } from "../context.ts";
import { exit } from "../exit.ts";
import type { Runner } from "../program.ts";
import { watching } from "../watching.ts";

interface Options extends GlobalOptions {
  readonly follow?: boolean;
  readonly failed?: boolean;
  readonly counts?: boolean;
  readonly since?: ReturnType<typeof parseSince>;
  readonly until?: ReturnType<typeof parseSince>;
  readonly grep?: string;
  readonly status?: number;
  readonly by?: RequestFilter["who"];
  readonly account?: string;
  readonly method?: string;
  readonly path?: string;
  readonly page?: string;
}

export function declare(program: Command, run: Runner): void {
  program
    .command("requests")
    .description("a Space's requests, newest first")
    .argument("<owner/name>", "the Space", parseSpace)
    .option("-f, --follow", "go on with requests as they end")
    .option("--failed", "only those with a code of the platform's, or a status of 500 and more")
    .option("--since <time>", "only requests since then: 10m, 2h, or an instant", parseSince)
    .option("--until <time>", "only requests before then", parseSince)
    .option("--grep <text>", "only those with this text in path, query, account, code or id")
    .option("--status <class>", "only 2xx, 3xx, 4xx or 5xx", parseStatusClass)
    .option("--by <who>", "only what app, edge or nobody answered", parseAnswerer)
    .option("--account <name>", "only this account's")
    .option("--method <name>", "only this method")
    .option("--path <prefix>", "only paths that begin so")
    .option("--counts", "those that are no longer there one by one, counted by minute and route")
    .option("--page <next>", "the page that the one before named")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const client = await context.client();
        const space = command.processedArgs[0] as string;
        const options = command.optsWithGlobals<Options>();
        const filter = filterOf(options, world.clock.wall());
        const asking = { page: options.page, signal: world.signal };
        if (options.counts) return await counts(context, client, space, asking);
        if (!options.follow) return await list(context, client, space, { ...asking, filter });
        return await follow(context, client, space, { filter, ...watching(context) });
      }),
    );
}

function filterOf(
  { failed, since, until, grep, status, by, account, method, path }: Options,
  now: number,
): RequestFilter {
  return {
    ...(failed === true && { failed }),
    ...(since !== undefined && { since: since(now) }),
    ...(until !== undefined && { until: until(now) }),
    ...(grep !== undefined && { grep }),
    ...(status !== undefined && { status }),
    ...(by !== undefined && { who: by }),
    ...(account !== undefined && { account }),
    ...(method !== undefined && { method: method.toUpperCase() }),
    ...(path !== undefined && { path }),
  };
}

type Asked = Parameters<WaybillClient["requests"]>[1];

async function list(context: Context, client: WaybillClient, space: string, asked: Asked): Promise<number> {
  const { drawRequests } = await import("../draw/requests.ts");
  const answer = await client.requests(space, asked);
  const ids = answer.items.map(({ id }) => `${id}\n`).join("");
  context.answer(answer, context.quiet ? ids : drawRequests(context.paper, answer.items));
  const { counted, forgotten } = answer.older;
  if (answer.next) context.note(`more: waybill requests ${space} --page ${answer.next}\n`);
  else if (counted + forgotten > 0)
    context.note(
      `older: ${counted} counted by minute and route (waybill requests ${space} --counts), ${forgotten} only in sum\n`,
    );
  return exit.done;
}

async function counts(context: Context, client: WaybillClient, space: string, asked: Asked): Promise<number> {
  const { drawCounts } = await import("../draw/requests.ts");
  const answer = await client.requestCounts(space, asked);
  context.answer(answer, drawCounts(context.paper, answer.items));
  if (answer.next) context.note(`more: waybill requests ${space} --counts --page ${answer.next}\n`);
  return exit.done;
}

async function follow(
  context: Context,
  client: WaybillClient,
  space: string,
  asked: Parameters<WaybillClient["followRequests"]>[1],
): Promise<number> {
  const { drawRequestLine } = await import("../draw/requests.ts");
  for await (const line of client.followRequests(space, asked)) {
    if (line.type === "request")
      context.stream(line, context.quiet ? `${line.id}\n` : drawRequestLine(context.paper, line));
    else if (line.type === "note") context.stream(line, `-- ${line.says} --\n`);
  }
  return exit.done;
}
