/** What follows from a try to deliver: when it is tried again, when it is given up, and when its webhook is switched off. Pure. */
import type { AfterTry } from "../../catalog/deliveries.ts";
import { attemptOutcomes } from "../../contract/webhooks.ts";
import type { AttemptOutcome } from "../../contract/webhooks.ts";
import { after, durationMs, instant, iso } from "../../stdx/time.ts";
import type { DurationMs, Instant } from "../../stdx/time.ts";

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

/** Between one try and the next, as Standard Webhooks advises: ten tries in three days and four hours. */
export const retryDelaysMs: readonly number[] = [
  5 * second,
  5 * minute,
  30 * minute,
  2 * hour,
  5 * hour,
  10 * hour,
  14 * hour,
  20 * hour,
  24 * hour,
];
/** Each wait is longer by up to this part of it, by chance: what fails at once does not come back at once. */
const jitter = 0.2;
/** A receiver that says when to come back is heeded up to here. */
const retryAfterMostMs = 24 * hour;
/** Where no try went well for so long, the webhook is switched off: a little less than one delivery's ten tries take. */
export const failsAtMostMs = durationMs(72 * hour);
/** After one failure the next delivery waits so long, after each more in a row twice that, up to the second: who is down is not run down. */
const pauseMs = 5 * second;
const pauseMostMs = 5 * minute;

export interface Try {
  readonly outcome: AttemptOutcome;
  readonly status: number | null;
  /** What there is to say beside the outcome's own sentence; empty: nothing. */
  readonly detail: string;
  readonly retryAfterMs: number | null;
}

export interface Tried {
  /** Of this delivery, before this one. */
  readonly tries: number;
  /** Since when all tries of the webhook failed; null where the last one went well. */
  readonly failingSince: Instant | null;
  readonly now: Instant;
  /** In `[0, 1)`. */
  readonly chance: number;
}

export interface Follows {
  readonly delivery: AfterTry;
  readonly failingSince: Instant | null;
  /** Why the webhook is switched off; null: it is not. */
  readonly off: string | null;
}

export function followsFrom(one: Try, { tries, failingSince, now, chance }: Tried): Follows {
  const says = trySays(one);
  if (one.outcome === "delivered")
    return { delivery: { state: "delivered", dueAt: null, endedAt: now, says }, failingSince: null, off: null };
  const since = failingSince ?? now;
  const failed = (why: string): AfterTry => ({ state: "failed", dueAt: null, endedAt: now, says: why });
  if (one.outcome === "gone") return { delivery: failed(says), failingSince: since, off: says };
  const delayMs = retryDelaysMs[tries];
  const delivery: AfterTry =
    delayMs === undefined
      ? failed(`given up after ${tries + 1} tries: ${says}`)
      : { state: "waiting", dueAt: after(now, waitOf(delayMs, one, chance)), endedAt: null, says };
  const isOff = now - since >= failsAtMostMs;
  return {
    delivery,
    failingSince: since,
    off: isOff ? `no try since ${iso(since)} went well; the last: ${says}` : null,
  };
}

/** How long the webhook's other deliveries wait after so many failures in a row. */
export function pauseAfter(failures: number): DurationMs {
  return durationMs(failures === 0 ? 0 : Math.min(pauseMostMs, pauseMs * 2 ** (failures - 1)));
}

/** In seconds, or as a date (RFC 9110, 10.2.3); null where it is neither. */
export function retryAfterMs(header: string | undefined, now: Instant): number | null {
  if (header === undefined) return null;
  const text = header.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * second;
  const at = /^[A-Z][a-z]{2}, /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? null : Math.max(0, instant(at) - now);
}

function waitOf(delayMs: number, one: Try, chance: number): DurationMs {
  const asked = Math.min(one.retryAfterMs ?? 0, retryAfterMostMs);
  return durationMs(Math.max(delayMs * (1 + jitter * chance), asked));
}

function trySays({ outcome, status, detail }: Try): string {
  const what = status === null ? attemptOutcomes[outcome] : `it was answered by ${status}`;
  const more = outcome === "redirected" ? "; redirects are not followed" : "";
  return detail === "" ? `${what}${more}` : `${what}${more} (${detail})`;
}
