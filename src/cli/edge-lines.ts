/**
 * Lines of the edge in an app's log: requests that it answered in the app's place, or could not bring to their end. An app's log is kept where
 * the app runs and the edge's record at the server, so they meet here: by their times, the app's lines in their order.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { LogOptions, WaybillClient } from "../client/api.ts";
import type { LogLine } from "../contract/agent.ts";
import type { RequestView } from "../contract/requests.ts";
import { codeRow, isCode } from "../evidence/codes.ts";

/** Where the app says nothing for so long, what the edge has told is shown: nothing older is to be expected. */
const quietMs = 500;
/** Of what is there already, the newest: what is older `waybill requests --failed` has, page by page. */
const edgeMost = 1_000;
/** A line is of the end of its request, and requests are asked for by their beginning: one that took longer is in `waybill requests` alone. */
const longestMs = 60_000;
/** Each looks through some thousand requests for failures: of a busy Space, whose failures are few, the last hundred thousand. */
const pagesMost = 20;

/** The log of a Space as `options` ask for it, with the edge's lines where those are not shut out. */
export async function* appLog(client: WaybillClient, space: string, options: LogOptions): AsyncGenerator<LogLine> {
  const { source, replica, since, grep, follow = false } = options;
  if (source === "edge") return yield* edgeAlone(new EdgeLog(client, space, options), follow);
  if (source !== undefined || replica !== undefined) return yield* client.logs(space, options);
  const lines = client.logs(space, options)[Symbol.asyncIterator]();
  const first = await lines.next();
  if (first.done === true) return;
  // What was before the first line that is asked for is not asked for.
  const from = since ?? (grep === undefined ? first.value.at : undefined);
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  const edge = new EdgeLog(client, space, { ...options, since: from, signal });
  try {
    const there = await edge.there();
    yield* withEdge(beginning(first.value, lines), there, follow ? edge.further() : undefined);
  } finally {
    stop.abort();
  }
}

async function* edgeAlone(edge: EdgeLog, follow: boolean): AsyncGenerator<LogLine> {
  yield* await edge.there();
  if (follow) yield* edge.further();
}

async function* beginning(first: LogLine, lines: AsyncIterator<LogLine>): AsyncGenerator<LogLine> {
  yield first;
  for (let next = await lines.next(); next.done !== true; next = await lines.next()) yield next.value;
}

class EdgeLog {
  readonly #client: WaybillClient;
  readonly #space: string;
  readonly #options: LogOptions;
  /** The number of the newest request that is shown already. */
  #newest: number | undefined;

  constructor(client: WaybillClient, space: string, options: LogOptions) {
    this.#client = client;
    this.#space = space;
    this.#options = options;
  }

  /** What is there now, the oldest first. */
  async there(): Promise<readonly LogLine[]> {
    const { signal } = this.#options;
    const lines: LogLine[] = [];
    let page: string | undefined;
    let pages = 0;
    do {
      pages += 1;
      const { items, next } = await this.#client.requests(this.#space, { filter: this.#filter, page, signal });
      this.#newest ??= items[0]?.n;
      lines.push(...this.#linesOf(items));
      page = next ?? undefined;
    } while (page !== undefined && pages < pagesMost && lines.length < edgeMost);
    return lines.sort(byTime);
  }

  /** What comes after it, until the signal ends it. */
  async *further(): AsyncGenerator<LogLine> {
    const { signal } = this.#options;
    try {
      const asked = { filter: this.#filter, after: this.#newest, signal };
      for await (const line of this.#client.followRequests(this.#space, asked))
        if (line.type === "request") yield* this.#linesOf([line]);
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    }
  }

  get #filter() {
    const { since } = this.#options;
    const begun = since === undefined ? undefined : new Date(Date.parse(since) - longestMs).toISOString();
    return { failed: true, ...(begun !== undefined && { since: begun }) };
  }

  #linesOf(requests: readonly RequestView[]): LogLine[] {
    const { since = "", grep = "" } = this.#options;
    const isAsked = ({ at, text }: LogLine): boolean => at >= since && text.toLowerCase().includes(grep.toLowerCase());
    return requests.flatMap(edgeLine).filter(isAsked);
  }
}

/** None where the platform had no part in how it ended. Its number is 0, as that of every line that is not the log's own. */
export function edgeLine({ id, at, ms, method, path, query, status, code, replica }: RequestView): LogLine[] {
  if (code === null) return [];
  const target = query === null ? path : `${path}?${query}`;
  const says = isCode(code) ? ` ${codeRow(code).says}` : "";
  const text = `${id}: ${status === 0 ? "no answer" : status} to ${method} ${target}.${says} (${code})`;
  const ended = new Date(Date.parse(at) + ms).toISOString();
  return [{ n: 0, at: ended, source: "edge", stream: "note", ...(replica !== null && { replica }), text }];
}

/** Until `lines` ends. `there`: by their times; what comes of `further` is held until the app says something later, or nothing. */
export async function* withEdge(
  lines: AsyncIterable<LogLine>,
  there: readonly LogLine[],
  further?: AsyncIterable<LogLine>,
): AsyncGenerator<LogLine> {
  const own = lines[Symbol.asyncIterator]();
  const others = further?.[Symbol.asyncIterator]();
  const held = [...there];
  let nextOwn = asked(own, "app");
  let nextOther = others && asked(others, "edge");
  for (;;) {
    const quiet = new AbortController();
    const all = [nextOwn, nextOther, held.length > 0 && others !== undefined ? quietFor(quiet.signal) : undefined];
    const came = await Promise.race(all.filter((one) => one !== undefined));
    quiet.abort();
    if (came.of === "nobody") yield* held.splice(0);
    else if (came.of === "edge") {
      if (came.line !== undefined) held.push(came.line);
      held.sort(byTime);
      nextOther = came.line === undefined || others === undefined ? undefined : asked(others, "edge");
    } else if (came.line === undefined) return yield* held.splice(0);
    else {
      const { at } = came.line;
      const later = held.findIndex((line) => line.at > at);
      yield* held.splice(0, later === -1 ? held.length : later);
      yield came.line;
      nextOwn = asked(own, "app");
    }
  }
}

interface Came {
  readonly of: "app" | "edge" | "nobody";
  /** Undefined where it has ended. */
  readonly line?: LogLine | undefined;
}

async function asked(from: AsyncIterator<LogLine>, of: "app" | "edge"): Promise<Came> {
  const { done, value } = await from.next();
  return { of, line: done === true ? undefined : value };
}

async function quietFor(signal: AbortSignal): Promise<Came> {
  try {
    await delay(quietMs, undefined, { signal });
  } catch (error) {
    // Something came meanwhile.
    if (!signal.aborted) throw error;
  }
  return { of: "nobody" };
}

function byTime(a: LogLine, b: LogLine): number {
  return a.at < b.at ? -1 : a.at > b.at ? 1 : 0;
}
