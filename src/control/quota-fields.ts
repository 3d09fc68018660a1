/** What limits an account, and a call on a Space, as named policies for the fields of HTTP; and the Hub's form of a quota. */
import { maxGpuMs } from "../core/amounts.ts";
import type { CallLimits } from "../core/limits.ts";
import type { BudgetSummary, Quota } from "../core/views.ts";
import { serializeRateLimit, serializeRateLimitPolicy } from "../http/index.ts";
import type { RateLimit } from "../http/index.ts";
import { iso } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";

/** Answer of `GET /api/spaces/zero-gpu/quota`; GPU seconds, rounded down, so that none is promised that is not there. */
export interface HubQuota {
  /** What a window has in all, with the credits beside it. Of a tier without a limit: the largest amount that the ledger keeps. */
  readonly base: number;
  /** What is left of it, credits included: what a call may use. */
  readonly current: number;
  /** Set aside for calls that are open: neither used nor left. Not the Hub's. */
  readonly held: number;
  /** What of `current` is credits, which no reset takes away. Not the Hub's. */
  readonly credits: number;
  /** What was used of credits that are not over; absent where the account has none. */
  readonly overquotaUsed?: number;
  /** Null while no window runs. */
  readonly resetsAt: string | null;
  /** Absent where the tier does not limit runs. */
  readonly runs?: {
    readonly used: number;
    readonly limit: number;
    readonly remaining: number;
    readonly resetsAt: string | null;
  };
}

const secondsIn = (ms: number): number => Math.floor(ms / 1000);
const secondsUntil = (from: Instant, to: Instant): number => Math.max(0, Math.ceil((to - from) / 1000));
/** In seconds, since a structured field holds no more than 15 digits. */
const largest = secondsIn(Number.MAX_SAFE_INTEGER);

/** What has no window: it is whole whenever nothing is open. */
const always = { windowSeconds: null, resetSeconds: null };

/** Of what a window, a budget or a token has: GPU seconds, rounded down. */
function amount(
  name: string,
  limitMs: number,
  leftMs: number,
): Pick<RateLimit, "name" | "unit" | "quota" | "remaining"> {
  return { name, unit: "gpu-seconds", quota: secondsIn(limitMs), remaining: secondsIn(Math.max(0, leftMs)) };
}

function windowAt(now: Instant, { windowMs, resetsAt }: Pick<Quota, "windowMs" | "resetsAt">) {
  const resetSeconds = resetsAt === null ? null : secondsUntil(now, resetsAt);
  return { windowSeconds: Math.max(1, secondsIn(windowMs)), resetSeconds };
}

/** The limits that the account has, each under its policy's name; none for one without limits. */
export function accountLimits(quota: Quota, now: Instant): RateLimit[] {
  const { limitMs, leftMs, creditsMs, runs, runsMax, calls, callsMax, durationMaxMs } = quota;
  const window = windowAt(now, quota);
  const limits: RateLimit[] = [];
  if (limitMs !== null) limits.push({ ...amount("window", limitMs, leftMs ?? 0), ...window });
  const credits = creditsIn(quota);
  const givenMs = creditsMs + credits.usedMs + credits.heldMs;
  if (givenMs > 0) limits.push({ ...amount("credits", givenMs, creditsMs), ...always });
  if (runsMax !== null) {
    limits.push({ name: "runs", unit: "requests", quota: runsMax, remaining: Math.max(0, runsMax - runs), ...window });
  }
  if (callsMax !== null) limits.push(atOnce("calls", callsMax, calls));
  if (durationMaxMs !== null) limits.push(longest(durationMaxMs));
  return limits;
}

/** All that limits a call on a Space: the account's, its Space's, and those of a visitor's token where one came. */
export function callLimits(
  { quota, durationMaxMs, spaceCalls, spaceCallsMax, budget, token }: CallLimits,
  now: Instant,
): RateLimit[] {
  const limits = [...accountLimits({ ...quota, durationMaxMs: null }, now), longest(durationMaxMs)];
  if (spaceCallsMax !== null) limits.push(atOnce("space-calls", spaceCallsMax, spaceCalls));
  if (budget) limits.push(...budgetLimits(budget, now));
  if (token) {
    const { calls, callsMax, usedMs, limitMs } = token;
    limits.push({
      name: "token-calls",
      unit: "requests",
      quota: callsMax,
      remaining: Math.max(0, callsMax - calls),
      ...always,
    });
    // Without one of its own a token's cap is its window's rest, which is told above.
    if (limitMs < maxGpuMs) limits.push({ ...amount("token", limitMs, limitMs - usedMs), ...always });
  }
  return limits;
}

/** What a Space's owner pays for its visitors; none where each pays. */
export function budgetLimits(budget: BudgetSummary, now: Instant): RateLimit[] {
  const { limitMs, leftMs } = budget;
  return limitMs === null ? [] : [{ ...amount("budget", limitMs, leftMs ?? 0), ...windowAt(now, budget) }];
}

/** `RateLimit-Policy` and `RateLimit`; empty where nothing limits. */
export function rateLimitFields(limits: readonly RateLimit[]): Record<string, string> {
  if (limits.length === 0) return {};
  return { "ratelimit-policy": serializeRateLimitPolicy(limits), ratelimit: serializeRateLimit(limits) };
}

const atOnce = (name: string, max: number, open: number): RateLimit => ({
  ...{ name, unit: "concurrent-requests", quota: max, remaining: Math.max(0, max - open) },
  ...always,
});

/** What one call may declare: all of it is left for each. */
const longest = (maxMs: number): RateLimit => ({
  ...{ name: "duration", unit: "seconds", quota: secondsIn(maxMs), remaining: secondsIn(maxMs) },
  ...always,
});

/** Sums over the credits that are not over. */
function creditsIn({ allowances }: Quota): { readonly usedMs: number; readonly heldMs: number } {
  let [usedMs, heldMs] = [0, 0];
  for (const each of allowances) {
    if (each.kind !== "credits") continue;
    usedMs += each.usedMs;
    heldMs += each.heldMs;
  }
  return { usedMs, heldMs };
}

/** Credits count in both: so what is gone, and what is left, is what a client makes of the two. */
export function hubQuota(quota: Quota): HubQuota {
  const { limitMs, leftMs, heldMs, creditsMs, runs, runsMax, resetsAt } = quota;
  const until = { resetsAt: resetsAt === null ? null : iso(resetsAt) };
  const { usedMs: usedCreditsMs, heldMs: heldCreditsMs } = creditsIn(quota);
  return {
    base: limitMs === null ? largest : Math.min(largest, secondsIn(limitMs + creditsMs + heldCreditsMs)),
    current: leftMs === null ? largest : Math.min(largest, secondsIn(leftMs + creditsMs)),
    held: Math.ceil((heldMs + heldCreditsMs) / 1000),
    credits: secondsIn(creditsMs),
    ...(creditsMs + usedCreditsMs + heldCreditsMs > 0 && { overquotaUsed: Math.ceil(usedCreditsMs / 1000) }),
    ...until,
    ...(runsMax !== null && {
      runs: { used: runs, limit: runsMax, remaining: Math.max(0, runsMax - runs), ...until },
    }),
  };
}
