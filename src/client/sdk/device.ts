/**
 * The Device API as a client speaks it: schedule a call, allow the worker, release the GPU. All requests are POSTs with an
 * empty body and their arguments in the query. The platform serves it on a channel that only this replica has.
 */
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { GpuRefused } from "./errors.ts";
import type { RefusalProblem } from "./errors.ts";
import { readEvents } from "./event-stream.ts";
import type { Size, Waiting } from "./types.ts";

export interface Grant {
  /** The worker that ran on this GPU before may run again, without another `/allow`. */
  readonly idle: boolean;
  readonly nvidiaIndex: number;
  readonly nvidiaUUID: string;
  readonly allowToken: string;
  /** Waybill only: the slot of the card, and the call's id. */
  readonly slot: string | null;
  readonly call: string | null;
}

export interface ScheduleArguments {
  readonly taskId: number;
  readonly durationSeconds: number;
  readonly size: Size;
  readonly token: string | null;
}

/** How the call ended, as the parent of the worker saw it. */
export interface Ending {
  readonly fail: boolean;
  readonly outcome: "returned" | "raised" | "lost" | "unused" | "aborted";
  readonly exit?: number | null;
  readonly signal?: string | null;
}

/** What the platform said about the end, where it said something: the reason why it ended a worker. */
export interface EndingSays {
  readonly code: string;
  readonly says: string;
}

/** A refused connection at `/schedule` means that the platform is starting: a few seconds of tries, then the error. */
const scheduleTries = 6;
/** A release is repeated for about a minute, long enough for a restart of the platform; the result is not kept waiting for it. */
const releaseTries = 40;
const retryFirstMs = 100;
const retryMostMs = 2_000;
/** One answer to `/release` or `/allow` takes milliseconds; after this long the connection is given up and tried again. */
const answerWithinMs = 10_000;

export class DeviceApi {
  readonly #base: string;
  readonly #cgroupPath: string;

  /** `base` as in SPACES_ZERO_DEVICE_API_URL; `cgroupFile` as in ZEROGPU_PROC_SELF_CGROUP_PATH. */
  constructor(base: string, cgroupFile: string) {
    this.#base = base.replace(/\/+$/, "");
    this.#cgroupPath = readCgroupPath(cgroupFile);
  }

  /**
   * Waits until a GPU is granted. Throws `GpuRefused`, the signal's reason, or an error when the platform cannot be reached.
   * Where the connection breaks while the call waits, it is scheduled once more: a new call, since the platform ended that one.
   */
  async schedule(
    args: ScheduleArguments,
    onWaiting: (waiting: Waiting) => void,
    signal: AbortSignal | undefined,
  ): Promise<Grant> {
    try {
      return await this.#scheduleOnce(args, onWaiting, signal);
    } catch (error) {
      if (!(error instanceof StreamDropped) || signal?.aborted) throw signal?.aborted ? signal.reason : error;
      return await this.#scheduleOnce(args, onWaiting, signal);
    }
  }

