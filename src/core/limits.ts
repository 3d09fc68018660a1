/** All that limits a call of an account on a Space in a pool: a view, at the state's index. */
import type { DurationMs, Instant } from "../stdx/time.ts";
import type { CallTerms, PoolName } from "./model.ts";
import { cappedBy, settingsOf } from "./state.ts";
import type { State } from "./state.ts";
import { budgetOf, quotaIn } from "./views.ts";
import type { BudgetSummary, Quota } from "./views.ts";

export interface CallLimits {
  /** Of the call's own account. */
  readonly quota: Quota;
  /** The longest duration that may be declared: the tier's bound or the pool's, whichever is shorter. */
  readonly durationMaxMs: DurationMs;
  /** Calls of the Space that are open, and how many may be at once; null: no limit. */
  readonly spaceCalls: number;
  readonly spaceCallsMax: number | null;
  /** What the Space's owner pays for its visitors; null where it pays for none, or the call would be its own. */
  readonly budget: BudgetSummary | null;
  /** What the visitor's token has admitted, and may; null where none came. */
  readonly token: TokenLimits | null;
}

export interface TokenLimits {
  readonly calls: number;
  readonly callsMax: number;
  readonly usedMs: number;
  readonly limitMs: number;
}

type About = Pick<CallTerms, "account" | "tier" | "space" | "request" | "root">;

export function limitsOf(state: State, pool: PoolName, about: About, now: Instant): CallLimits {
  const { durationMaxMs: poolMaxMs, spaceCallsMax = null, tokenMaxCalls, tokenMaxGpuMs } = settingsOf(state, pool);
  const quota = quotaIn(state, about.account, about.tier, now);
  const budget = budgetOf(state, about.space, now);
  const isSponsored = budget.limitMs !== null && budget.sponsor !== about.account;
  const request = cappedBy(about);
  const { calls = 0, gpuMs: usedMs = 0 } = (request === null ? undefined : state.tokens.get(request)) ?? {};
  return {
    quota,
    durationMaxMs: quota.durationMaxMs !== null && quota.durationMaxMs < poolMaxMs ? quota.durationMaxMs : poolMaxMs,
    spaceCalls: state.openBySpace.get(about.space) ?? 0,
    spaceCallsMax,
    budget: isSponsored ? budget : null,
    token: request === null ? null : { calls, callsMax: tokenMaxCalls, usedMs, limitMs: tokenMaxGpuMs },
  };
}
