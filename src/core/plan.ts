/**
 * A decision in the making: the events so far, and what the state would look like after them where that matters to the
 * next ones (slots, cards, who has left the queue). The state itself is only read.
 */
import { assert } from "../stdx/assert.ts";
import type { Instant } from "../stdx/time.ts";
import { gpuMs } from "./amounts.ts";
import type { GpuMs } from "./amounts.ts";
import { bayKey, bayOf } from "./bays.ts";
import type { Bay } from "./bays.ts";
import { FewMap, FewSet } from "./few.ts";
import type { ShareKey } from "./line.ts";
import type {
  Admitted,
  CallId,
  CardTrouble,
  Decision,
  Event,
  NodeName,
  PoolName,
  Slot,
  SlotId,
  TurnRule,
} from "./model.ts";
import { poolOfCall } from "./routing.ts";
import type { Spent } from "./share.ts";
import { movedCall, shareKeyOf, spentAfterEnd, spentAfterGrant, spentBy } from "./sharing.ts";
import { drainKey, drainOf, slotAfter, slotId, wellCards } from "./slots.ts";
import type { Card, Drains, SlotAt } from "./slots.ts";
import { nodeOf } from "./state.ts";
import type { NodeState, State } from "./state.ts";

/** What a waiting call needs to be granted or estimated; one that comes has no place in its line yet. */
export type Waiting = Pick<Admitted, "terms" | "leaseMs" | "entry" | "routed">;

/** What a decision did not change, it has no map of: most change two or three of these. */
export interface Plan {
  readonly state: State;
  readonly now: Instant;
  readonly events: Event[];
  readonly slotAt: SlotAt;
  slots: FewMap<SlotId, Slot> | undefined;
  cards: FewMap<NodeName, readonly Card[]> | undefined;
  trouble: FewMap<NodeName, readonly CardTrouble[]> | undefined;
  /** What is drained after the events so far. */
  drains: Drains;
  /** Calls that these events took out of their stage: a queue's entry of such a call no longer counts. */
  gone: FewSet<CallId> | undefined;
  /** Calls that come into a line, in their order, last of those that are in it: the one that is scheduled, and those that moved. */
  coming: FewMap<CallId, Waiting> | undefined;
  /** Calls that moved: the entry in the line that they left no longer counts. */
  moved: FewSet<CallId> | undefined;
  /** How many more calls wait in a bay after these events, or fewer; by its key. */
  waiting: FewMap<string, number> | undefined;
  grants: FewMap<NodeName, number> | undefined;
  /** Accounts whose place in a queue these events changed, with what each has spent after them. */
  spent: FewMap<ShareKey, Spent> | undefined;
  /** Grants since one was to the call that waited longest, of bays that were granted to, by their keys. */
  since: FewMap<string, number> | undefined;
}

