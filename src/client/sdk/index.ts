/**
 * Waybill's SDK for Node apps: `gpu(fn)` makes a function that borrows a GPU for each call.
 *
 *   export const render = gpu(async function render(input, { progress }) { … }, { duration: 10, size: "large" });
 *   const { result, call } = await render.run(input, { request, onWaiting, onProgress });
 *   const { admitted, heldMs, waiting, refused } = await render.quote(input, { request });
 *
 * The function runs in a worker process, which loads the module that declared it: keep it apart from the module that
 * listens, or look at `isGpuWorker`. Needs Node's own modules only.
 */
import { DeviceApi } from "./device.ts";
import type { Grant } from "./device.ts";
import { GpuFunctionError, GpuRefused, GpuWorkerLost } from "./errors.ts";
import { workerMark } from "./messages.ts";
import type { RunMessage } from "./messages.ts";
import { askQuote, localQuote } from "./quote.ts";
import { callerModule, declare, keyOf, shortName } from "./registry.ts";
import type { Declared } from "./registry.ts";
import { WarmWorkers } from "./workers.ts";
import type { RunEnd, Worker } from "./workers.ts";
import type { GpuFunction, GpuOptions, Outcome, RunOptions, Visitor, Work } from "./types.ts";

export { GpuFunctionError, GpuRefused, GpuWorkerLost } from "./errors.ts";
export type { RefusalProblem } from "./errors.ts";
export type {
  GpuFunction,
  GpuOptions,
  Outcome,
  Quote,
  RunOptions,
  Size,
  Visitor,
  Waiting,
  Work,
  WorkContext,
} from "./types.ts";

/** Whether this process is a worker: a module that listens or opens files when it is loaded should not do so here. */
export const isGpuWorker: boolean = process.argv[2] === workerMark;

const defaultDurationSeconds = 60;
/** The result waits this long for the platform to take the GPU back, so that the receipt exists when it arrives. */
const releaseWithinMs = 2_000;
/** Without a platform, calls of one function run one at a time; more than this many waiting means that something runs away. */
const localWaitingMax = 64;

const warm = new WarmWorkers();
let localSaid = false;

/** Declares a GPU function. Throws `TypeError` where it has no name or its module cannot be found. */
export function gpu<Input, Result>(
  work: Work<Input, Result>,
  options: GpuOptions<Input> = {},
): GpuFunction<Input, Result> {
  const name = options.name ?? work.name;
  if (!name)
    throw new TypeError(
      'gpu(): the function has no name; write `async function render(…)`, or give { name: "render" }',
    );
  const declared: Declared = { module: options.module ?? callerModule(), name, work };
  declare(declared);
  const local = new OneAtATime();
  return {
    name,
    run: async (input, runOptions = {}) => {
      if (isGpuWorker) return await runInside(work, input, runOptions);
      const base = process.env["SPACES_ZERO_DEVICE_API_URL"];
      if (!base) return await local.next(() => runLocally<Result>(declared, input, runOptions));
      return await new Call<Input, Result>(declared, options, base, runOptions).run(input);
    },
    quote: async (input, { request, signal } = {}) => {
      const durationSeconds = declaredSeconds(options, input);
      const { WAYBILL_URL: api, SPACE_ID: space, SPACES_ZERO_DEVICE_API_URL: base } = process.env;
      if (!base) return localQuote(durationSeconds);
      if (!api || !space) throw new Error("This platform gives no quotes: it set no WAYBILL_URL and SPACE_ID.");
      const asked = { durationSeconds, size: options.size ?? "large", token: visitorToken(request) };
      return await askQuote({ api, space }, asked, signal);
    },
  };
}

/** One call with a platform: schedule, run, release. */
class Call<Input, Result> {
  readonly #declared: Declared;
  readonly #options: GpuOptions<Input>;
  readonly #base: string;
  readonly #cgroupFile: string;
  readonly #device: DeviceApi;
  readonly #run: RunOptions;

