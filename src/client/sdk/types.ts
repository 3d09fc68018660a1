/** What an app sees of the SDK: the function it declares, what it passes to a run, and what it gets back. */
import type { IncomingMessage } from "node:http";

export type Size = "large" | "xlarge";

/** What the platform says while a call waits for a GPU. Times are whole milliseconds. */
export interface Waiting {
  /** 1 is next. */
  readonly position: number;
  readonly of: number;
  /** Null while nobody can tell. */
  readonly estimateMs: number | null;
  /** One sentence for the visitor. */
  readonly says: string;
}

/** What the function gets beside its input. */
export interface WorkContext {
  /** Sends a value (anything that structured cloning copies) to the caller's `onProgress`. */
  readonly progress: (value: unknown) => void;
  /** Aborted when the caller has gone; stopping early saves the visitor's quota. */
  readonly signal: AbortSignal;
}

export type Work<Input, Result> = (input: Input, context: WorkContext) => Result | Promise<Result>;

export interface GpuOptions<Input> {
  /** Seconds that one call may run at most; 60 where it is not said. A function of the input may compute it. */
  readonly duration?: number | ((input: Input) => number);
  /** `large` is half a card, `xlarge` a whole one at twice the price. */
  readonly size?: Size;
  /** `import.meta.url` of the module that declares the function, where it cannot be found on the stack. */
  readonly module?: string;
  /** Needed for a function without a name of its own. */
  readonly name?: string;
}

/** Where the visitor's token is read from: the request that is being answered, or its headers. */
export type Visitor = Pick<IncomingMessage, "headers"> | Pick<Request, "headers"> | Headers;

export interface RunOptions {
  /** The visitor's request: its `x-ip-token` says who is billed. Without it the call has no visitor. */
  readonly request?: Visitor;
  readonly onWaiting?: (waiting: Waiting) => void;
  readonly onProgress?: (value: unknown) => void;
  /** Aborted when the visitor has gone: a waiting call leaves the queue; a running one goes on unless `stopOnAbort`. */
  readonly signal?: AbortSignal;
  readonly stopOnAbort?: boolean;
}

export interface Outcome<Result> {
  readonly result: Result;
  /** The call's id, for `waybill explain` and the receipt; null without a platform. */
  readonly call: string | null;
}

/** What a call would meet if it came now. Times are whole milliseconds. */
export interface Quote {
  readonly admitted: boolean;
  /** The pool that would serve it, or refuse it; empty without a platform. */
  readonly pool: string;
  /** Pools of the Space's or the account's rule that could not take it, in their order, and why not. */
  readonly passed: readonly { readonly pool: string; readonly code: string; readonly says?: string }[];
  /** What would be set aside of the visitor's quota: the most that could be charged. */
  readonly heldMs: number;
  /** How long it could run. */
  readonly leaseMs: number;
  /** It could run for less than it declares. */
  readonly clipped: boolean;
  /** GPU milliseconds that its last runs cost, half of them at most `medianMs`, nine in ten `p90Ms`; null where it never ran. */
  readonly usual: { readonly runs: number; readonly medianMs: number; readonly p90Ms: number } | null;
  /** Its place in the queue; null where it would begin at once, or be refused. */
  readonly waiting: Waiting | null;
  /** What would stop it. */
  readonly refused: { readonly code: string; readonly says: string } | null;
}

export interface GpuFunction<Input, Result> {
  readonly name: string;
  /**
   * Waits for a GPU, runs the function in a worker process that holds it, and gives the GPU back.
   * Throws `GpuRefused` (no GPU was given), `GpuFunctionError` (the function threw), `GpuWorkerLost` (its process ended
   * first), or the signal's reason.
   */
  run(input: Input, options?: RunOptions): Promise<Outcome<Result>>;
  /**
   * What such a run would cost the visitor and meet now. Holds nothing and promises nothing. Without a platform it would run at once,
   * at no cost. Throws `GpuRefused` where the platform gives no quote, or the signal's reason.
   */
  quote(input: Input, options?: Pick<RunOptions, "request" | "signal">): Promise<Quote>;
}
