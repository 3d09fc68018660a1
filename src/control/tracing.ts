/**
 * Sends works as traces to a collector, by OTLP over HTTP in its JSON form. Best effort beside the record, which has all of it: what the
 * collector does not take in time is dropped, counted and told.
 */
import type { EvidenceBatch } from "../contract/agent.ts";
import type { LedgerRecord } from "../core/record.ts";
import type { Entry, Packed } from "../evidence/entry.ts";
import { otlpOf, spansOfEntry, spansOfPacked } from "../evidence/traces.ts";
import type { Span } from "../evidence/traces.ts";
import { entriesOfRecord } from "../record/scheduler-view.ts";
import type { Clock } from "../stdx/time.ts";

export interface TracingOptions {
  /** The collector's: `/v1/traces` is added where it has no path. */
  readonly url: string;
  readonly version: string;
  readonly instance: string;
  readonly clock: Clock;
  onDropped(says: string, dropped: number): void;
}

/** Spans that wait, some 1 KB each: a second of a busy edge. */
const waitingMax = 20_000;
/** Spans of one request. */
const sendAtOnce = 1_000;
const sendEveryMs = 1_000;
const sendWithinMs = 10_000;
/** Of what is sent when the platform ends: its end waits no longer. */
const lastWithinMs = 1_000;
/** Tries of one request; with these pauses between them. */
const tries = 3;
const pausesMs = [1_000, 5_000] as const;
/** Drops are told so often. */
const tellEveryMs = 60_000;
/** Works that are open and whose begin is remembered: beyond it the oldest begin where they end. */
const begunMax = 20_000;

export class Tracing implements AsyncDisposable {
  readonly #options: TracingOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #closing = new AbortController();
  readonly #over = new AbortController();
  readonly #begun = new Map<string, number>();
  #waiting: Span[] = [];
  #sending: Promise<void> | undefined;
  #dropped = 0;
  #untold = 0;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(options: TracingOptions) {
    const { pathname } = new URL(options.url);
    const url = pathname === "/" ? new URL("/v1/traces", options.url).href : options.url;
    this.#options = { ...options, url };
    this.#timer = setInterval(() => void this.send(), sendEveryMs).unref();
  }

  /** Spans that the collector never got. */
  get dropped(): number {
    return this.#dropped;
  }

  /** What was stored just now. */
  takeBatch({ records }: EvidenceBatch): void {
    for (const { kind, body } of records) {
      // The store has found it to be one.
      if (kind === "packed") this.#add(spansOfPacked(body as Packed));
      else if (kind === "entry") this.#takeEntry(body as Entry);
    }
  }

  /** What the ledger decided of calls. */
  takeRecord(record: LedgerRecord): void {
    for (const entry of entriesOfRecord(record)) this.#takeEntry(entry);
  }

  /** Sends what waits; one at a time. */
  send(): Promise<void> {
    this.#sending ??= this.#send().finally(() => (this.#sending = undefined));
    return this.#sending;
  }

  /** Sends once more what waits. A collector that does not answer by then is not waited for. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    const last = this.send();
    this.#closing.abort();
    const timer = setTimeout(() => this.#over.abort(), lastWithinMs);
    await last;
    clearTimeout(timer);
  }

  #takeEntry(entry: Entry): void {
    const { work } = entry;
    const spans = spansOfEntry(entry, this.#begun.get(work));
    if (spans.length === 0) return;
    const ended = spans.some(({ parentSpanId }) => parentSpanId === undefined);
    if (ended) this.#begun.delete(work);
    else if (!this.#begun.has(work)) this.#remember(work, Date.parse(entry.at));
    this.#add(spans);
  }

  #remember(work: string, at: number): void {
    this.#begun.set(work, at);
    if (this.#begun.size <= begunMax) return;
    const [oldest] = this.#begun.keys();
    if (oldest !== undefined) this.#begun.delete(oldest);
  }

  #add(spans: readonly Span[]): void {
    const room = waitingMax - this.#waiting.length;
    this.#waiting.push(...spans.slice(0, room));
    if (spans.length > room) this.#drop(spans.length - room, "more works end than the collector takes");
  }

  async #send(): Promise<void> {
    while (this.#waiting.length > 0) {
      const spans = this.#waiting.splice(0, sendAtOnce);
      const failed = await this.#post(spans);
      if (failed !== undefined) this.#drop(spans.length, failed);
      if (this.#closing.signal.aborted) return;
    }
  }

  /** Why it was not taken; undefined where it was. */
  async #post(spans: readonly Span[]): Promise<string | undefined> {
    const body = JSON.stringify(otlpOf(spans, this.#options));
    let failed = "";
    for (let attempt = 0; attempt < tries; attempt += 1) {
      if (attempt > 0 && !(await this.#pause(pausesMs[attempt - 1] ?? 0))) break;
      const answer = await this.#try(body);
      if (answer === undefined) return undefined;
      failed = answer.says;
      if (!answer.again) break;
    }
    return failed;
  }

  /** OTLP: what is answered 429, 502, 503 or 504 is sent again. */
  async #try(body: string): Promise<{ readonly says: string; readonly again: boolean } | undefined> {
    const { url } = this.#options;
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
        redirect: "error",
        signal: AbortSignal.any([AbortSignal.timeout(sendWithinMs), this.#over.signal]),
      });
      await response.body?.cancel();
      if (response.ok) return undefined;
      return {
        says: `the collector answered ${response.status}`,
        again: [429, 502, 503, 504].includes(response.status),
      };
    } catch (error) {
      const cause = (error as Error).cause;
      return { says: `the collector was not reached: ${String(cause ?? error)}`, again: true };
    }
  }

  /** False where it is closed meanwhile. */
  #pause(ms: number): Promise<boolean> {
    const { signal } = this.#closing;
    if (signal.aborted) return Promise.resolve(false);
    return new Promise((done) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        done(!signal.aborted);
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener("abort", end, { once: true });
    });
  }

  #drop(count: number, says: string): void {
    this.#dropped += count;
    this.#untold += count;
    const now = this.#options.clock.monotonic();
    if (now - this.#toldAt < tellEveryMs) return;
    this.#options.onDropped(says, this.#untold);
    this.#toldAt = now;
    this.#untold = 0;
  }
}