  constructor(declared: Declared, options: GpuOptions<Input>, base: string, run: RunOptions) {
    this.#declared = declared;
    this.#options = options;
    this.#base = base;
    this.#cgroupFile = process.env["ZEROGPU_PROC_SELF_CGROUP_PATH"] ?? "/proc/self/cgroup";
    this.#device = new DeviceApi(base, this.#cgroupFile);
    this.#run = run;
  }

  async run(input: Input): Promise<Outcome<Result>> {
    this.#run.signal?.throwIfAborted();
    const grant = await this.#device.schedule(
      {
        taskId: taskIdOf(this.#declared),
        durationSeconds: declaredSeconds(this.#options, input),
        size: this.#options.size ?? "large",
        token: visitorToken(this.#run.request),
      },
      (waiting) => this.#run.onWaiting?.(waiting),
      this.#run.signal,
    );
    if (this.#run.signal?.aborted) {
      await this.#device.release(grant.allowToken, { fail: true, outcome: "unused" });
      throw this.#run.signal.reason;
    }
    return await this.#runOn(grant, input);
  }

  async #runOn(grant: Grant, input: Input): Promise<Outcome<Result>> {
    // Two slots of one card share its index, so the slot belongs to the key where the platform names it.
    const key = `${keyOf(this.#declared)} ${grant.nvidiaIndex} ${grant.slot ?? ""}`;
    const { worker, warm: isWarm } = warm.claim(key, { idle: grant.idle, device: grant.nvidiaUUID });
    const message: RunMessage = {
      type: "run",
      module: this.#declared.module,
      name: this.#declared.name,
      input,
      allow: isWarm ? null : { base: this.#base, cgroupFile: this.#cgroupFile, token: grant.allowToken },
    };
    const stopped = watchAbort(this.#run, worker);
    const end = await worker.run(message, (value) => this.#run.onProgress?.(value));
    stopped[Symbol.dispose]();
    // The platform ends the worker of a call that failed for its visitor's leave; so do we.
    if (end.kind === "not-started" || (end.kind === "raised" && this.#run.signal?.aborted)) worker.end();
    else warm.park(key, worker);
    return await this.#finish(grant, end);
  }

  /** Releases once, whatever the end was, then turns the end into a result or an error. */
  async #finish(grant: Grant, end: RunEnd): Promise<Outcome<Result>> {
    const { signal, stopOnAbort } = this.#run;
    // A function that fails once its caller has gone fails for that: it looked at its own signal, or we ended its process.
    const stopped = end.kind === "raised" || (end.kind === "lost" && stopOnAbort === true);
    const stoppedByUs = signal?.aborted === true && stopped;
    const release = this.#device.release(grant.allowToken, {
      fail: end.kind !== "returned",
      outcome: stoppedByUs ? "aborted" : outcomeOf(end),
      ...(end.kind === "lost" ? { exit: end.exitCode, signal: end.exitSignal } : {}),
    });
    const says = await within(releaseWithinMs, release);
    if (end.kind === "returned") return { result: end.result as Result, call: grant.call };
    if (stoppedByUs) throw signal.reason;
    if (end.kind !== "lost") throw new GpuFunctionError(end.error, grant.call);
    throw new GpuWorkerLost(says?.says ?? lostSays(this.#declared, end), {
      code: says?.code ?? "gpu/worker-lost",
      exitCode: end.exitCode,
      exitSignal: end.exitSignal,
      call: grant.call,
    });
  }
}

/** A call from inside a worker already has the GPU: it runs where it is. */
async function runInside<Input, Result>(
  work: Work<Input, Result>,
  input: Input,
  options: RunOptions,
): Promise<Outcome<Result>> {
  const signal = options.signal ?? new AbortController().signal;
  return { result: await work(input, { progress: (value) => options.onProgress?.(value), signal }), call: null };
}

/** Development on a machine without a platform: the same worker process, no queue, no charge; said once. */
async function runLocally<Result>(declared: Declared, input: unknown, options: RunOptions): Promise<Outcome<Result>> {
  options.signal?.throwIfAborted();
  if (!localSaid)
    console.error("waybill: no platform here, so GPU functions run on this machine without a queue or a charge");
  localSaid = true;
  const key = `${keyOf(declared)} local`;
  const { worker } = warm.claim(key, { idle: true, device: null });
  const stopped = watchAbort(options, worker);
  const end = await worker.run(
    { type: "run", module: declared.module, name: declared.name, input, allow: null },
    (value) => options.onProgress?.(value),
  );
  stopped[Symbol.dispose]();
  if (end.kind === "not-started") worker.end();
  else warm.park(key, worker);
  if (end.kind === "returned") return { result: end.result as Result, call: null };
  if (end.kind !== "lost") throw new GpuFunctionError(end.error, null);
  if (options.signal?.aborted && options.stopOnAbort) throw options.signal.reason;
  throw new GpuWorkerLost(lostSays(declared, end), { code: "gpu/worker-lost", ...end, call: null });
}

class OneAtATime {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  async next<Value>(task: () => Promise<Value>): Promise<Value> {
    if (this.#waiting >= localWaitingMax) {
      throw new GpuRefused({
        status: 503,
        code: "gpu/queue-full",
        detail: `${localWaitingMax} calls are waiting already.`,
        retry: "later",
      });
    }
    this.#waiting++;
    const turn = this.#last.then(task);
    this.#last = turn.catch(() => {}); // The caller gets the error; the next turn only waits for the end.
    try {
      return await turn;
    } finally {
      this.#waiting--;
    }
  }
}

/** Passes the caller's abort to the function; ends its process where the caller asked for that. */
function watchAbort({ signal, stopOnAbort }: RunOptions, worker: Worker): Disposable {
  const onAbort = (): void => {
    worker.abort(signal?.reason instanceof Error ? signal.reason.message : "the caller has gone");
    if (stopOnAbort) worker.end();
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  return { [Symbol.dispose]: () => signal?.removeEventListener("abort", onAbort) };
}

function outcomeOf(end: RunEnd): "returned" | "raised" | "lost" | "unused" {
  return end.kind === "not-started" ? "unused" : end.kind;
}

function lostSays(declared: Declared, end: Extract<RunEnd, { kind: "lost" }>): string {
  const how = end.exitSignal ? `was ended by ${end.exitSignal}` : `exited with code ${end.exitCode ?? "unknown"}`;
  return `The worker process of "${declared.name}" (${shortName(declared.module)}) ${how} before the function returned.`;
}

/** Whole seconds, at least 1, rounded up: the platform counts in seconds. Throws where the app computed no number. */
function declaredSeconds<Input>({ duration = defaultDurationSeconds }: GpuOptions<Input>, input: Input): number {
  const value = typeof duration === "function" ? duration(input) : duration;
  if (!Number.isFinite(value) || value <= 0)
    throw new TypeError(`gpu(): a duration is a number of seconds above 0, not ${value}`);
  return Math.ceil(value);
}

/** The visitor's token as it came in the request, or null. */
export function visitorToken(request: Visitor | undefined): string | null {
  if (!request) return null;
  const headers = "headers" in request ? request.headers : request;
  if (typeof (headers as Headers).get === "function") return (headers as Headers).get("x-ip-token");
  const value = (headers as Record<string, string | string[] | undefined>)["x-ip-token"];
  return (Array.isArray(value) ? value[0] : value) ?? null;
}

/** A number for this function that is the same in each process of this app (FNV-1a, 31 bits). */
function taskIdOf(declared: Declared): number {
  let hash = 0x811c9dc5;
  for (const character of keyOf(declared))
    hash = Math.imul(hash ^ (character.codePointAt(0) as number), 0x01000193) >>> 0;
  return hash >>> 1;
}

async function within<Value>(ms: number, promise: Promise<Value>): Promise<Value | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, ms, null);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