  async #scheduleOnce(
    args: ScheduleArguments,
    onWaiting: (waiting: Waiting) => void,
    signal: AbortSignal | undefined,
  ): Promise<Grant> {
    const query = new URLSearchParams({
      cgroupPath: this.#cgroupPath,
      taskId: String(args.taskId),
      enableQueue: "true",
      tokenVersion: "2",
      durationSeconds: String(args.durationSeconds),
      gpuSize: args.size,
      waybill: "1",
    });
    if (args.token !== null) query.set("token", args.token);
    const hangUp = new AbortController();
    const response = await this.#connect(
      `/schedule?${query}`,
      signal ? AbortSignal.any([signal, hangUp.signal]) : hangUp.signal,
    );
    const call = response.headers.get("x-waybill-id");
    if (response.status !== 200) throw await refusalOf(response, call);
    if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
      return parseGrant(await response.text(), call);
    }
    return await waitForGrant(response, call, onWaiting, { signal, hangUp });
  }

  async #connect(path: string, signal: AbortSignal): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await fetch(this.#base + path, { method: "POST", signal });
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (attempt === scheduleTries || !isRefusedConnection(error)) {
          throw new Error("The platform's GPU service could not be reached.", { cause: error });
        }
        await delay(backOffMs(attempt), undefined, { signal });
      }
    }
  }

  /** Tells the platform which process will hold the GPU. Throws unless the answer is exactly 200. */
  async allow(allowToken: string, pid: number): Promise<void> {
    const query = new URLSearchParams({ allowToken, pid: String(pid) });
    const response = await fetch(`${this.#base}/allow?${query}`, {
      method: "POST",
      signal: AbortSignal.timeout(answerWithinMs),
    });
    const text = await response.text();
    if (response.status !== 200) {
      throw new Error(`The platform did not let this worker use the GPU (${response.status} ${oneLine(text)}).`);
    }
  }

  /**
   * Gives the GPU back; repeated until the platform has answered, so that a restart of it loses no release. Any answer below
   * 500 is final. Resolves to what the platform says about the end, or null; never throws.
   */
  async release(allowToken: string, ending: Ending): Promise<EndingSays | null> {
    const query = new URLSearchParams({ allowToken, fail: String(ending.fail), outcome: ending.outcome });
    if (ending.exit !== undefined && ending.exit !== null) query.set("exit", String(ending.exit));
    if (ending.signal) query.set("signal", ending.signal);
    for (let attempt = 1; attempt <= releaseTries; attempt++) {
      try {
        const response = await fetch(`${this.#base}/release?${query}`, {
          method: "POST",
          signal: AbortSignal.timeout(answerWithinMs),
        });
        const text = await response.text();
        if (response.status < 500) return parseEndingSays(text);
      } catch (error) {
        if (attempt === releaseTries) console.error("waybill: the GPU could not be given back:", error);
      }
      await delay(backOffMs(attempt));
    }
    return null;
  }
}

class StreamDropped extends Error {}
/** The app's own `onWaiting` threw `cause`: nothing is wrong with the stream. */
class CallbackFailed extends Error {}

async function waitForGrant(
  response: Response,
  call: string | null,
  onWaiting: (waiting: Waiting) => void,
  { signal, hangUp }: { signal: AbortSignal | undefined; hangUp: AbortController },
): Promise<Grant> {
  const events = readEvents(response.body as ReadableStream<Uint8Array>);
  let ends = false;
  try {
    for (let next = await events.next(); !next.done; next = await events.next()) {
      const { event, data } = next.value;
      if (event === "waiting") tellWaiting(onWaiting, parseWaiting(data));
      ends = event === "succeeded" || event === "failed";
      if (event === "succeeded") return parseGrant(data, call);
      if (event === "failed") throw refused(parseProblem(data, queueGaveUp), call, null);
    }
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (error instanceof CallbackFailed) throw error.cause;
    if (error instanceof GpuRefused || error instanceof SyntaxError) throw error;
    throw new StreamDropped("The connection to the platform's GPU service broke while the call waited.", {
      cause: error,
    });
  } finally {
    // Hung up by us, the platform would take the caller for gone; it ends the stream itself right after its last event.
    if (ends) void drain(events, hangUp);
    else hangUp.abort();
  }
  throw new StreamDropped("The platform's GPU service ended the stream without an answer.");
}

function tellWaiting(onWaiting: (waiting: Waiting) => void, waiting: Waiting): void {
  try {
    onWaiting(waiting);
  } catch (cause) {
    throw new CallbackFailed("onWaiting threw", { cause });
  }
}

/** Reads to the stream's end, or hangs up where the end does not come. */
async function drain(events: AsyncGenerator, hangUp: AbortController): Promise<void> {
  const late = setTimeout(() => hangUp.abort(), answerWithinMs);
  late.unref();
  try {
    for await (const _ of events);
  } catch {
    // The answer is known; how the connection ends changes nothing.
  } finally {
    clearTimeout(late);
  }
}

