/** Calls one function of a Gradio app by the app's own protocol, as Gradio's clients do: config, info, upload, join, the session's stream. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { ServerUnreachable } from "./errors.ts";
import { readEvents } from "./sdk/event-stream.ts";

/** The app, or the edge in front of it, answers these within a start from nothing. */
const answerWithinMs = 180_000;
/** Nobody waits for the answer to a farewell. */
const cancelWithinMs = 5_000;
/** An event with a whole output in it; files are named in events and not in them. */
const eventMaxCharacters = 64 << 20;

export interface GradioParameter {
  readonly parameter_name: string;
  readonly parameter_has_default: boolean;
  readonly parameter_default: unknown;
  readonly type?: { readonly type?: string };
}

export interface GradioFunction {
  /** `/render`. */
  readonly name: string;
  readonly index: number;
  readonly parameters: readonly GradioParameter[];
}

export type GradioEvent =
  | { readonly type: "log"; readonly says: string }
  | { readonly type: "done"; readonly outputs: readonly unknown[] }
  | { readonly type: "failed"; readonly says: string };

export interface GradioJoin {
  /** The request's id, by which its GPU call is found. */
  readonly request: string | null;
  readonly events: AsyncGenerator<GradioEvent>;
  /** Tells the app to drop it. */
  cancel(): Promise<void>;
}

/** The app cannot be called so; `next` says what to do. */
export class GradioRefused extends Error {
  override readonly name = "GradioRefused";
  readonly code: "not-gradio" | "no-such-function" | "arguments" | "app-refused";
  readonly status: number | null;
  readonly next: string;

  constructor(code: GradioRefused["code"], says: string, next: string, status: number | null = null) {
    super(says);
    this.code = code;
    this.next = next;
    this.status = status;
  }
}

interface Config {
  readonly dependencies: readonly { readonly id?: number; readonly api_name?: string | false | null }[];
  readonly api_prefix?: string;
}

interface Info {
  readonly named_endpoints: Readonly<Record<string, { readonly parameters: readonly GradioParameter[] }>>;
}

export class GradioApp {
  readonly #url: string;
  readonly #token: string | null;
  readonly #signal: AbortSignal;
  readonly #session = randomBytes(8).toString("hex");
  #prefix = "";

  constructor(options: { readonly url: string; readonly token: string | null; readonly signal: AbortSignal }) {
    this.#url = options.url.replace(/\/+$/, "");
    this.#token = options.token;
    this.#signal = options.signal;
  }

  /** Its functions that have names. */
  async functions(): Promise<readonly GradioFunction[]> {
    const config = await this.#json<Config>("/config");
    if (!Array.isArray(config?.dependencies)) throw this.#notGradio();
    this.#prefix = config.api_prefix ?? "";
    const info = await this.#json<Info>(`${this.#prefix}/info`);
    if (typeof info?.named_endpoints !== "object") throw this.#notGradio();
    return Object.entries(info.named_endpoints).map(([name, { parameters }]) => {
      const at = config.dependencies.findIndex(({ api_name }) => `/${String(api_name)}` === name);
      return { name, index: config.dependencies[at]?.id ?? at, parameters };
    });
  }

  /** A file of this machine becomes one that the app knows. */
  async upload(path: string): Promise<unknown> {
    const form = new FormData();
    form.append("files", new Blob([await readFile(path)]), basename(path));
    const answer = await this.#ask(`${this.#prefix}/upload`, { method: "POST", body: form });
    const [stored] = (await answer.json()) as readonly string[];
    return { path: stored, orig_name: basename(path), meta: { _type: "gradio.FileData" } };
  }

  async download(file: { readonly path: string; readonly url?: string | null }): Promise<Uint8Array> {
    // Its address as the app knows itself may be none of ours: it is asked for where the app is.
    const answer = await this.#ask(`${this.#prefix}/file=${encodeURI(file.path)}`, { method: "GET" });
    return new Uint8Array(await answer.arrayBuffer());
  }

