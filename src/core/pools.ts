/** What an operator says of pools: which cards are in which, and by which pools calls of a Space or an account are served. */
import type { Instant } from "../stdx/time.ts";
import type { Command, CommandRefusal, Decision } from "./model.ts";
import type { Route } from "./routes.ts";
import { clearIdle } from "./drains.ts";
import { leaveLostPools, settleLines } from "./moves.ts";
import { decided, planOn, push, withCards } from "./plan.ts";
import { moveAfterMinMs, nodeCardsMax, routesMax, settingMaxMs } from "./policy.ts";
import { routeKey, withCardPool } from "./routing.ts";
import { cardsOf } from "./slots.ts";
import type { State } from "./state.ts";

type Of<Type extends Command["type"]> = Extract<Command, { type: Type }>;

const nothing: Decision = { ok: true, events: [] };
const no = (why: CommandRefusal): Decision => ({ ok: false, why });

/**
 * What runs on the cards finishes there, under the pool that served it, unless their new pool is drained and its time is over; who waits
 * for them moves on, or ends for nothing.
 */
export function setCardPool(state: State, { node: name, device, pool }: Of<"set-card-pool">, now: Instant): Decision {
  const node = state.nodes.get(name);
  if (node === undefined) return no("unknown-node");
  // What was set of a card that is gone can be taken back.
  const isSet = node.cardPools.some((each) => each.device === device);
  if (device !== null && !isSet && !node.devices.some(({ index }) => index === device)) return no("unknown-card");
  if (pool !== null && !state.pools.has(pool)) return no("unknown-pool");
  if (pool === null ? !isSet : node.cardPools.some((each) => each.device === device && each.pool === pool))
    return nothing;
  const cardPools = withCardPool(node.cardPools, device, pool);
  if (cardPools.length > nodeCardsMax + 1) return no("too-many");
  const plan = planOn(state, now);
  push(plan, { v: 1, type: "card-pool-set", node: name, device, pool });
  withCards(plan, name, cardsOf(node, node.devices, cardPools));
  leaveLostPools(plan, node);
  if (plan.drains.size > 0) clearIdle(plan, node);
  if (node.stage === "up") settleLines(plan, node);
  return decided(plan);
}

/** A rule holds for the calls that come from here on. */
export function setRoute(state: State, { of, route }: Of<"set-route">, now: Instant): Decision {
  const known = state.routes.get(routeKey(of))?.route;
  if (route === null && known === undefined) return nothing;
  if (route && known && isSame(route, known)) return nothing;
  if (route && !route.pools.every((pool) => state.pools.has(pool))) return no("unknown-pool");
  if (route && !isPossibleTime(route.moveAfterMs)) return no("amount-overflow");
  if (route && known === undefined && state.routes.size >= routesMax) return no("too-many");
  const plan = planOn(state, now);
  push(plan, { v: 1, type: "route-set", of, route });
  return decided(plan);
}

function isPossibleTime(ms: number | null): boolean {
  return ms === null || (Number.isSafeInteger(ms) && ms >= moveAfterMinMs && ms <= settingMaxMs);
}

function isSame(a: Route, b: Route): boolean {
  return a.moveAfterMs === b.moveAfterMs && a.pools.join(" ") === b.pools.join(" ");
}
