/** What is out of use, why and how long. */
import type { Instant } from "../stdx/time.ts";
import type { AccountId, NodeName, PoolName } from "./model.ts";

/** What an operator may take out of use. */
export type DrainScope =
  | { readonly kind: "pool"; readonly pool: PoolName }
  | { readonly kind: "node"; readonly node: NodeName }
  /** `device`: index of the card on its node. */
  | { readonly kind: "card"; readonly node: NodeName; readonly device: number };

export interface Drain {
  readonly reason: string;
  readonly by: AccountId;
  readonly since: Instant;
  /** What runs there goes on in `[since, endAt)`; null: to its own end. */
  readonly endAt: Instant | null;
  /** The time is over: what still runs there is ended. */
  readonly isDue: boolean;
}

/** A drain, and what of. */
export interface Drained {
  readonly of: DrainScope;
  readonly drain: Drain;
}
