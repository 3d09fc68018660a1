/** What accounts have spent of a pool, as the ledger keeps it (share.ts has the arithmetic). */
import type { Instant } from "../stdx/time.ts";
import type { GpuMs } from "./amounts.ts";
import { shareKey } from "./line.ts";
import type { ShareKey } from "./line.ts";
import type { Admitted, CallTerms, PoolName, TierName } from "./model.ts";
import { poolDefaults, tierDefaults } from "./policy.ts";
import { minus, newClock, nothingSpent, plus, spend, spentAt, ticksAt } from "./share.ts";
import type { Spent } from "./share.ts";
import { settingsOf, tierOf } from "./state.ts";
import type { State } from "./state.ts";

export function shareKeyOf({ pool, account }: Pick<CallTerms, "pool" | "account">): ShareKey {
  return shareKey(pool, account);
}

export function weightOf(state: State, tier: TierName): number {
  return tierOf(state, tier).weight ?? tierDefaults[tier].weight;
}

/** The pool's decay clock at `at`, in parts of a half-life. */
export function ticksIn(state: State, pool: PoolName, at: Instant): number {
  const { shareHalfLifeMs = poolDefaults.shareHalfLifeMs } = settingsOf(state, pool);
  return ticksAt(state.clocks.get(pool) ?? newClock, shareHalfLifeMs, at);
}

/** What `used` counts in the share of the call's account when it is spent at `at`. */
export function costIn(state: State, { pool, tier }: CallTerms, used: GpuMs, at: Instant): Spent {
  return spend(used, weightOf(state, tier), ticksIn(state, pool, at));
}

/** What is left at `at` of what the call's account has spent, in GPU milliseconds by its weight. */
export function spentLeft(state: State, terms: Pick<CallTerms, "pool" | "account">, at: Instant): number {
  return spentAt(spentBy(state, shareKeyOf(terms)), ticksIn(state, terms.pool, at));
}

export function spentBy(state: State, key: ShareKey): Spent {
  return state.shares.get(key)?.spent ?? nothingSpent;
}

/** The whole hold counts from the grant on … */
export function spentAfterGrant(spent: Spent, entry: Spent | undefined): Spent {
  return entry === undefined ? spent : plus(spent, entry);
}

/** … and at the end what was charged takes its place. */
export function spentAfterEnd(
  state: State,
  spent: Spent,
  { terms, entry = nothingSpent }: Pick<Admitted, "terms" | "entry">,
  charged: GpuMs,
  at: Instant,
): Spent {
  return plus(minus(spent, entry), costIn(state, terms, charged, at));
}
