/** The command line: finds the command, runs it, and turns whatever happens into an exit code and, on stderr, a reason. */
import { Command, CommanderError } from "commander";
import type { Problem } from "../contract/problem.ts";
import { paperOf } from "./context.ts";
import type { GlobalOptions } from "./context.ts";
import { drawError } from "./draw/error.ts";
import type { ErrorDetails } from "./draw/error.ts";
import { exit } from "./exit.ts";
import { CliFailure, describeFailure } from "./failures.ts";
import type { CliWorld } from "./world.ts";

/** A command's module declares it and loads the rest when it runs. */
export interface CommandModule {
  declare(program: Command, run: Runner): void;
}

/** What an action gives back: its exit code, where that is not 0. */
export type Action = (world: CliWorld, command: Command) => Promise<number | void>;
/** Makes commander's action of ours. */
export type Runner = (action: Action) => (...args: unknown[]) => Promise<void>;

/** Thrown by an action whose work failed, after its document was printed: the reason is drawn, never printed as JSON again. */
export class WorkFailed extends Error {
  readonly problem: Problem;
  readonly details: ErrorDetails;

  constructor(problem: Problem, details: ErrorDetails) {
    super(problem.detail);
    this.problem = problem;
    this.details = details;
  }
}

const commands: Readonly<Record<string, () => Promise<CommandModule>>> = {
  up: () => import("./commands/up.ts"),
  server: () => import("./commands/server.ts"),
  agent: () => import("./commands/agent.ts"),
  edge: () => import("./commands/edge.ts"),
  stop: () => import("./commands/stop.ts"),
  uninstall: () => import("./commands/uninstall.ts"),
  deploy: () => import("./commands/deploy.ts"),
  space: () => import("./commands/space.ts"),
  domain: () => import("./commands/domain.ts"),
  secret: () => import("./commands/secret.ts"),
  variable: () => import("./commands/variable.ts"),
  restart: () => import("./commands/restart.ts"),
  pause: () => import("./commands/pause.ts"),
  resume: () => import("./commands/resume.ts"),
  open: () => import("./commands/open.ts"),
  releases: () => import("./commands/releases.ts"),
  rollback: () => import("./commands/rollback.ts"),
  builds: () => import("./commands/builds.ts"),
  logs: () => import("./commands/logs.ts"),
  requests: () => import("./commands/requests.ts"),
  call: () => import("./commands/call.ts"),
  cancel: () => import("./commands/cancel.ts"),
  calls: () => import("./commands/calls.ts"),
  quota: () => import("./commands/quota.ts"),
  quote: () => import("./commands/quote.ts"),
  explain: () => import("./commands/explain.ts"),
  receipt: () => import("./commands/receipt.ts"),
  token: () => import("./commands/token.ts"),
  key: () => import("./commands/key.ts"),
  account: () => import("./commands/account.ts"),
  member: () => import("./commands/member.ts"),
  session: () => import("./commands/session.ts"),
  audit: () => import("./commands/audit.ts"),
  tier: () => import("./commands/tier.ts"),
  pool: () => import("./commands/pool.ts"),
  node: () => import("./commands/node.ts"),
  ca: () => import("./commands/ca.ts"),
  hub: () => import("./commands/hub.ts"),
  access: () => import("./commands/access.ts"),
  backup: () => import("./commands/backup.ts"),
  restore: () => import("./commands/restore.ts"),
  journal: () => import("./commands/journal.ts"),
  gpu: () => import("./commands/gpu.ts"),
  status: () => import("./commands/status.ts"),
  incident: () => import("./commands/incident.ts"),
  webhook: () => import("./commands/webhook.ts"),
  doctor: () => import("./commands/doctor.ts"),
  login: () => import("./commands/login.ts"),
  logout: () => import("./commands/logout.ts"),
  whoami: () => import("./commands/whoami.ts"),
  config: () => import("./commands/config.ts"),
  completion: () => import("./commands/completion.ts"),
  version: () => import("./commands/version.ts"),
};

export interface Built {
  readonly program: Command;
  /** The exit code of the action that ran. */
  exitCode(): number;
  /** What commander would have written about wrong usage: help, where no command was named. */
  wrong(): string;
}

