/**
 * A node's cards of one pool, with the calls that wait for them and those that run by that pool. A GPU is used on its own node and
 * a call is served by one pool, so calls of two bays never compete.
 */
import type { CallId, NodeName, PoolName } from "./model.ts";
import { Leases } from "./leases.ts";
import { Line } from "./line.ts";
import { canHold } from "./slots.ts";
import type { Card } from "./slots.ts";
import type { NodeState } from "./state.ts";

export interface Bay {
  /** Names it among all: {@link bayKey}. */
  readonly key: string;
  readonly node: NodeState;
  readonly pool: PoolName;
  /** The calls that wait here. Derived from the calls. */
  readonly queue: Line;
  /** Derived from the calls; a card may have left the pool while a call has it. */
  readonly leases: Leases;
  /** Its grants since one was to the call that waited longest. */
  sinceOldest: number;
  /** Derived from the node's. */
  cards: readonly Card[];
}

export const bayKey = (pool: PoolName, node: NodeName): string => `${pool} ${node}`;

/** The node's bay of this pool; an empty one where it has none. */
export function bayOf(node: NodeState, pool: PoolName): Bay {
  const known = node.bays.get(pool);
  if (known) return known;
  return {
    key: bayKey(pool, node.name),
    node,
    pool,
    queue: new Line(),
    leases: new Leases(),
    sinceOldest: 0,
    cards: [],
  };
}

/** The same, and it is there from now on. */
export function keptBay(node: NodeState, pool: PoolName): Bay {
  const known = node.bays.get(pool);
  if (known) return known;
  const bay = bayOf(node, pool);
  const bays = [...node.bays.values(), bay].sort((a, b) => (a.pool < b.pool ? -1 : 1));
  node.bays.clear();
  for (const each of bays) node.bays.set(each.pool, each);
  return bay;
}

/** Divides the node's cards anew. */
export function fillBays(node: NodeState): void {
  for (const { pool } of node.cards) keptBay(node, pool);
  for (const bay of node.bays.values()) bay.cards = node.cards.filter(({ pool }) => pool === bay.pool);
}

/** The bay's waiting calls that none of these cards could ever hold, first come first; undefined where there are none. */
export function lostIn({ queue }: Bay, cards: readonly Card[]): Iterable<CallId> | undefined {
  if (queue.length === 0) return undefined;
  if (!canHold(cards, "large")) return queue;
  const whole = queue.ofSize("xlarge");
  return whole.size === 0 || canHold(cards, "xlarge") ? undefined : whole;
}

/** How many calls wait on the node, in all of its pools. */
export function waitingOn({ bays }: NodeState): number {
  let count = 0;
  for (const { queue } of bays.values()) count += queue.length;
  return count;
}
