/** What accounts have spent of a pool, as the ledger keeps it (share.ts has the arithmetic). */
import { assert } from "../stdx/assert.ts";
import type { Instant } from "../stdx/time.ts";
import type { GpuMs } from "./amounts.ts";
import { shareKey } from "./line.ts";
import type { ShareKey } from "./line.ts";
import type { Admitted, CallTerms, PoolName, QueuedCall, TierName } from "./model.ts";
import type { Moved } from "./routes.ts";
import { poolDefaults, tierDefaults } from "./policy.ts";
import { movedOn, moveTime, poolOfCall } from "./routing.ts";
import { minus, newClock, nothingSpent, plus, spend, spentAt, ticksAt } from "./share.ts";
import type { Spent } from "./share.ts";
import { settingsOf, tierOf } from "./state.ts";
import type { State } from "./state.ts";

export function shareKeyOf(call: Pick<Admitted, "terms" | "routed">): ShareKey {
  return shareKey(poolOfCall(call), call.terms.account);
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
export function costIn(
  state: State,
  { pool, tier }: Pick<CallTerms, "pool" | "tier">,
  used: GpuMs,
  at: Instant,
): Spent {
  return spend(used, weightOf(state, tier), ticksIn(state, pool, at));
}

/** A waiting call in the pool to which it moves: what it will count there is written down by that pool's clock. */
export function movedCall(
  state: State,
  call: QueuedCall,
  { from, to, why }: Pick<Moved, "from" | "to" | "why">,
  at: Instant,
): QueuedCall {
  assert(call.routed && poolOfCall(call) === from, "L49: a call moves on from the pool in which it waits");
  const { moveAt: _over, ...rest } = call;
  const routed = movedOn(call.routed, { from, to, why, at });
  const entry = costIn(state, { pool: to, tier: call.terms.tier }, call.heldMs, at);
  const moveAt = moveTime(routed, at);
  return { ...rest, routed, entry, ...(moveAt !== undefined && { moveAt }) };
}

/** What is left at `at` of what the account has spent of the pool, in GPU milliseconds by its weight. */
export function spentLeft(state: State, { pool, account }: Pick<CallTerms, "pool" | "account">, at: Instant): number {
  return spentAt(spentBy(state, shareKey(pool, account)), ticksIn(state, pool, at));
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
  call: Pick<Admitted, "terms" | "entry" | "routed">,
  charged: GpuMs,
  at: Instant,
): Spent {
  const { terms, entry = nothingSpent } = call;
  return plus(minus(spent, entry), costIn(state, { pool: poolOfCall(call), tier: terms.tier }, charged, at));
}
