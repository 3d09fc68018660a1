/**
 * A decision in the making: the events so far, and what the state would look like after them where that matters to the
 * next ones (slots, cards, who has left the queue). The state itself is only read.
 */
import { assert } from "../stdx/assert.ts";
import type { Instant } from "../stdx/time.ts";
import { gpuMs } from "./amounts.ts";
import type { GpuMs } from "./amounts.ts";
import type { ShareKey } from "./line.ts";
import type { Admitted, CallId, CardTrouble, Decision, Event, NodeName, Slot, SlotId, TurnRule } from "./model.ts";
import type { Spent } from "./share.ts";
import { shareKeyOf, spentAfterEnd, spentAfterGrant, spentBy } from "./sharing.ts";
import { drainKey, drainOf, slotAfter, slotId, wellCards } from "./slots.ts";
import type { Card, Drains, SlotAt } from "./slots.ts";
import { nodeOf } from "./state.ts";
import type { NodeState, State } from "./state.ts";

/** What a waiting call needs to be granted or estimated; the arriving one has no place in the state yet. */
export type Waiting = Pick<Admitted, "terms" | "leaseMs" | "entry">;

export interface Plan {
  readonly state: State;
  readonly now: Instant;
  readonly events: Event[];
  readonly slotAt: SlotAt;
  readonly slots: Map<SlotId, Slot>;
  readonly cards: Map<NodeName, readonly Card[]>;
  readonly trouble: Map<NodeName, readonly CardTrouble[]>;
  /** What is drained after the events so far. */
  drains: Drains;
  /** Calls that these events took out of their stage: a queue's entry of such a call no longer counts. */
  readonly gone: Set<CallId>;
  readonly grants: Map<NodeName, number>;
  /** Accounts whose place in a queue these events changed, with what each has spent after them. */
  readonly spent: Map<ShareKey, Spent>;
  /** Grants since one was to the call that waited longest, of nodes that were granted to. */
  readonly since: Map<NodeName, number>;
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
    drains: state.drains,
    gone: new Set(),
    grants: new Map(),
    spent: new Map(),
    since: new Map(),
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
      granted(plan, event);
      for (const slot of event.lease.slots) plan.slots.set(slot, slotAfter(event, plan.slotAt(slot), plan.now));
      break;
    case "call-voided":
      ended(plan, event.call, gpuMs(0));
      break;
    case "call-settled":
      ended(plan, event.call, event.chargedMs);
      break;
    case "cards-changed":
      plan.trouble.set(event.node, event.trouble);
      break;
    case "drain-set": {
      const { of, drain } = event;
      const others = [...plan.drains].filter(([key]) => key !== drainKey(of));
      plan.drains = new Map(drain === null ? others : [...others, [drainKey(of), { of, drain }]]);
      break;
    }
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
  const well = wellCards({ trouble: troubleAt(plan, node) }, cardsAt(plan, node));
  return plan.drains.size === 0 ? well : well.filter(({ device }) => !drainOf(plan.drains, node, device.index));
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

/** The grant channel's next number for this node. */
export function nextGrant(plan: Plan, node: NodeName): number {
  const number = (plan.grants.get(node) ?? nodeOf(plan.state, node).grants) + 1;
  plan.grants.set(node, number);
  return number;
}

/** Turns since the call that waited longest had one. Filling a gap is no turn: it takes nothing from anybody. */
export function sinceAfter(since: number, turn: TurnRule | undefined, isOldest: boolean): number {
  if (isOldest) return 0;
  return turn === "gap" ? since : since + 1;
}

function granted(plan: Plan, { call: id, turn }: Extract<Event, { type: "call-granted" }>): void {
  const call = plan.arriving?.terms.call === id ? plan.arriving : plan.state.calls.get(id);
  assert(call && "leaseMs" in call, "L8: a lease is a known call's");
  const { terms, entry } = call;
  const node = nodeOf(plan.state, terms.node);
  const since = plan.since.get(node.name) ?? node.sinceOldest;
  plan.since.set(node.name, sinceAfter(since, turn, isOldest(plan, node, id)));
  const key = shareKeyOf(terms);
  plan.spent.set(key, spentAfterGrant(spentNow(plan, key), entry));
  plan.gone.add(id);
}

function ended(plan: Plan, id: CallId, charged: GpuMs): void {
  const call = plan.state.calls.get(id);
  assert(call && "leaseMs" in call, "L5: only an open call ends");
  const key = shareKeyOf(call.terms);
  const spent = spentNow(plan, key);
  plan.spent.set(key, call.stage === "queued" ? spent : spentAfterEnd(plan.state, spent, call, charged, plan.now));
  plan.gone.add(id);
}

function spentNow({ spent, state }: Plan, key: ShareKey): Spent {
  return spent.get(key) ?? spentBy(state, key);
}

/** Whether none that came before it still waits. */
function isOldest(plan: Plan, { queue }: NodeState, id: CallId): boolean {
  for (const { call } of queue.byAge()) if (call === id || !plan.gone.has(call)) return call === id;
  return true;
}