  async join(fn: GradioFunction, data: readonly unknown[]): Promise<GradioJoin> {
    const session_hash = this.#session;
    const body = JSON.stringify({ data, fn_index: fn.index, session_hash, event_data: null, trigger_id: null });
    const headers = { "content-type": "application/json" };
    // Whoever stops it meanwhile has to know which event to cancel.
    const joined = await this.#ask(`${this.#prefix}/queue/join`, { method: "POST", body, headers }, "join");
    const { event_id } = (await joined.json()) as { event_id?: string };
    if (event_id === undefined) throw this.#notGradio();
    const cancelled = JSON.stringify({ session_hash, fn_index: fn.index, event_id });
    return {
      request: joined.headers.get("x-waybill-id"),
      events: this.#events(event_id),
      cancel: async () => {
        const signal = AbortSignal.timeout(cancelWithinMs);
        const init = { method: "POST", body: cancelled, headers: { ...headers, ...this.#bearer() }, signal };
        await fetch(`${this.#url}${this.#prefix}/cancel`, init).catch(() => undefined); // The stream's end tells it too.
      },
    };
  }

  async *#events(event: string): AsyncGenerator<GradioEvent> {
    const path = `${this.#prefix}/queue/data?session_hash=${this.#session}`;
    const stream = await this.#ask(path, { method: "GET" }, "stream");
    try {
      for await (const { data } of readEvents(stream.body as ReadableStream<Uint8Array>, eventMaxCharacters)) {
        const told = readEvent(data, event);
        if (told) yield told;
        if (told?.type === "done" || told?.type === "failed") return;
      }
    } catch (error) {
      if (this.#signal.aborted) throw this.#signal.reason;
      // By this fetch tells of a connection that broke; all else is about what the app sent on it.
      if (error instanceof TypeError) throw new ServerUnreachable(this.#url, "closed the stream before its end", error);
      throw appRefused(`The app's answer cannot be read: ${(error as Error).message}`, stream.status);
    }
    yield { type: "failed", says: "The app closed the stream before its end." };
  }

  async #json<T>(path: string): Promise<T | undefined> {
    const answer = await this.#ask(path, { method: "GET" });
    return (await answer.json().catch(() => undefined)) as T | undefined; // A page is no answer of Gradio's: said by who asks.
  }

  /** A stream may be silent for as long as a call waits; a join is answered also to who has stopped. */
  async #ask(path: string, init: RequestInit, kind: "answer" | "join" | "stream" = "answer"): Promise<Response> {
    const late = kind === "stream" ? [] : [AbortSignal.timeout(answerWithinMs)];
    const signal = AbortSignal.any([...(kind === "join" ? [] : [this.#signal]), ...late]);
    let answer: Response;
    try {
      answer = await fetch(this.#url + path, { ...init, headers: { ...init.headers, ...this.#bearer() }, signal });
    } catch (error) {
      if (this.#signal.aborted) throw this.#signal.reason;
      throw new ServerUnreachable(this.#url, "does not answer", error);
    }
    if (answer.ok) return answer;
    const text = await answer.text();
    const { apiErrorOf } = await import("./refusals.ts");
    // What the edge answers itself says so (RFC 9209 §2.1.1); anything else is the app's own word.
    if (/;\s*error=/.test(answer.headers.get("proxy-status") ?? ""))
      throw await apiErrorOf(new Response(text, { status: answer.status, headers: answer.headers }), path);
    if (answer.status === 404) throw this.#notGradio();
    throw appRefused(`The app answered ${answer.status} to ${path}: ${text.slice(0, 300)}`, answer.status);
  }

  #bearer(): Record<string, string> {
    return this.#token === null ? {} : { authorization: `Bearer ${this.#token}`, accept: "application/json, */*" };
  }

  #notGradio(): GradioRefused {
    return new GradioRefused(
      "not-gradio",
      `${this.#url} does not speak Gradio's API.`,
      "`waybill call` calls functions of Gradio apps; ask others at their own address, for instance with curl.",
    );
  }
}

function appRefused(says: string, status: number): GradioRefused {
  return new GradioRefused("app-refused", says, "Its log says more: `waybill logs OWNER/NAME`.", status);
}

/** Undefined for what is another's, or says nothing here (place, progress, heartbeat, a part of a result). */
function readEvent(data: string, event: string): GradioEvent | undefined {
  const told = JSON.parse(data) as Readonly<Record<string, unknown>>;
  if (told["event_id"] !== undefined && told["event_id"] !== null && told["event_id"] !== event) return undefined;
  const output = (told["output"] ?? {}) as { readonly data?: readonly unknown[]; readonly error?: unknown };
  switch (told["msg"]) {
    case "log":
      return typeof told["log"] === "string" ? { type: "log", says: told["log"] } : undefined;
    case "process_completed":
      return told["success"] === true
        ? { type: "done", outputs: output.data ?? [] }
        : { type: "failed", says: typeof output.error === "string" ? output.error : "The app did not say why." };
    case "unexpected_error":
    case "server_stopped":
      return { type: "failed", says: typeof told["message"] === "string" ? told["message"] : "The app stopped." };
    default:
      return undefined;
  }
}
