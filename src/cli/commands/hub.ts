/** `waybill hub verify|usage|gc|limit`: the store of large files, for administrators. */
import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import type { HubJobRequest, HubJobView } from "../../contract/hub-storage.ts";
import { contextOf, type Context, type GlobalOptions } from "../context.ts";
import { sizeOf } from "../draw/paper.ts";
import { exit } from "../exit.ts";
import { CliFailure } from "../failures.ts";
import { limitOf, parseAge, parseBytesLimit, type Limit } from "../arguments.ts";
import { Progress } from "../progress.ts";
import type { Runner } from "../program.ts";

interface GcOptions extends GlobalOptions {
  readonly olderThan?: number;
}

const lookEveryMs = 500;

export function declare(program: Command, run: Runner): void {
  const hub = program
    .command("hub")
    .description("large files of repositories: verify, usage, gc, limit; for administrators");
  hub
    .command("verify")
    .description("read all large files that are stored, and say which are not what they should be")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const { verified } = await done(context, { kind: "verify" }, world.signal);
        if (verified === undefined) return;
        const { xorbs, files, bytes, problems } = verified;
        context.answer(
          verified,
          `${files} files and ${xorbs} xorbs, ${bytes} bytes: ${problems.length === 0 ? "all of it is right" : `${problems.length} problems`}\n`,
        );
        if (problems.length === 0) return;
        throw new CliFailure(exit.failed, {
          code: "hub-damaged",
          says: problems.join("\n"),
          next: "Take these files from a backup, or have them sent again; `waybill restore` has all of one.",
        });
      }),
    );
  hub
    .command("usage")
    .description("how much each account keeps, and how much it may")
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [client, { drawStorage }] = await Promise.all([context.client(), import("../draw/hub.ts")]);
        const answer = await client.storageUsage({ signal: world.signal });
        const names = answer.accounts.map(({ account }) => `${account}\n`).join("");
        context.answer(answer, context.quiet ? names : drawStorage(context.paper, answer));
      }),
    );
  hub
    .command("gc")
    .description("remove what no repository has any more")
    .option("--older-than <length>", "only what nobody has needed for so long, such as 7d; without it 28d", parseAge)
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const { olderThan } = command.opts<GcOptions>();
        const age = olderThan === undefined ? {} : { olderThanSeconds: Math.floor(olderThan / 1000) };
        const { collected } = await done(context, { kind: "gc", ...age }, world.signal);
        if (collected === undefined) return;
        const { files, xorbs, bytes } = collected;
        context.answer(collected, `${files} files and ${xorbs} xorbs are gone, ${bytes} bytes\n`);
      }),
    );
  hub
    .command("limit")
    .description("how many bytes an account may keep; none: what all may")
    .argument("<account>")
    .argument("<bytes>", "a whole number, or none", parseBytesLimit)
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [account, limit] = command.processedArgs as [string, Limit];
        const maxBytes = limitOf(limit);
        const answer = await (await context.client()).setStorage(account, { maxBytes }, { signal: world.signal });
        context.answer(answer, `${account} may keep ${maxBytes === null ? "what all may" : `${maxBytes} bytes`}\n`);
      }),
    );
}

/** Waits for the end of what was ordered. */
async function done(context: Context, order: HubJobRequest, signal: AbortSignal): Promise<HubJobView> {
  const client = await context.client();
  using progress = new Progress(context);
  let job = await client.beginHubJob(order, { signal });
  while (!job.ended) {
    progress.say("", `${job.kind}, ${sizeOf(job.bytes)}`);
    await delay(lookEveryMs, undefined, { signal });
    job = await client.hubJob(job.id, { signal });
  }
  if (job.failure === undefined) return job;
  throw new CliFailure(exit.failed, {
    code: "hub-job-failed",
    says: job.failure,
    next: "The server's log says more; order it again.",
  });
}
