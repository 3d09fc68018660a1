/** An app's log with the edge's lines in it, as a stream. */
import { setTimeout as delay } from "node:timers/promises";
import type { LogOptions, WaybillClient } from "../client/api.ts";
import type { LogLine } from "../contract/agent.ts";
import { byTime, countBefore, edgeFilter, edgeLines, readEdgeLines } from "../contract/edge-lines.ts";
import { saysOf } from "../evidence/codes.ts";

/** Where the app says nothing for so long, what the edge has told is shown: nothing older is to be expected. */
const quietMs = 500;

/** The log of a Space as `options` ask for it, with the edge's lines where those are not shut out. */
export async function* appLog(client: WaybillClient, space: string, options: LogOptions): AsyncGenerator<LogLine> {
  const { source, replica, since, grep, follow = false } = options;
  if (source === "edge") {
    const of = replica === "previous" ? await previousOf(client, space, options) : replica;
    return yield* edgeAlone(new EdgeLog(client, space, { ...options, replica: of }), follow);
  }
  if (source !== undefined) return yield* client.logs(space, options);
  const lines = client.logs(space, options)[Symbol.asyncIterator]();
  const first = await lines.next();
  if (first.done === true) return;
  // What was before the first line that is asked for is not asked for.
  const from = since ?? (grep === undefined ? first.value.at : undefined);
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  const of = replica === undefined ? undefined : first.value.replica;
  // That the platform is away is said once, by the app's own lines.
  const silent = { onLost: undefined, onBack: undefined };
  const edge = new EdgeLog(client, space, { ...options, ...silent, replica: of, since: from, signal });
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

/** The id of the replica that ended last; its log says it. */
async function previousOf(client: WaybillClient, space: string, { signal }: LogOptions): Promise<string | undefined> {
  for await (const line of client.logs(space, { replica: "previous", tail: 1, signal })) return line.replica;
  return undefined;
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
    const { lines, newest } = await readEdgeLines(
      (asked) => this.#client.requests(this.#space, { ...asked, signal }),
      this.#options,
      saysOf,
    );
    this.#newest = newest;
    return lines;
  }

  /** What comes after it, until the signal ends it. */
  async *further(): AsyncGenerator<LogLine> {
    const { signal, onLost, onBack } = this.#options;
    try {
      const asked = { filter: edgeFilter(this.#options), after: this.#newest, signal, onLost, onBack };
      for await (const line of this.#client.followRequests(this.#space, asked))
        if (line.type === "request") yield* edgeLines([line], this.#options, saysOf);
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    }
  }
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
      yield* held.splice(0, countBefore(held, at));
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
