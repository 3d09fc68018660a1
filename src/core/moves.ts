/**
 * How a waiting call moves on along its route: after its time in one pool to the next that can take it, or at once where its pool
 * lost the cards that could hold it. It goes forward only, keeps its hold and its deadline, and comes last into the other line.
 *
 *   L49. A call waits in exactly one line.   L50. It never returns to a pool that it left, and moves no earlier than its rule says.
 */
import { after, durationMs } from "../stdx/time.ts";
import { refuseSize } from "./admission.ts";
import { bayOf, lostIn } from "./bays.ts";
import type { Bay } from "./bays.ts";
import { drainFor, troubleFor } from "./drains.ts";
import type { CallId, CallTerms, QueuedCall } from "./model.ts";
import type { MoveReason, Passed } from "./routes.ts";
import { baysAt, cardsAt, comingInto, countWaiting, countWaitingIn, push, wellCardsAt } from "./plan.ts";
import type { Plan } from "./plan.ts";
import { lookAgainMs, movesMax } from "./policy.ts";
import { grantOn, lastPlaceOn, placesOn } from "./queue.ts";
import { laterPools } from "./routing.ts";
import { voidCall } from "./settlement.ts";
import { drainSays, pickSlots } from "./slots.ts";
import { nodeOf, settingsOf } from "./state.ts";
import type { NodeState } from "./state.ts";

/**
 * Calls whose pool lost its cards move on, or end; those whose time in it is over move on, or stay where no later pool can take them. A
 * bounded number at once.
 */
export function moveDue(plan: Plan, node: NodeState): void {
  let count = leaveLostPools(plan, node);
  for (const { queue } of node.bays.values()) {
    for (const id of queue.dueToMove(plan.now)) {
      if (plan.gone?.has(id) || plan.moved?.has(id)) continue;
      if (++count > movesMax) return;
      moveOrStay(plan, waitingCall(plan, id));
    }
  }
}

/**
 * Calls that no card of their pool on this node could ever hold move on, or end: a bounded number at once, the others are due with the
 * next tick. Gives how many.
 */
export function leaveLostPools(plan: Plan, node: NodeState): number {
  let count = 0;
  for (const bay of node.bays.values()) {
    for (const id of lostIn(bay, cardsAt(plan, bay)) ?? []) {
      if (plan.gone?.has(id)) continue;
      if (count === movesMax) return count;
      count++;
      const call = waitingCall(plan, id);
      if (move(plan, call, "no-capacity") !== true) voidCall(plan, call, { cause: "no-capacity" });
    }
  }
  return count;
}

/** Grants what can be granted after such events, and tells those that moved and still wait of their places. */
export function settleLines(plan: Plan, node: NodeState): void {
  grantOn(plan, node);
  for (const bay of plan.moved === undefined ? [] : baysAt(plan, node)) {
    const waiting = comingInto(plan, bay).filter(({ terms }) => !plan.gone?.has(terms.call));
    const places = waiting.length === 0 ? undefined : placesOn(plan, bay);
    for (const { terms } of waiting) {
      const place = places?.get(terms.call) ?? lastPlaceOn(plan, bay, terms);
      const { deadline } = waitingCall(plan, terms.call);
      push(plan, { v: 1, type: "call-queued", call: terms.call, ...place, deadline });
    }
  }
}

function moveOrStay(plan: Plan, call: QueuedCall): void {
  const passed = move(plan, call, "waited");
  if (passed === true) return;
  const again = Math.max(lookAgainMs, call.routed?.moveAfterMs ?? 0);
  const until = after(plan.now, durationMs(again));
  push(plan, { v: 1, type: "call-stayed", call: call.terms.call, until, passed });
}

/** Moves the call to the first later pool that can take it; else says why each can't. */
function move(plan: Plan, call: QueuedCall, why: MoveReason): true | readonly Passed[] {
  const { routed, terms } = call;
  if (!routed) return [];
  const passed: Passed[] = [];
  for (const pool of laterPools(routed)) {
    const reason = whyNot(plan, bayOf(nodeOf(plan.state, terms.node), pool), call);
    if (reason !== undefined) {
      passed.push(reason);
      continue;
    }
    const between = passed.length > 0 && { passed };
    push(plan, { v: 1, type: "call-moved", call: terms.call, from: routed.pool, to: pool, why, ...between });
    return true;
  }
  return passed;
}

/** Why the pool can't take a call that waits elsewhere; undefined where it can. */
function whyNot(plan: Plan, bay: Bay, { terms }: QueuedCall): Passed | undefined {
  const { pool } = bay;
  const { durationMaxMs, spaceCallsMax = null, queueMax } = settingsOf(plan.state, pool);
  const missing = refuseSize({ pool, cards: cardsAt(plan, bay) }, terms);
  if (missing) return { pool, code: missing.code };
  const trouble = troubleFor(plan, bay, terms.size);
  if (trouble) return { pool, code: trouble.cause, says: trouble.says };
  const drain = drainFor(plan, bay, terms.size);
  if (drain) return { pool, code: "pool-draining", says: drainSays(drain) };
  if (terms.declaredMs > durationMaxMs) return { pool, code: "duration-not-allowed" };
  // It is one of its Space's open calls already.
  if (spaceCallsMax !== null && (plan.state.openBySpace.get(terms.space) ?? 0) > spaceCallsMax)
    return { pool, code: "space-busy" };
  const isFull = countWaitingIn(plan, pool) >= queueMax && !wouldStart(plan, bay, terms);
  return isFull ? { pool, code: "queue-full" } : undefined;
}

function wouldStart(plan: Plan, bay: Bay, terms: CallTerms): boolean {
  if (countWaiting(plan, bay) > 0) return false;
  return pickSlots(wellCardsAt(plan, bay), plan.slotAt, terms, plan.state.fencesAbove) !== undefined;
}

function waitingCall({ state }: Plan, id: CallId): QueuedCall {
  return state.calls.get(id) as QueuedCall;
}
