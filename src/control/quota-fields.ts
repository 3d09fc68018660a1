/** An account's quota as named policies, for the fields of HTTP and for the Hub's form of it. */
import type { Quota } from "../core/views.ts";
import { serializeRateLimit, serializeRateLimitPolicy } from "../http/index.ts";
import type { RateLimit } from "../http/index.ts";
import { iso } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";

/** Answer of `GET /api/spaces/zero-gpu/quota`; GPU seconds, rounded down, so that none is promised that is not there. */
interface HubQuota {
  /** What a window has in all. Of a tier without a limit: the largest amount that the ledger keeps. */
  readonly base: number;
  /** What is left of it. */
  readonly current: number;
  /** Set aside for calls that are open: neither used nor left. Not the Hub's. */
  readonly held: number;
  /** Absent while no window runs. */
  readonly resetsAt?: string;
  /** Absent where the tier does not limit runs. */
  readonly runs?: {
    readonly used: number;
    readonly limit: number;
    readonly remaining: number;
    readonly resetsAt?: string;
  };
}

const secondsIn = (ms: number): number => Math.floor(ms / 1000);
const secondsUntil = (from: Instant, to: Instant): number => Math.max(0, Math.ceil((to - from) / 1000));
/** In seconds, since a structured field holds no more than 15 digits. */
const largest = secondsIn(Number.MAX_SAFE_INTEGER);

/** The limits that the account's tier has, each under its policy's name; none for one without limits. */
function limitsOf(quota: Quota, now: Instant): RateLimit[] {
  const { limitMs, leftMs, runs, runsMax, calls, callsMax, windowMs, resetsAt } = quota;
  const window = {
    windowSeconds: Math.max(1, secondsIn(windowMs)),
    resetSeconds: resetsAt === null ? null : secondsUntil(now, resetsAt),
  };
  const limits: RateLimit[] = [];
  if (limitMs !== null) {
    const [quotaSeconds, remaining] = [secondsIn(limitMs), secondsIn(leftMs ?? 0)];
    limits.push({ name: "window", unit: "gpu-seconds", quota: quotaSeconds, remaining, ...window });
  }
  if (runsMax !== null) {
    limits.push({ name: "runs", unit: "requests", quota: runsMax, remaining: Math.max(0, runsMax - runs), ...window });
  }
  if (callsMax !== null) {
    const remaining = Math.max(0, callsMax - calls);
    const always = { windowSeconds: null, resetSeconds: null };
    limits.push({ name: "calls", unit: "concurrent-requests", quota: callsMax, remaining, ...always });
  }
  return limits;
}

/** `RateLimit-Policy` and `RateLimit` of the account; empty where nothing limits it. */
export function rateLimitFields(quota: Quota, now: Instant): Record<string, string> {
  const limits = limitsOf(quota, now);
  if (limits.length === 0) return {};
  return { "ratelimit-policy": serializeRateLimitPolicy(limits), ratelimit: serializeRateLimit(limits) };
}

export function hubQuota({ limitMs, leftMs, heldMs, runs, runsMax, resetsAt }: Quota): HubQuota {
  const until = resetsAt === null ? {} : { resetsAt: iso(resetsAt) };
  return {
    base: limitMs === null ? largest : secondsIn(limitMs),
    current: leftMs === null ? largest : secondsIn(leftMs),
    held: Math.ceil(heldMs / 1000),
    ...until,
    ...(runsMax !== null && {
      runs: { used: runs, limit: runsMax, remaining: Math.max(0, runsMax - runs), ...until },
    }),
  };
}
