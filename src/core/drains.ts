/**
 * What an operator takes out of use: a card, a node or a pool. It is granted no more, what runs there finishes, or is ended for
 * nothing when the drain's time is over; idle workers are ended at once. It holds until it is lifted, whatever restarts.
 */
import { after } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";
import type { Bay } from "./bays.ts";
import type { Drain, Drained, DrainScope } from "./drained.ts";
import type { AttachedCall, CardTrouble, Command, Decision, Event, GrantedCall, Size, SlotId } from "./model.ts";
import { leasedOn } from "./deadlines.ts";
import { cardsAt, decided, nodeCardsAt, planOn, push, troubleAt, wellCardsAt } from "./plan.ts";
import type { Plan } from "./plan.ts";
import { settingMaxMs } from "./policy.ts";
import { clear, grantOn } from "./queue.ts";
import { canHold, drainKey, drainOf, dueDrainOf, troubleOf, wellCards } from "./slots.ts";
import type { NodeState, State } from "./state.ts";

type Of<Type extends Command["type"]> = Extract<Command, { type: Type }>;

export function setDrain(state: State, { of, drain: wished }: Of<"set-drain">, now: Instant): Decision {
  const nodes = nodesIn(state, of);
  if (of.kind === "pool" ? !state.pools.has(of.pool) : nodes.length === 0)
    return { ok: false, why: of.kind === "pool" ? "unknown-pool" : "unknown-node" };
  if (of.kind === "card" && !nodes[0]?.devices.some(({ index }) => index === of.device))
    return { ok: false, why: "unknown-card" };
  const endInMs = wished?.endInMs ?? null;
  if (endInMs !== null && !(Number.isSafeInteger(endInMs) && endInMs >= 0 && endInMs <= settingMaxMs))
    return { ok: false, why: "amount-overflow" };
  const before = state.drains.get(drainKey(of))?.drain;
  const plan = planOn(state, now);
  if (wished === null && before === undefined) return decided(plan);
  const endAt = endInMs === null ? null : after(now, endInMs);
  const drain: Drain | null = wished && {
    reason: wished.reason,
    by: wished.by,
    since: before?.since ?? now,
    endAt,
    isDue: false,
  };
  if (drain && before && isSame(drain, before)) return decided(plan);
  push(plan, { v: 1, type: "drain-set", of, drain });
  for (const node of nodes) {
    if (drain) clearIdle(plan, node);
    if (node.stage === "up") grantOn(plan, node);
  }
  return decided(plan);
}

/** Drains whose time is over: what still runs there is ended. */
export function passDrains(plan: Plan): void {
  for (const { of, drain } of plan.state.drains.values())
    if (drain.endAt !== null && !drain.isDue && plan.now >= drain.endAt) push(plan, { v: 1, type: "drain-due", of });
}

/** The drain that keeps the size from the bay's cards that are well; undefined where one of those is in use. */
export function drainFor(plan: Plan, bay: Bay, size: Size): Drained | undefined {
  const well = wellCards({ trouble: troubleAt(plan, bay.node) }, cardsAt(plan, bay));
  if (!canHold(well, size) || canHold(wellCardsAt(plan, bay), size)) return undefined;
  return well.map((card) => drainOf(plan.drains, card)).find((found) => found !== undefined);
}

/** What keeps the size from the bay's cards, in use or not: they are in trouble; undefined where one that could hold it is well. */
export function troubleFor(plan: Plan, bay: Bay, size: Size): CardTrouble | undefined {
  const trouble = troubleAt(plan, bay.node);
  const cards = cardsAt(plan, bay);
  if (canHold(wellCards({ trouble }, cards), size)) return undefined;
  return cards.map((card) => troubleOf(trouble, card)).find((found) => found !== undefined);
}

/** Calls of the node that are to be ended now: their card has a fault of its own, or their drain's time is over. */
export function doomedOn(state: State, node: NodeState): (GrantedCall | AttachedCall)[] {
  return leasedOn(state, node).filter(({ lease }) => {
    const card = node.cards.find(({ slots }) => slots.includes(lease.slots[0] as SlotId));
    if (card === undefined) return false;
    return troubleOf(node.trouble, card)?.cause === "device-fault" || dueDrainOf(state.drains, card) !== undefined;
  });
}

/** The nodes that a record may have given calls to end. */
export function nodesWithDoomed(state: State, events: readonly Event[]): readonly NodeState[] {
  const named = events.flatMap((event) => {
    if (event.type === "cards-changed" || event.type === "card-pool-set")
      return nodesIn(state, { kind: "node", node: event.node });
    return event.type === "drain-due" ? nodesIn(state, event.of) : [];
  });
  return [...new Set(named)];
}

function nodesIn(state: State, of: DrainScope): NodeState[] {
  if (of.kind !== "pool") return [...state.nodes.values()].filter(({ name }) => name === of.node);
  return [...state.nodes.values()].filter(({ cards }) => cards.some(({ pool }) => pool === of.pool));
}

/** A worker that idles on a card keeps the driver in use. */
export function clearIdle(plan: Plan, node: NodeState): void {
  for (const card of nodeCardsAt(plan, node)) if (drainOf(plan.drains, card)) clear(plan, card.slots);
}

function isSame(a: Drain, b: Drain): boolean {
  return a.reason === b.reason && a.by === b.by && a.endAt === b.endAt;
}
