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
  deploy: () => import("./commands/deploy.ts"),
  space: () => import("./commands/space.ts"),
  logs: () => import("./commands/logs.ts"),
  requests: () => import("./commands/requests.ts"),
  calls: () => import("./commands/calls.ts"),
  quota: () => import("./commands/quota.ts"),
  explain: () => import("./commands/explain.ts"),
  receipt: () => import("./commands/receipt.ts"),
  token: () => import("./commands/token.ts"),
  pool: () => import("./commands/pool.ts"),
  gpu: () => import("./commands/gpu.ts"),
  status: () => import("./commands/status.ts"),
  whoami: () => import("./commands/whoami.ts"),
  version: () => import("./commands/version.ts"),
};

export interface Built {
  readonly program: Command;
  /** The exit code of the action that ran. */
  exitCode(): number;
}

/**
 * The program with the commands that `argv` names (all of them where it names none, so that help lists them): loading
 * only those keeps the first output within 200 ms.
 */
export async function buildProgram(world: CliWorld, argv: readonly string[] = []): Promise<Built> {
  let exitCode: number = exit.done;
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
      writeOut: (text) => void world.stdout.write(text),
      writeErr: () => {}, // What is wrong with the usage is drawn once, below.
      getOutHelpWidth: () => world.stdout.columns ?? 100,
    });
  const run: Runner = (action) => async (...args) => {
    exitCode = (await action(world, args.at(-1) as Command)) ?? exit.done;
  };
  const named = Object.keys(commands).filter((name) => argv.includes(name));
  const isHelp = named.length === 0 || argv.includes("help");
  for (const name of isHelp ? Object.keys(commands) : named) (await commands[name]!()).declare(program, run);
  return { program, exitCode: () => exitCode };
}

/** Runs `argv` (without node and script) to its end. Never throws; resolves to the exit code. */
export async function runCli(argv: readonly string[], world: CliWorld): Promise<number> {
  const options: GlobalOptions = { json: argv.includes("--json"), color: !argv.includes("--no-color") };
  try {
    const { program, exitCode } = await buildProgram(world, argv);
    await program.parseAsync(argv, { from: "user" });
    return exitCode();
  } catch (error) {
    return report(error, world, options);
  }
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
  else world.stderr.write(drawError(paper, problem));
  return exitCode;
}

function fromCommander(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error;
  const says = error.code === "commander.help" ? "No command was given." : error.message.replace(/^error: /, "").trim();
  return new CliFailure(exit.usage, { code: "usage", says, next: "See `waybill help`, or `waybill help COMMAND`." });
}
