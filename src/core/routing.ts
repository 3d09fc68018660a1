/**
 * By which pools a call may be served: the rule of its Space, else that of its account, else the pool of its node. The first pool
 * of the rule that can take a call when it comes has it (arrival.ts); one that waits there for too long moves on (moves.ts).
 */
import { after } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";
import type { Admitted, CallTerms, PoolName } from "./model.ts";
import type { CardPool, Moved, Routed, RouteOf } from "./routes.ts";
import { homeOf } from "./slots.ts";
import type { NodeState, State } from "./state.ts";

/** The pool by which a call waits, or is served. */
export function poolOfCall({ terms, routed }: Pick<Admitted, "terms" | "routed">): PoolName {
  return routed?.pool ?? terms.pool;
}

export function routeKey(of: RouteOf): string {
  return of.kind === "space" ? `space ${of.space}` : `account ${of.account}`;
}

/** The rule in force, as a call finds it that comes now; undefined where its terms' pool serves it by none. */
export function ruleFor(
  { routes }: Pick<State, "routes">,
  node: Pick<NodeState, "pool" | "cardPools">,
  { space, account, pool }: CallTerms,
): Pick<Routed, "by" | "pools" | "moveAfterMs"> | undefined {
  if (routes.size > 0) {
    const rule = routes.get(routeKey({ kind: "space", space })) ?? routes.get(routeKey({ kind: "account", account }));
    if (rule) return { by: rule.of.kind, ...rule.route };
  }
  const home = homeOf(node);
  return home === pool ? undefined : { by: "node", pools: [home], moveAfterMs: null };
}

/** What is set of a node's cards, with this. */
export function withCardPool(
  known: readonly CardPool[],
  device: number | null,
  pool: PoolName | null,
): readonly CardPool[] {
  const others = known.filter((each) => each.device !== device);
  if (pool === null) return others;
  return [...others, { device, pool }].sort((a, b) => (a.device ?? -1) - (b.device ?? -1));
}

/** The pools to which it may move from where it is. */
export function laterPools({ pools, pool }: Routed): readonly PoolName[] {
  return pools.slice(pools.indexOf(pool) + 1);
}

/** When a call that came into its pool at `at` moves on; undefined where it never does. */
export function moveTime(routed: Routed | undefined, at: Instant): Instant | undefined {
  if (!routed || routed.moveAfterMs === null || laterPools(routed).length === 0) return undefined;
  return after(at, routed.moveAfterMs);
}

export function movedOn(routed: Routed, move: Moved): Routed {
  return { ...routed, pool: move.to, moves: [...routed.moves, move] };
}