/**
 * The program with the commands that `argv` names (all of them where it names none, so that help lists them): loading
 * only those keeps the first output within 200 ms.
 */
export async function buildProgram(world: CliWorld, argv: readonly string[] = []): Promise<Built> {
  let exitCode: number = exit.done;
  let wrong = "";
  const program = new Command("waybill")
    .description("Spaces and ZeroGPU that you run yourself, with evidence at every boundary.")
    .option("--json", "print exactly one JSON document, on failure too")
    .option("-q, --quiet", "print ids only")
    .option("--url <address>", "the server; else WAYBILL_URL, else the saved sign-in")
    .option("--no-color", "no colour, as with NO_COLOR")
    .version(world.version, "-V, --version", "print the version")
    .helpCommand(true)
    .exitOverride()
    .configureOutput({
      // With --json help and version are a document too.
      writeOut: (text) =>
        void world.stdout.write(argv.includes("--json") ? `${JSON.stringify({ says: text.trimEnd() })}\n` : text),
      writeErr: (text) => void (wrong = text), // What is wrong with the usage is drawn once, below.
      getOutHelpWidth: () => world.stdout.columns ?? 100,
    });
  const run: Runner =
    (action) =>
    async (...args) => {
      exitCode = (await action(world, args.at(-1) as Command)) ?? exit.done;
    };
  const named = Object.keys(commands).filter((name) => argv.includes(name));
  const isHelp = named.length === 0 || argv.includes("help");
  for (const name of isHelp ? Object.keys(commands) : named) (await commands[name]!()).declare(program, run);
  return { program, exitCode: () => exitCode, wrong: () => wrong };
}

/** Runs `argv` (without node and script) to its end. Never throws; resolves to the exit code. */
export async function runCli(argv: readonly string[], world: CliWorld): Promise<number> {
  const options: GlobalOptions = { json: argv.includes("--json"), color: !argv.includes("--no-color") };
  const { program, exitCode, wrong } = await buildProgram(world, argv);
  try {
    await program.parseAsync(helpLast(argv), { from: "user" });
    return exitCode();
  } catch (error) {
    const code = report(error, world, options);
    // Who names no command, or only a group of them, wants to see which there are.
    if (!options.json && error instanceof CommanderError && error.code === "commander.help")
      world.stderr.write(`\n${wrong()}`);
    return code;
  }
}

/** `help pool set` as `pool set --help`: commander's own help command knows one level only. */
function helpLast(argv: readonly string[]): readonly string[] {
  const [first, ...named] = argv.filter((argument) => !argument.startsWith("-"));
  return first === "help" && named.length > 0
    ? [...named, "--help", ...argv.filter((argument) => argument.startsWith("-"))]
    : argv;
}

function report(error: unknown, world: CliWorld, options: GlobalOptions): number {
  if (error instanceof CommanderError && error.exitCode === 0) return exit.done;
  if (world.signal.aborted) return world.signal.reason === "SIGTERM" ? exit.terminated : exit.interrupted;
  const paper = paperOf(world, world.stderr, options);
  if (error instanceof WorkFailed) {
    if (!options.json) world.stderr.write(drawError(paper, error.problem, error.details));
    return exit.failed;
  }
  const { exitCode, problem } = describeFailure(fromCommander(error));
  if (options.json) world.stdout.write(`${JSON.stringify(problem)}\n`);
  else world.stderr.write(drawError(paper, recorded(problem), { evidence: inLog(problem) }));
  return exitCode;
}

/** Only what has a page has a story: an id that `explain` would not know is not offered. */
function recorded({ waybill, ...problem }: Problem): Problem {
  return problem.instance === undefined || waybill === undefined ? problem : { ...problem, waybill };
}

/** Where our own failure is written down. */
function inLog({ status, instance, waybill }: Problem): string | undefined {
  return status >= 500 && instance === undefined && waybill !== undefined
    ? `request ${waybill} in the platform's log`
    : undefined;
}

function fromCommander(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error;
  const says =
    error.code === "commander.help"
      ? "No command was given."
      : error.message
          .replace(/^error: /, "")
          .replace(/command-argument value (.*) is invalid for argument /, "$1 is not right for ")
          .trim();
  return new CliFailure(exit.usage, { code: "usage", says, next: "See `waybill help`, or `waybill help COMMAND`." });
}
