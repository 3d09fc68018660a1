/** Which pools serve whom: what is set of cards and of calls, and what it comes to for one call. */
import type { DurationMs, Instant } from "../stdx/time.ts";
import type { AccountId, CardFault, PoolName } from "./model.ts";

/** The pools by which calls are served, the wished one first. */
export interface Route {
  readonly pools: readonly PoolName[];
  /** A call that has waited so long in one pool moves on to the next; null: it stays in the pool that took it. */
  readonly moveAfterMs: DurationMs | null;
}

/** Whose rule a route is. */
export type RouteOf =
  | { readonly kind: "space"; readonly space: string }
  | { readonly kind: "account"; readonly account: AccountId };

export interface RouteRule {
  readonly of: RouteOf;
  readonly route: Route;
}

/** Why a pool of its route could not take a call. */
export type PassCode =
  | "no-capacity" // no card of its node is in the pool
  | "size-not-available"
  | "pool-draining"
  | CardFault // all its cards that could hold the call are in trouble
  | "duration-not-allowed"
  | "space-busy"
  | "queue-full";

export interface Passed {
  readonly pool: PoolName;
  readonly code: PassCode;
  /** Of a drain, or of the cards' trouble. */
  readonly says?: string;
}

/** Its time in the pool was over, or the pool lost the cards that could hold it. */
export type MoveReason = "waited" | "no-capacity";

export interface Moved {
  readonly from: PoolName;
  readonly to: PoolName;
  readonly why: MoveReason;
  readonly at: Instant;
}

/** By which rule a call has its pool; it holds as it was when the call came. */
export interface Routed extends Route {
  /** Whose: its Space's, its account's, or that of its node, all of whose cards were put into another pool. */
  readonly by: RouteOf["kind"] | "node";
  /** Where it waits, or was served. */
  readonly pool: PoolName;
  /** Pools that could not take it when it came, in the order of the route. */
  readonly passed: readonly Passed[];
  /** How it moved on, first to last. */
  readonly moves: readonly Moved[];
}

/** The pool of some of a node's cards, in the place of the node's own. */
export interface CardPool {
  /** Index of the card; null: all that have none of their own. */
  readonly device: number | null;
  readonly pool: PoolName;
}
