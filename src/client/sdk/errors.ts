/** The three ways in which a GPU call fails, kept apart: refused by the platform, thrown by the function, lost with its worker. */

/** The platform's refusal as RFC 9457 problem details, with the members that Waybill adds. Other platforms send less. */
export interface RefusalProblem {
  readonly type?: string;
  readonly title?: string;
  readonly status: number;
  readonly detail: string;
  readonly boundary?: string;
  readonly code: string;
  readonly owner?: string;
  readonly retry?: string;
  readonly next?: string;
  readonly waybill?: string;
  readonly [member: string]: unknown;
}

/** No GPU was given, and nothing charged. `message` is the sentence for the visitor. */
export class GpuRefused extends Error {
  override readonly name = "GpuRefused";
  /** `gpu/queue-timeout` and the like. */
  readonly code: string;
  /** The HTTP status that fits an answer to the visitor. */
  readonly status: number;
  /** `now`, `later` or `never`. */
  readonly retry: string;
  /** Seconds until another try is worth it; null where nobody can tell. */
  readonly retryAfter: number | null;
  readonly call: string | null;
  /** To be passed on as `application/problem+json`. */
  readonly problem: RefusalProblem;

  constructor(
    problem: RefusalProblem,
    { call = null, retryAfter = null }: { call?: string | null; retryAfter?: number | null } = {},
  ) {
    super(problem.detail);
    this.problem = problem;
    this.code = problem.code.includes("/") ? problem.code : `${problem.boundary ?? "gpu"}/${problem.code}`;
    this.status = problem.status;
    this.retry = problem.retry ?? "later";
    this.retryAfter = retryAfter;
    this.call = call;
  }
}

/** What crosses from the worker when the function throws. */
export interface Thrown {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: string | undefined;
}

/** The function threw. Name, message and stack are those of the worker's error. */
export class GpuFunctionError extends Error {
  readonly code: string | undefined;
  readonly call: string | null;

  constructor(thrown: Thrown, call: string | null) {
    super(thrown.message);
    this.name = thrown.name;
    this.code = thrown.code;
    this.call = call;
    if (thrown.stack !== undefined) this.stack = thrown.stack;
  }
}

/** The worker's process ended before the function did: its own exit, or ended by the platform, which then says why in `code`. */
export class GpuWorkerLost extends Error {
  override readonly name = "GpuWorkerLost";
  /** `gpu/lease-expired` and the like where the platform said so, else `gpu/worker-lost`. */
  readonly code: string;
  readonly exitCode: number | null;
  readonly exitSignal: string | null;
  readonly call: string | null;

  constructor(
    says: string,
    lost: { code: string; exitCode: number | null; exitSignal: string | null; call: string | null },
  ) {
    super(says);
    this.code = lost.code;
    this.exitCode = lost.exitCode;
    this.exitSignal = lost.exitSignal;
    this.call = lost.call;
  }
}

/** Takes an error apart for the way between processes; what is no error keeps its text. */
export function take(error: unknown): Thrown {
  if (!(error instanceof Error)) return { name: "Error", message: String(error), stack: undefined, code: undefined };
  const code = (error as { code?: unknown }).code;
  return {
    name: error.name,
    message: error.message,
    stack: error.stack,
    code: typeof code === "string" ? code : undefined,
  };
}