function parseGrant(text: string, call: string | null): Grant {
  const raw = JSON.parse(text) as Partial<Record<keyof Grant, unknown>>;
  if (typeof raw.idle !== "boolean" || typeof raw.nvidiaIndex !== "number" || typeof raw.allowToken !== "string") {
    throw new SyntaxError(`the platform's grant lacks fields: ${oneLine(text)}`);
  }
  return {
    idle: raw.idle,
    nvidiaIndex: raw.nvidiaIndex,
    nvidiaUUID: typeof raw.nvidiaUUID === "string" ? raw.nvidiaUUID : String(raw.nvidiaIndex),
    allowToken: raw.allowToken,
    slot: typeof raw.slot === "string" ? raw.slot : null,
    call: typeof raw.call === "string" ? raw.call : call,
  };
}

function parseWaiting(data: string): Waiting {
  const raw = JSON.parse(data) as Partial<Waiting>;
  const position = Number(raw.position ?? 0);
  return {
    position,
    of: Number(raw.of ?? position),
    estimateMs: typeof raw.estimateMs === "number" ? raw.estimateMs : null,
    says: String(raw.says ?? "Waiting for a GPU."),
  };
}

const queueGaveUp: RefusalProblem = {
  status: 503,
  code: "gpu/queue-timeout",
  detail: "No GPU became free in time. Nothing was charged.",
};

/** A refusal from its answer: the platform's problem, or what another program said in its place. */
export async function refusalOf(response: Response, call: string | null): Promise<GpuRefused> {
  const text = await response.text();
  const problem = parseProblem(text, plainRefusal(response.status, text));
  const retryAfter = Number(response.headers.get("retry-after") ?? problem["wait"] ?? Number.NaN);
  return refused(problem, call, retryAfter > 0 ? retryAfter : null);
}

function refused(problem: RefusalProblem, call: string | null, retryAfter: number | null): GpuRefused {
  return new GpuRefused(problem, { call: problem.waybill ?? call, retryAfter });
}

/** The sentence for a platform that answers in the plain form of the Device API: a status, and for 429 `{ left, wait }`. */
function plainRefusal(status: number, text: string): RefusalProblem {
  if (status === 401)
    return {
      status,
      code: "identity/expired",
      detail: "The visitor's token has expired. Make the request again.",
      retry: "now",
    };
  if (status === 503)
    return { status, code: "gpu/no-capacity", detail: "No GPU was available. Nothing was charged.", retry: "later" };
  if (status !== 429)
    return {
      status: 502,
      code: "gpu/stopped",
      detail: `The platform's GPU service answered ${status}.`,
      retry: "later",
    };
  const { left } = tryParse(text);
  const says =
    typeof left === "number"
      ? `The account has ${left} s of GPU time left, too little for this call.`
      : "The account has too little GPU time left.";
  return { status, code: "gpu/quota-exceeded", detail: `${says} Nothing was charged.`, retry: "later" };
}

function parseProblem(text: string, otherwise: RefusalProblem): RefusalProblem {
  const raw = tryParse(text);
  if (typeof raw["detail"] !== "string") return otherwise;
  if (typeof raw["code"] !== "string") return { ...otherwise, detail: raw["detail"] };
  const status = typeof raw["status"] === "number" ? raw["status"] : otherwise.status;
  return { ...raw, status, code: raw["code"], detail: raw["detail"] };
}

function parseEndingSays(text: string): EndingSays | null {
  const raw = tryParse(text);
  const says = raw["says"] ?? raw["detail"];
  return typeof raw["code"] === "string" && typeof says === "string" ? { code: raw["code"], says } : null;
}

function tryParse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {}; // Not JSON: a platform without sentences of its own; the caller has one ready.
  }
}

/** Only a connection that was never made is safe to repeat: a call that reached the platform may have been counted. */
function isRefusedConnection(error: unknown): boolean {
  const code = (error as { cause?: { code?: unknown } }).cause?.code;
  return code === "ECONNREFUSED" || code === "ENOENT";
}

function backOffMs(attempt: number): number {
  return Math.min(retryMostMs, retryFirstMs * 2 ** (attempt - 1));
}

/** The text after `0::` in the file that names this replica; empty where there is none. */
function readCgroupPath(file: string): string {
  try {
    return /^0::(.*)$/m.exec(readFileSync(file, "utf8"))?.[1] ?? "";
  } catch {
    return ""; // Not Linux, or no file: the platform knows the replica by its channel.
  }
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").slice(0, 200);
}
