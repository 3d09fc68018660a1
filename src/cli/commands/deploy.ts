/** `waybill deploy DIR --space OWNER/NAME`: from a folder to a running app. stdout is its address. */
import { basename, resolve } from "node:path";
import type { Command } from "commander";
import type { WaybillClient } from "../../client/api.ts";
import type { DeployEvent } from "../../client/deploy.ts";
import type { LogLine } from "../../contract/agent.ts";
import type { BuildView, NoBuildView, SpaceView } from "../../contract/api.ts";
import type { Problem } from "../../contract/problem.ts";
import { codeRow, isCode } from "../../evidence/codes.ts";
import { parseLength, parseSpace } from "../arguments.ts";
import { contextOf, paperOf } from "../context.ts";
import type { Context, GlobalOptions } from "../context.ts";
import { exit } from "../exit.ts";
import type { ErrorDetails } from "../draw/error.ts";
import { WorkFailed } from "../program.ts";
import type { Runner } from "../program.ts";

/** The end of an app's log that is shown where it did not start: a stack trace with what stands before it. */
const appLinesShown = 20;
/** The failure itself is known already; its log is an extra. */
const appLogWithinMs = 2_000;

interface Options extends GlobalOptions {
  readonly space?: string;
  readonly message?: string;
  readonly private?: true;
  readonly timeout?: number;
}

export function declare(program: Command, run: Runner): void {
  program
    .command("deploy")
    .description("send a folder as a Space's content and follow it until it runs or has failed")
    .argument("[dir]", "the app's folder, with a README.md; else this one")
    .option("--space <owner/name>", "the Space, made if it is absent; else yours of the folder's name", parseSpace)
    .option("-m, --message <text>", "the commit's message")
    .option("--private", "only who may read the Space knows of it and visits its app")
    .option("--timeout <length>", "stop watching after this long; the work goes on", parseLength)
    .action(
      run(async (world, command) => {
        const options = command.optsWithGlobals<Options>();
        const context = contextOf(world, command);
        const [folder = "."] = command.args;
        const space = options.space ?? (await ownOf(context, folder));
        return await deploy(context, folder, { ...options, space });
      }),
    );
}

/** The Space of a folder for which none is named: its account is the one that is signed in. */
async function ownOf(context: Context, folder: string): Promise<string> {
  const client = await context.client();
  const { name } = await client.whoami({ signal: context.world.signal });
  return parseSpace(`${name}/${basename(resolve(folder))}`);
}

async function deploy(
  context: Context,
  folder: string,
  options: Options & { readonly space: string },
): Promise<number> {
  const [client, { deployFolder }, { watching }, { DeployLines }, { Progress }, { lengthOf }] = await Promise.all([
    context.client(),
    import("../../client/deploy.ts"),
    import("../watching.ts"),
    import("../draw/deploy.ts"),
    import("../progress.ts"),
    import("../draw/paper.ts"),
  ]);
  const { world } = context;
  const startedAt = world.clock.monotonic();
  const lines = new DeployLines(paperOf(world, world.stderr, options), client.url);
  using progress = new Progress(context);
  let what = "the upload";
  try {
    const { space, build, noBuild, ok, says } = await deployFolder(client, folder, options.space, {
      summary: options.message,
      private: options.private,
      waitMs: options.timeout,
      ...watching(context, (line) => progress.say(line, what)),
      onEvent: (event) => {
        what = whatGoesOn(event) ?? what;
        progress.say(lines.of(event), what);
      },
    });
    if (ok) progress.say(`running in ${lengthOf(world.clock.monotonic() - startedAt)}\n`, "");
    const document = {
      space: space.id,
      addresses: space.addresses,
      build: build && { id: build.id, outcome: build.outcome },
      state: space.state,
    };
    const failure = noBuild === null ? (ok ? null : failed(space, build, says)) : notBuilt(space, noBuild);
    context.answer({ ...failure?.problem, ...document }, ok ? `${space.addresses[0] ?? space.id}\n` : "");
    if (failure === null) return exit.done;
    if (noBuild === null && !stepFailed(build))
      progress.say(lines.ofApp(await lastAppLines(client, space.id, world.signal)), "");
    throw failure;
  } catch (error) {
    if (world.signal.aborted)
      progress.say(`stopped watching; the work goes on: waybill space show ${options.space}\n`, "");
    throw error;
  }
}

/** What is waited for from this event on; undefined where that stays as it is. */
function whatGoesOn(event: DeployEvent): string | undefined {
  if (event.type === "commit") return "the build";
  if (event.type === "space") return "the start";
  return event.type === "build" && event.build.stage === "starting" ? "the start" : undefined;
}

/** Its files are stored, and by a rule they are not built now. */
function notBuilt({ id }: SpaceView, { id: waybill, code, says }: NoBuildView): WorkFailed {
  const named = code !== null && isCode(code) ? code : "control/conflict";
  const { status, owner, retry } = codeRow(named);
  const next = `The files are stored; \`waybill space show ${id}\` says who can start it again.`;
  const problem: Problem = {
    type: "about:blank",
    title: "The commit is not built",
    status,
    detail: says,
    boundary: "build",
    code: named,
    owner,
    retry,
    next,
    waybill,
  };
  return new WorkFailed(problem, { where: "build.request", charged: "nothing" });
}

/** What stopped it: the build, or the start of what it built. */
function failed(space: SpaceView, build: BuildView | null, says: string): WorkFailed {
  const buildFailed = build !== null && build.outcome !== "ok";
  const code = buildFailed ? (build.code ?? "build/step-failed") : "start-failed";
  const row = isCode(code) ? codeRow(code) : undefined;
  const problem: Problem = {
    type: "about:blank",
    title: "The deployment failed",
    status: row?.status ?? 422,
    detail: says,
    boundary: buildFailed ? "build" : "runtime",
    code,
    owner: row?.owner ?? "app",
    retry: row?.retry ?? "never",
    next: nextStep(row?.next, build, space.id),
    waybill: buildFailed ? build.id : space.id,
  };
  const details: ErrorDetails = buildFailed
    ? {
        where: whereOf(build),
        because: build.because,
        evidence: `${build.id}, ${build.logLines} log lines`,
        charged: "nothing",
      }
    : { where: "replica.start", charged: "nothing" };
  return new WorkFailed(problem, details);
}

function nextStep(next: string | undefined, build: BuildView | null, space: string): string {
  if (next === undefined) return `Read its log with \`waybill logs ${space}\`.`;
  return stepFailed(build) ? next : `${next.replace(/\.$/, "")} (its log: waybill logs ${space}).`;
}

/** A build ends when a replica of its release answers: where no step failed, that is what did not happen. */
function whereOf(build: BuildView): string {
  const step = stepFailed(build);
  if (build.release === null && !step) return build.builder === null ? "build.queue" : `builder ${build.builder}`;
  return step ? `build.step ${step.name}` : "replica.start";
}

function stepFailed(build: BuildView | null): BuildView["steps"][number] | undefined {
  return build?.steps.find(({ state }) => state === "failed");
}

/** What an app that did not start has printed: its author should not have to ask for it. None where it cannot be had now. */
async function lastAppLines(client: WaybillClient, space: string, signal: AbortSignal): Promise<readonly LogLine[]> {
  const lines: LogLine[] = [];
  try {
    for await (const line of client.logs(space, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(appLogWithinMs)]),
    })) {
      lines.push(line);
      if (lines.length > appLinesShown) lines.shift();
    }
  } catch (error) {
    if (signal.aborted) throw error;
  }
  return lines;
}
