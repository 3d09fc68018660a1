/**
 * A decision in the making: the events so far, and what the state would look like after them where that matters to the
 * next ones (slots, cards, who has left the queue). The state itself is only read.
 */
import { assert } from "../stdx/assert.ts";
import type { Instant } from "../stdx/time.ts";
import type { Admitted, CallId, CardTrouble, Decision, Event, NodeName, QueuedCall, Slot, SlotId } from "./model.ts";
import { slotAfter, slotId, wellCards } from "./slots.ts";
import type { Card, SlotAt } from "./slots.ts";
import { nodeOf } from "./state.ts";
import type { NodeState, State } from "./state.ts";

/** What a waiting call needs to be granted or estimated; the arriving one has no place in the state yet. */
export type Waiting = Pick<Admitted, "terms" | "leaseMs">;

export interface Plan {
  readonly state: State;
  readonly now: Instant;
  readonly events: Event[];
  readonly slotAt: SlotAt;
  readonly slots: Map<SlotId, Slot>;
  readonly cards: Map<NodeName, readonly Card[]>;
  readonly trouble: Map<NodeName, readonly CardTrouble[]>;
  /** Calls that these events took out of their stage: a queue's entry of such a call no longer counts. */
  readonly gone: Set<CallId>;
  readonly grants: Map<NodeName, number>;
  /** The call that is being scheduled, last in its node's queue. */
  arriving: Waiting | undefined;
}

export function planOn(state: State, now: Instant): Plan {
  const slots = new Map<SlotId, Slot>();
  return {
    state,
    now,
    events: [],
    slots,
    slotAt: (id) => {
      const slot = slots.get(id) ?? state.slots.get(id);
      assert(slot, `a card's slot is known: ${id}`);
      return slot;
    },
    cards: new Map(),
    trouble: new Map(),
    gone: new Set(),
    grants: new Map(),
    arriving: undefined,
  };
}

export function decided(plan: Plan): Decision {
  return { ok: true, events: plan.events };
}

/** Adds an event, and what it changes for the rest of this decision. */
export function push(plan: Plan, event: Event): void {
  plan.events.push(event);
  switch (event.type) {
    case "slot-free":
    case "slot-warm":
    case "slot-clearing":
      plan.slots.set(event.slot, slotAfter(event, plan.slotAt(event.slot), plan.now));
      break;
    case "call-granted":
      plan.gone.add(event.call);
      for (const slot of event.lease.slots) plan.slots.set(slot, slotAfter(event, plan.slotAt(slot), plan.now));
      break;
    case "call-voided":
    case "call-settled":
      plan.gone.add(event.call);
      break;
    case "cards-changed":
      plan.trouble.set(event.node, event.trouble);
      break;
    default:
  }
}

/** The node's cards, as they are after the events so far. */
export function cardsAt(plan: Plan, node: NodeState): readonly Card[] {
  return plan.cards.get(node.name) ?? node.cards;
}

/** What is wrong with the node's cards after the events so far. */
export function troubleAt(plan: Plan, node: NodeState): readonly CardTrouble[] {
  return plan.trouble.get(node.name) ?? node.trouble;
}

/** The cards that may be granted. */
export function wellCardsAt(plan: Plan, node: NodeState): readonly Card[] {
  return wellCards({ trouble: troubleAt(plan, node) }, cardsAt(plan, node));
}

/** Tells the plan of a joining node's cards; their new slots are free and were never leased. */
export function withCards(plan: Plan, node: NodeName, cards: readonly Card[]): void {
  plan.cards.set(node, cards);
  for (const card of cards) {
    card.slots.forEach((_, n) => {
      const id = slotId(node, card.device.index, n);
      if (!plan.state.slots.has(id)) plan.slots.set(id, { stage: "free", fence: 0, since: plan.now });
    });
  }
}

/** The node's waiting calls after the events so far, first come first, at most `max`. */
export function waitingOn(plan: Plan, node: NodeState, max: number): Waiting[] {
  const waiting: Waiting[] = [];
  for (const id of node.queue) {
    if (waiting.length >= max) return waiting;
    if (!plan.gone.has(id)) waiting.push(queuedCall(plan.state, id));
  }
  const { arriving } = plan;
  if (arriving && waiting.length < max && isGoingTo(plan, arriving, node)) waiting.push(arriving);
  return waiting;
}

/** How many of the node's calls wait after the events so far. */
export function countWaiting(plan: Plan, node: NodeState): number {
  let count = node.queue.length;
  if (plan.gone.size > 0) for (const id of node.queue) if (plan.gone.has(id)) count--;
  return plan.arriving && isGoingTo(plan, plan.arriving, node) ? count + 1 : count;
}

/** The grant channel's next number for this node. */
export function nextGrant(plan: Plan, node: NodeName): number {
  const number = (plan.grants.get(node) ?? nodeOf(plan.state, node).grants) + 1;
  plan.grants.set(node, number);
  return number;
}

function isGoingTo(plan: Plan, { terms }: Waiting, node: NodeState): boolean {
  return terms.node === node.name && !plan.gone.has(terms.call);
}

function queuedCall(state: State, id: CallId): QueuedCall {
  const call = state.calls.get(id);
  assert(call?.stage === "queued", "L5: only a queued call is in a queue");
  return call;
}
