/**
 * How the client asks: refusals as `ApiError`, no answer as `ServerUnreachable`, a bound on each wait, and another try where a connection
 * broke. What changes something bears an `Idempotency-Key`.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { LogLine } from "../contract/agent.ts";
import type { Asking, LogOptions } from "./asked.ts";
import { ApiError, ServerUnreachable } from "./errors.ts";
import { followed, type Opened } from "./following.ts";
import { readJsonLines } from "./json-lines.ts";
import { apiErrorOf } from "./refusals.ts";

export interface ClientOptions {
  /** The console's address, e.g. `http://localhost:7070`. */
  readonly url: string;
  /** `hf_wb…`; null asks as a stranger. */
  readonly token: string | null;
}

/** An answer that is not a stream comes within this; the slowest ones explain a long record. */
export const answerWithinMs = 30_000;
/** A request is sent so often where its connection broke, or its first try is still under way: over some seconds, as a platform's restart takes. */
const triesMost = 7;
const pauseFirstMs = 200;
const pauseMostMs = 2_000;

const keyHeader = "idempotency-key";

export class Transport {
  readonly url: string;
  readonly #token: string | null;

  constructor({ url, token }: ClientOptions) {
    this.url = url.replace(/\/+$/, "");
    this.#token = token;
  }

  async get<Answer>(path: string, query: Record<string, string | undefined>, asking: Asking): Promise<Answer> {
    return (await this.ask(path + queryOf(query), { method: "GET" }, asking, answerWithinMs)) as Answer;
  }

  async send<Answer>(
    method: string,
    path: string,
    body: unknown,
    asking: Asking,
    withinMs = answerWithinMs,
  ): Promise<Answer> {
    const headers = { "content-type": "application/json", ...freshKey() };
    return (await this.ask(path, { method, body: JSON.stringify(body), headers }, asking, withinMs)) as Answer;
  }

  async ask(path: string, init: RequestInit, asking: Asking, withinMs: number): Promise<unknown> {
    const limit = AbortSignal.timeout(withinMs);
    const signal = asking.signal ? AbortSignal.any([asking.signal, limit]) : limit;
    const response = await this.#fetch(path, init, signal, asking.signal);
    try {
      return await response.json();
    } catch (error) {
      throw this.unanswered(error, asking.signal, "sent an answer that could not be read");
    }
  }

  /** A log; one that is followed goes on after the last line that came, also over a restart of the platform. */
  async *lines(path: string, options: LogOptions): AsyncGenerator<LogLine> {
    let after: string | undefined;
    let isBegun = options.isThere === true;
    const open = async (): Promise<Opened<LogLine>> => {
      const lines = await this.opened<LogLine>(path + queryOfLog(options), options.signal, after);
      isBegun = true;
      return lines;
    };
    for await (const line of followed(open, options, () => options.follow === true && isBegun)) {
      // A note of the moment has no number: it is no place in the log.
      if (line.n > 0) after = line.replica === undefined ? String(line.n) : `${line.replica}:${line.n}`;
      yield line;
    }
  }

  /** A stream of JSON Lines, on after the last of its lines that came. */
  async opened<Line>(path: string, signal: AbortSignal | undefined, after?: string): Promise<Opened<Line>> {
    const response = await this.open(path, signal, after);
    return {
      lines: readJsonLines<Line>(response.body as ReadableStream<Uint8Array>),
      broken: (error) => this.unanswered(error, signal, "closed the stream before its end"),
    };
  }

  /** Opens a stream. Only its headers are bounded: a log that is followed may be silent for hours. */
  async open(path: string, signal: AbortSignal | undefined, after?: string): Promise<Response> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new DOMException("no answer in time", "TimeoutError")), answerWithinMs);
    try {
      const either = signal ? AbortSignal.any([signal, late.signal]) : late.signal;
      const headers = after === undefined ? {} : { "last-event-id": after };
      return await this.#fetch(path, { method: "GET", headers }, either, signal);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves only to an answer that says yes. */
  async #fetch(
    path: string,
    init: RequestInit,
    signal: AbortSignal,
    callers: AbortSignal | undefined,
  ): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set("accept", "application/json, application/x-ndjson, application/problem+json");
    if (this.#token !== null) headers.set("authorization", `Bearer ${this.#token}`);
    const isKeyed = headers.has(keyHeader);
    try {
      for (let tries = 1; ; tries++) {
        const isLast = tries >= (isKeyed ? triesMost : init.method === "GET" ? 2 : 1);
        const answer = await fetch(this.url + path, { ...init, headers, signal, redirect: "error" }).catch(
          (error: unknown) => {
            if (isLast || !isWorthAnother(error, tries)) throw error;
          },
        );
        if (answer?.ok) return answer;
        const refusal = answer && (await apiErrorOf(answer, path));
        if (refusal && (isLast || refusal.problem.code !== "key-in-use")) throw refusal;
        if (isKeyed) await delay(Math.min(pauseMostMs, pauseFirstMs * 2 ** (tries - 1)), undefined, { signal });
      }
    } catch (error) {
      if (error instanceof ApiError) throw error;
      throw this.unanswered(error, callers, "does not answer");
    }
  }

  unanswered(error: unknown, callers: AbortSignal | undefined, says: string): unknown {
    if (callers?.aborted) return callers.reason;
    const late = (error as Error).name === "TimeoutError";
    return new ServerUnreachable(this.url, late ? "did not answer in time" : says, error);
  }
}

/** Of a request and all its repetitions (draft-ietf-httpapi-idempotency-key-header-07, section 2.1). */
export function freshKey(): Readonly<Record<typeof keyHeader, string>> {
  return { [keyHeader]: `"${randomUUID()}"` };
}

/** A connection that was closed as we asked on it (RFC 9110, 9.2.2), and a platform that was there before and is being started again. */
function isWorthAnother(error: unknown, tries: number): boolean {
  const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
  const wasClosed = code === "EPIPE" || code === "ECONNRESET" || code === "UND_ERR_SOCKET";
  return wasClosed || (code === "ECONNREFUSED" && tries > 1);
}

/** Of a log, or as a text to keep. */
export function queryOfLog(
  { from, tail, follow, grep, source, since, replica }: LogOptions,
  download?: string,
): string {
  return queryOf({
    ...{ grep, source, since, replica, download },
    from: from?.toString(),
    tail: tail?.toString(),
    follow: follow === true ? "1" : undefined,
  });
}

export function queryOf(query: Record<string, string | undefined>): string {
  const said = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return said.length > 0 ? `?${new URLSearchParams(said)}` : "";
}
