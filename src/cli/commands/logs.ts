/** `waybill logs OWNER/NAME [-f]`: the app's log, or with a build's id or `--build` that build's. */
import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import { Readable } from "node:stream";
import type { Command } from "commander";
import type { LogOptions, WaybillClient } from "../../client/api.ts";
import { parseCount, parseSince } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { Context, GlobalOptions } from "../context.ts";
import { exit } from "../exit.ts";
import { CliFailure } from "../failures.ts";
import type { Runner } from "../program.ts";
import { watching } from "../watching.ts";

interface Options extends GlobalOptions {
  readonly follow?: boolean;
  readonly from?: number;
  readonly lines?: number;
  readonly source?: string;
  readonly since?: ReturnType<typeof parseSince>;
  readonly grep?: string;
  readonly replica?: string;
  readonly build?: string | true;
  readonly download?: string;
}

export function declare(program: Command, run: Runner): void {
  program
    .command("logs")
    .description("the log of a Space, or of a build")
    .argument("<owner/name or b_…>", "the Space or the build")
    .option("-f, --follow", "go on with new lines")
    .option("--from <number>", "the first line's number", parseCount)
    .option("-n, --lines <number>", "the last so many of the lines that are there", parseCount)
    .option("--source <name>", "only lines of this source: app, build, gpu, edge, egress, runtime")
    .option("--since <time>", "only lines since then: 10m, 2h, or an instant", parseSince)
    .option("--grep <text>", "only lines with this text, whatever the case of its letters")
    .option("--replica <id>", "only this replica's log; `previous` is the one that ended last")
    .option("--build [id]", "the Space's newest build, or this one, instead of its app")
    .option("--download <file>", "write it to a file, as it was printed")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const { follow, from, lines, source, since, grep, replica, build, download } =
          command.optsWithGlobals<Options>();
        const client = await context.client();
        const at = since?.(world.clock.wall());
        const options = { follow, from, tail: lines, source, since: at, grep, replica, ...watching(context) };
        try {
          const id = await logOf(client, command.args[0] as string, build);
          if (download === undefined) await show(context, client, id, options);
          else await keep(context, client, { id, options, file: download });
        } catch (error) {
          // Ctrl-C is how a person ends watching; the log itself goes on.
          if (world.signal.aborted && follow)
            return world.signal.reason === "SIGTERM" ? exit.terminated : exit.interrupted;
          throw error;
        }
        return exit.done;
      }),
    );
}

/** `OWNER/NAME`, or the id of the build that is meant. */
async function logOf(client: WaybillClient, id: string, build: string | true | undefined): Promise<string> {
  if (build === undefined || !id.includes("/")) return id;
  const newest = build === true ? (await client.space(id)).build?.id : build;
  if (newest !== undefined) return newest;
  throw new CliFailure(exit.notFound, {
    code: "no-build",
    says: `Nothing was ever built for ${id}.`,
    next: `Deploy something to it: waybill deploy DIR --space ${id}.`,
  });
}

async function show(context: Context, client: WaybillClient, id: string, options: LogOptions): Promise<void> {
  const [{ drawLogLine }, { appLog }] = await Promise.all([import("../draw/views.ts"), import("../edge-lines.ts")]);
  const { grep, source, since } = options;
  const isAll = grep === undefined && source === undefined && since === undefined;
  let before: number | null = null;
  let any = false;
  for await (const line of id.includes("/") ? appLog(client, id, options) : client.buildLog(id, options)) {
    any = true;
    context.stream({ type: "line", ...line }, drawLogLine(context.paper, line, before));
    // A note of the platform's own has number 0; the numbers after it may begin anew (another replica).
    before = line.n === 0 || !isAll ? null : line.n;
  }
  if (!any) context.note(isAll ? "The log has no line yet.\n" : "No line of the log is so.\n");
}

/** Writes the log as it came: what its app printed is made safe when it is shown, not when it is kept. */
async function keep(
  context: Context,
  client: WaybillClient,
  { id, options, file }: { id: string; options: LogOptions; file: string },
): Promise<void> {
  const out = createWriteStream(file, { mode: 0o600 });
  const text = Readable.from(client.logText(id, options));
  text.pipe(out);
  await Promise.all([finished(text), finished(out)]);
  context.answer({ file, bytes: out.bytesWritten }, `${file}\n`);
}