export function planOn(state: State, now: Instant): Plan {
  const plan: Plan = {
    state,
    now,
    events: [],
    slotAt: (id) => {
      const slot = plan.slots?.get(id) ?? state.slots.get(id);
      assert(slot, "a card's slot is known", id);
      return slot;
    },
    slots: undefined,
    cards: undefined,
    trouble: undefined,
    drains: state.drains,
    gone: undefined,
    coming: undefined,
    moved: undefined,
    waiting: undefined,
    grants: undefined,
    spent: undefined,
    since: undefined,
  };
  return plan;
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
      (plan.slots ??= new FewMap()).set(event.slot, slotAfter(event, plan.slotAt(event.slot), plan.now));
      break;
    case "call-granted":
      granted(plan, event);
      for (const slot of event.lease.slots)
        (plan.slots ??= new FewMap()).set(slot, slotAfter(event, plan.slotAt(slot), plan.now));
      break;
    case "call-voided":
      ended(plan, event.call, gpuMs(0));
      break;
    case "call-settled":
      ended(plan, event.call, event.chargedMs);
      break;
    case "call-moved": {
      const call = plan.state.calls.get(event.call);
      assert(call?.stage === "queued", "L49: only a waiting call moves on");
      countWaits(plan, call, -1);
      comesInto(plan, movedCall(plan.state, call, event, plan.now));
      (plan.moved ??= new FewSet()).add(event.call);
      // In the line that it leaves its account's next call is another one from here on.
      (plan.spent ??= new FewMap()).set(shareKeyOf(call), spentNow(plan, shareKeyOf(call)));
      break;
    }
    case "cards-changed":
      (plan.trouble ??= new FewMap()).set(event.node, event.trouble);
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

/** The call comes into the line of its pool on its node. */
export function comesInto(plan: Plan, call: Waiting): void {
  (plan.coming ??= new FewMap()).set(call.terms.call, call);
  countWaits(plan, call, 1);
}

/** How many of the bay's calls wait after the events so far. */
export function countWaiting({ waiting }: Plan, bay: Bay): number {
  return bay.queue.length + (waiting?.get(bay.key) ?? 0);
}

/** How many calls wait in the pool, on all nodes, after the events so far. */
export function countWaitingIn({ state, waiting }: Plan, pool: PoolName): number {
  let count = state.waitingIn.get(pool) ?? 0;
  for (const [bay, more] of waiting ?? []) if (bay.startsWith(bayKey(pool, ""))) count += more;
  return count;
}

/** The node's cards, as they are after the events so far. */
export function nodeCardsAt(plan: Plan, node: NodeState): readonly Card[] {
  return plan.cards?.get(node.name) ?? node.cards;
}

/** Those of a bay. */
export function cardsAt(plan: Plan, { node, pool, cards }: Bay): readonly Card[] {
  return plan.cards?.get(node.name)?.filter((card) => card.pool === pool) ?? cards;
}

/** The node's bays, and those into which calls or cards come by the events so far. */
export function baysAt(plan: Plan, node: NodeState): readonly Bay[] {
  if (plan.cards === undefined && plan.coming === undefined) return [...node.bays.values()];
  const pools = new Set(node.bays.keys());
  for (const { pool } of plan.cards?.get(node.name) ?? []) pools.add(pool);
  for (const call of plan.coming?.values() ?? []) if (call.terms.node === node.name) pools.add(poolOfCall(call));
  if (pools.size === node.bays.size) return [...node.bays.values()];
  return [...pools].sort().map((pool) => bayOf(node, pool));
}

/** The calls that come into the bay's line, in their order; some of them may be granted already. */
export function comingInto({ coming }: Plan, { node, pool }: Bay): Waiting[] {
  if (coming === undefined) return [];
  const into: Waiting[] = [];
  for (const call of coming.values()) if (call.terms.node === node.name && poolOfCall(call) === pool) into.push(call);
  return into;
}

/** What is wrong with the node's cards after the events so far. */
export function troubleAt(plan: Plan, node: NodeState): readonly CardTrouble[] {
  return plan.trouble?.get(node.name) ?? node.trouble;
}

/** The cards that may be granted. */
export function wellCardsAt(plan: Plan, bay: Bay): readonly Card[] {
  const well = wellCards({ trouble: troubleAt(plan, bay.node) }, cardsAt(plan, bay));
  return plan.drains.size === 0 ? well : well.filter((card) => !drainOf(plan.drains, card));
}

/** Tells the plan of a joining node's cards; their new slots are free and were never leased. */
export function withCards(plan: Plan, node: NodeName, cards: readonly Card[]): void {
  (plan.cards ??= new FewMap()).set(node, cards);
  for (const card of cards) {
    card.slots.forEach((_, n) => {
      const id = slotId(node, card.device.index, n);
      if (!plan.state.slots.has(id))
        (plan.slots ??= new FewMap()).set(id, { stage: "free", fence: 0, since: plan.now });
    });
  }
}

/** The grant channel's next number for this node. */
export function nextGrant(plan: Plan, node: NodeName): number {
  const number = (plan.grants?.get(node) ?? nodeOf(plan.state, node).grants) + 1;
  (plan.grants ??= new FewMap()).set(node, number);
  return number;
}

/** Turns since the call that waited longest had one. Filling a gap is no turn: it takes nothing from anybody. */
export function sinceAfter(since: number, turn: TurnRule | undefined, isOldest: boolean): number {
  if (isOldest) return 0;
  return turn === "gap" ? since : since + 1;
}

function granted(plan: Plan, { call: id, turn }: Extract<Event, { type: "call-granted" }>): void {
  const call = plan.coming?.get(id) ?? plan.state.calls.get(id);
  assert(call && "leaseMs" in call, "L8: a lease is a known call's");
  const bay = bayOf(nodeOf(plan.state, call.terms.node), poolOfCall(call));
  const since = plan.since?.get(bay.key) ?? bay.sinceOldest;
  (plan.since ??= new FewMap()).set(bay.key, sinceAfter(since, turn, isOldest(plan, bay, id)));
  const key = shareKeyOf(call);
  (plan.spent ??= new FewMap()).set(key, spentAfterGrant(spentNow(plan, key), call.entry));
  countWaits(plan, call, -1);
  (plan.gone ??= new FewSet()).add(id);
}

function ended(plan: Plan, id: CallId, charged: GpuMs): void {
  const call = plan.state.calls.get(id);
  assert(call && "leaseMs" in call, "L5: only an open call ends");
  const key = shareKeyOf(call);
  const spent = spentNow(plan, key);
  (plan.spent ??= new FewMap()).set(
    key,
    call.stage === "queued" ? spent : spentAfterEnd(plan.state, spent, call, charged, plan.now),
  );
  if (call.stage === "queued") countWaits(plan, call, -1);
  (plan.gone ??= new FewSet()).add(id);
}

function countWaits(plan: Plan, call: Waiting, by: 1 | -1): void {
  const { key } = bayOf(nodeOf(plan.state, call.terms.node), poolOfCall(call));
  const waiting = (plan.waiting ??= new FewMap());
  waiting.set(key, (waiting.get(key) ?? 0) + by);
}

function spentNow({ spent, state }: Plan, key: ShareKey): Spent {
  return spent?.get(key) ?? spentBy(state, key);
}

/** Whether none that came before it still waits. */
function isOldest(plan: Plan, bay: Bay, id: CallId): boolean {
  const { gone, moved } = plan;
  if (bay.queue.length === 0 && plan.coming?.size === 1) return true; // nearly always
  for (const { call } of bay.queue.byAge())
    if (!moved?.has(call) && (call === id || !gone?.has(call))) return call === id;
  for (const { terms } of comingInto(plan, bay))
    if (terms.call === id || !gone?.has(terms.call)) return terms.call === id;
  return true;
}
