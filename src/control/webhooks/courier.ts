/**
 * Brings deliveries to their webhooks: a lane for each webhook, in which one delivery at a time is tried, so that none waits for another's
 * webhook. What is due is in the catalog alone: a start goes on where a stop, of whatever kind, left it.
 */
import type { Catalog } from "../../catalog/catalog.ts";
import type { DeliveryRow } from "../../catalog/deliveries.ts";
import type { WebhookRow } from "../../catalog/webhooks.ts";
import type { Posted, Posting } from "../../contract/posting.ts";
import type { Clock } from "../../stdx/time.ts";
import type { RandomBytes } from "../../stdx/ids.ts";
import { followsFrom, pauseAfter, retryAfterMs } from "./retries.ts";
import type { Try } from "./retries.ts";
import { signatureHeaders } from "./signature.ts";

export interface CourierParts {
  readonly catalog: Pick<Catalog, "webhooks" | "deliveries" | "notices">;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly version: string;
  /** In bounded time, without following where it is sent. Rejects only when `signal` is aborted. */
  post(posting: Posting, signal: AbortSignal): Promise<Posted>;
  /** The secrets that sign, the newest first. */
  secrets(row: WebhookRow): readonly string[];
  /** All tries failed for too long, or the receiver wants no more. */
  switchOff(row: WebhookRow, says: string): Promise<void>;
  onFailure(what: string, error: unknown): void;
}

/** Requests of all webhooks at once: each holds a socket, for ten seconds at most. */
const sendsAtOnce = 128;
/** The longest that a timer of Node's can be set for. */
const timerMaxMs = 2 ** 31 - 1;
/** Nothing is due later than this by itself: where it seems so, the clock was set back, and it is due now. */
const dueWithinMs = 2 * 24 * 3_600_000;
/** Where the catalog did not answer. */
const againAfterMs = 5_000;

interface Lane {
  running: Promise<void> | undefined;
  /** Something came while it ran. */
  again: boolean;
  /** In a row. */
  failures: number;
  /** No delivery is tried before, by the monotonic clock. */
  notBefore: number;
  timer: NodeJS.Timeout | undefined;
  readonly closed: AbortController;
}

export class Courier implements AsyncDisposable {
  readonly #parts: CourierParts;
  readonly #lanes = new Map<string, Lane>();
  readonly #waiting: (() => void)[] = [];
  #sending = 0;
  #closed = false;

  constructor(parts: CourierParts) {
    this.#parts = parts;
  }

  /** From here on it brings what is due, and what becomes due. */
  start(): void {
    const { webhooks, notices } = this.#parts.catalog;
    notices.onDelivery = (webhook) => this.soon(webhook);
    for (const { id } of webhooks.all) this.soon(id);
  }

