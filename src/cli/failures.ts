/** From whatever was thrown to an exit code and the problem that is drawn or printed as JSON. */
import type { Problem } from "../contract/problem.ts";
import { exit } from "./exit.ts";
import type { ExitCode } from "./exit.ts";

/** A failure that the command line itself found: wrong usage, a wait that is over, a receipt that does not verify. */
export class CliFailure extends Error {
  override readonly name = "CliFailure";
  readonly exitCode: ExitCode;
  readonly code: string;
  readonly next: string;

  constructor(exitCode: ExitCode, failure: { code: string; says: string; next: string; cause?: unknown }) {
    super(failure.says, { cause: failure.cause });
    this.exitCode = exitCode;
    this.code = failure.code;
    this.next = failure.next;
  }
}

export interface Failure {
  readonly exitCode: ExitCode;
  readonly problem: Problem;
}

const gradioExits: Readonly<Record<string, ExitCode>> = {
  "no-such-function": exit.notFound,
  "not-gradio": exit.usage,
  arguments: exit.usage,
};

/** Errors of the client are known by name, so that its code is loaded only by the commands that ask the server. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof CliFailure) return failure(error.exitCode, error.code, error.message, error.next);
  if (!(error instanceof Error)) return bug(error);
  if (error.name === "ApiError") {
    const { problem } = error as Error & { problem: Problem };
    return { exitCode: exitOf(problem), problem };
  }
  const known = error as Error & { code?: string; next?: string };
  if (error.name === "ServerUnreachable") {
    const next = known.next ?? "Start it with `waybill up`, or set WAYBILL_URL to where it runs.";
    return failure(exit.unreachable, "server-unreachable", withCause(error), next, "platform");
  }
  if (error.name === "FolderRefused")
    return failure(exit.usage, known.code ?? "folder", error.message, known.next ?? "");
  if (error.name === "GradioRefused")
    return failure(gradioExits[known.code ?? ""] ?? exit.failed, known.code ?? "app", error.message, known.next ?? "");
  if (error.name === "WaitOver") return failure(exit.timeout, "timeout", error.message, known.next ?? "");
  return bug(error);
}

/** The exit code of a refusal, by what refused. */
export function exitOf(problem: Problem): ExitCode {
  // An edge answered in the place of a server that is away.
  if (problem.boundary === "route" && problem.code === "control-down") return exit.unreachable;
  if (problem.status === 404) return exit.notFound;
  if (problem.boundary === "identity" || problem.status === 401) return exit.signIn;
  if (problem.status === 400 || problem.status === 405 || problem.status === 422) return exit.usage;
  if ([402, 403, 409, 412, 413, 429].includes(problem.status)) return exit.refused;
  if (problem.boundary === "gpu" && problem.status === 503) return exit.refused;
  return exit.failed;
}

function failure(
  exitCode: ExitCode,
  code: string,
  detail: string,
  next: string,
  owner: Problem["owner"] = "visitor",
): Failure {
  const status = exitCode === exit.ourBug || exitCode === exit.unreachable ? 503 : 400;
  const retry = exitCode === exit.unreachable || exitCode === exit.timeout ? "later" : "never";
  return {
    exitCode,
    problem: {
      type: "about:blank",
      title: "The command failed",
      status,
      detail,
      boundary: "cli",
      code,
      owner,
      retry,
      next,
    },
  };
}

function bug(error: unknown): Failure {
  const says = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return failure(
    exit.ourBug,
    "bug",
    says,
    "This is a fault of Waybill: please report it with these lines.",
    "platform",
  );
}

/** The system's reason behind an unanswered request: `ECONNREFUSED` and the like. */
function withCause(error: Error): string {
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    const code = (cause as { code?: unknown }).code;
    if (typeof code === "string") return `${error.message.replace(/\.$/, "")} (${code}).`;
  }
  return error.message;
}