  /** Something may be due for this webhook. */
  soon(webhook: string): void {
    if (this.#closed) return;
    const lane = this.#lanes.get(webhook) ?? {
      ...{ running: undefined, again: false, failures: 0, notBefore: 0, timer: undefined },
      closed: new AbortController(),
    };
    this.#lanes.set(webhook, lane);
    clearTimeout(lane.timer);
    if (lane.running) {
      lane.again = true;
      return;
    }
    lane.running = this.#run(webhook, lane).finally(() => {
      lane.running = undefined;
      if (lane.again && !lane.closed.signal.aborted) {
        lane.again = false;
        this.soon(webhook);
      }
    });
  }

  /** Somebody wants it now: earlier failures keep it no longer. */
  eager(webhook: string): void {
    const lane = this.#lanes.get(webhook);
    if (lane) Object.assign(lane, { failures: 0, notBefore: 0 });
    this.soon(webhook);
  }

  /** Breaks off what is on its way to it; resolves when nothing is. */
  async forget(webhook: string): Promise<void> {
    const lane = this.#lanes.get(webhook);
    if (!lane) return;
    this.#lanes.delete(webhook);
    clearTimeout(lane.timer);
    lane.closed.abort();
    await lane.running;
  }

  /** Resolves when no lane tries anything: what is due later waits for its time. */
  async idle(): Promise<void> {
    for (;;) {
      const running = [...this.#lanes.values()].flatMap((lane) => lane.running ?? []);
      if (running.length === 0) return;
      await Promise.all(running);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#lanes.keys()].map((webhook) => this.forget(webhook)));
  }

  async #run(webhook: string, lane: Lane): Promise<void> {
    const { catalog, clock, onFailure } = this.#parts;
    try {
      while (!lane.closed.signal.aborted) {
        lane.again = false;
        const row = catalog.webhooks.get(webhook);
        const next = row?.state === "on" ? await catalog.deliveries.next(webhook) : undefined;
        if (!row) this.#lanes.delete(webhook);
        if (!row || !next) return;
        const waitMs = Math.max(dueIn(next, clock), lane.notBefore - clock.monotonic());
        if (waitMs > 0) {
          this.#later(webhook, lane, waitMs);
          return;
        }
        await this.#sent(row, next, lane);
      }
    } catch (error) {
      if (lane.closed.signal.aborted) return;
      onFailure(`bringing what is due to webhook ${webhook}`, error);
      this.#later(webhook, lane, againAfterMs);
    }
  }

  #later(webhook: string, lane: Lane, ms: number): void {
    clearTimeout(lane.timer);
    lane.timer = setTimeout(() => this.soon(webhook), Math.min(ms, timerMaxMs));
  }

  async #sent(row: WebhookRow, delivery: DeliveryRow, lane: Lane): Promise<void> {
    const { catalog, clock, random, version, post, secrets } = this.#parts;
    const { signal } = lane.closed;
    await this.#place(signal);
    let posted: Posted;
    const at = clock.wall();
    const begunAt = clock.monotonic();
    try {
      const { id, body } = delivery;
      const headers = {
        ...{ "content-type": "application/json", "user-agent": `Waybill/${version}` },
        ...signatureHeaders({ id, at, body }, secrets(row)),
      };
      posted = await post({ url: row.url, headers, body }, signal);
    } finally {
      this.#sending -= 1;
      this.#waiting.shift()?.();
    }
    signal.throwIfAborted();
    const now = clock.wall();
    const one = tryOf(posted, (header) => retryAfterMs(header, now));
    const chance = (random(1)[0] ?? 0) / 256;
    const failingSince = catalog.webhooks.get(row.id)?.failingSince ?? null;
    const follows = followsFrom(one, { tries: delivery.tries, failingSince, now, chance });
    await catalog.deliveries.tried(
      delivery,
      {
        ...{ at, tookMs: clock.monotonic() - begunAt, outcome: one.outcome, status: one.status },
        ...{ says: follows.delivery.says, answer: posted.answered ? plain(posted.answer) : null },
      },
      follows.delivery,
    );
    lane.failures = one.outcome === "delivered" ? 0 : lane.failures + 1;
    lane.notBefore = clock.monotonic() + pauseAfter(lane.failures);
    const current = catalog.webhooks.get(row.id);
    if (!current || current.state === "off") return;
    if (follows.off !== null)
      await this.#parts.switchOff({ ...current, failingSince: follows.failingSince }, follows.off);
    else if (follows.failingSince !== failingSince)
      await catalog.webhooks.change(row.id, { failingSince: follows.failingSince }, { asked: false });
  }

  /** Waits for one of the places of all lanes, in the order of asking. */
  async #place(signal: AbortSignal): Promise<void> {
    if (this.#sending >= sendsAtOnce) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      await promise;
    }
    this.#sending += 1;
    if (!signal.aborted) return;
    this.#sending -= 1;
    this.#waiting.shift()?.();
    signal.throwIfAborted();
  }
}

/** What was never tried is due whatever the clock says: it is told by those of several parts. */
function dueIn({ dueAt, tries }: DeliveryRow, clock: Clock): number {
  if (tries === 0) return 0;
  const ms = (dueAt ?? 0) - clock.wall();
  return ms > dueWithinMs ? 0 : ms;
}

function tryOf(posted: Posted, wait: (header: string | undefined) => number | null): Try {
  if (!posted.answered) return { outcome: posted.why, status: null, detail: posted.detail, retryAfterMs: null };
  const { status, retryAfter } = posted;
  return { outcome: outcomeOf(status), status, detail: "", retryAfterMs: wait(retryAfter) };
}

function outcomeOf(status: number): Try["outcome"] {
  if (status >= 200 && status <= 299) return "delivered";
  if (status === 410) return "gone";
  return status >= 300 && status <= 399 ? "redirected" : "answered";
}

/** A stranger's text, for terminals and databases: no character of it does anything. */
function plain(text: string): string {
  return text.replace(/[^\P{C}\n\t]/gu, "�");
}
