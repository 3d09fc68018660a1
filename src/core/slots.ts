/**
 * Slots: the shares of a card that are leased, which of them a call may have, and what happens to them.
 *
 *   free ─► leased ─► warm ─► clearing ─► free          L18. A slot's fence only grows; one lease, one fence.
 *             │        └► leased (its own function)     L20. A leased slot has one call.
 *             └────────────► clearing, or free          L22. Only its own warm worker, or nobody's: never another's.
 */
import { assert } from "../stdx/assert.ts";
import type { Instant } from "../stdx/time.ts";
import type { Drained, DrainScope } from "./drained.ts";
import type { CallTerms, CardTrouble, DeviceSpec, Event, NodeName, PoolName, Size, Slot, SlotId } from "./model.ts";
import type { CardPool } from "./routes.ts";

export interface Card {
  readonly node: NodeName;
  readonly device: DeviceSpec;
  readonly pool: PoolName;
  readonly slots: readonly SlotId[];
}

/** The slots that a lease would cover, and the fence that it would have. */
export interface Pick {
  readonly slots: readonly SlotId[];
  readonly fence: number;
  readonly warm: boolean;
}

export type SlotAt = (slot: SlotId) => Slot;

type SlotEvent = Extract<Event, { type: "slot-clearing" | "slot-warm" | "slot-free" | "call-granted" }>;

export const slotId = (node: NodeName, device: number, n: number): SlotId => `${node}/${device}/${n}`;

export const nodeOfSlot = (slot: SlotId): NodeName => slot.slice(0, slot.lastIndexOf("/", slot.lastIndexOf("/") - 1));

interface OnNode {
  readonly name: NodeName;
  readonly pool: PoolName;
}

/** A node's cards in the order of their index, each with its slots and its pool. */
export function cardsOf(node: OnNode, devices: readonly DeviceSpec[], pools: readonly CardPool[]): Card[] {
  const home = homeOf({ pool: node.pool, cardPools: pools });
  const poolOf = ({ index }: DeviceSpec): PoolName => pools.find(({ device }) => device === index)?.pool ?? home;
  return devices
    .toSorted((a, b) => a.index - b.index)
    .map((device) => ({
      node: node.name,
      device,
      pool: poolOf(device),
      slots: Array.from({ length: device.slots }, (_, n) => slotId(node.name, device.index, n)),
    }));
}

/** The pool of a node's cards that have none of their own. */
export function homeOf({
  pool,
  cardPools,
}: {
  readonly pool: PoolName;
  readonly cardPools: readonly CardPool[];
}): PoolName {
  return cardPools.find(({ device }) => device === null)?.pool ?? pool;
}

/** Those of the cards that are in no trouble. */
export function wellCards(
  { trouble }: { readonly trouble: readonly CardTrouble[] },
  cards: readonly Card[],
): readonly Card[] {
  return trouble.length === 0 ? cards : cards.filter((card) => troubleOf(trouble, card) === undefined);
}

export function troubleOf(trouble: readonly CardTrouble[], { device }: Card): CardTrouble | undefined {
  return trouble.find((one) => one.device === device.index);
}

/** By {@link drainKey}. */
export type Drains = ReadonlyMap<string, Drained>;

export function drainKey(of: DrainScope): string {
  if (of.kind === "pool") return `pool/${of.pool}`;
  return of.kind === "node" ? `node/${of.node}` : `card/${of.node}/${of.device}`;
}

/** The drains that all cards of the node in this pool are under, the widest first. */
export function nodeDrains(drains: Drains, { name, pool }: OnNode): Drained[] {
  if (drains.size === 0) return [];
  const scopes: readonly DrainScope[] = [
    { kind: "pool", pool },
    { kind: "node", node: name },
  ];
  return scopes.flatMap((of) => drains.get(drainKey(of)) ?? []);
}

/** Those that a card is under, the widest first. */
export function drainsOn(drains: Drains, { node, pool, device }: Card): Drained[] {
  if (drains.size === 0) return [];
  const wide = nodeDrains(drains, { name: node, pool });
  const own = drains.get(drainKey({ kind: "card", node, device: device.index }));
  return own ? [...wide, own] : wide;
}

/** The widest drain that the card is under; undefined where it is under none. */
export function drainOf(drains: Drains, card: Card): Drained | undefined {
  return drainsOn(drains, card)[0];
}

/** A drain that the card is under and whose time is over, whatever wider one goes on; undefined where there is none. */
export function dueDrainOf(drains: Drains, card: Card): Drained | undefined {
  return drainsOn(drains, card).find(({ drain }) => drain.isDue);
}

/** `card 0 of node n1` */
export function drainedName(of: DrainScope): string {
  switch (of.kind) {
    case "pool":
      return `pool ${of.pool}`;
    case "node":
      return `node ${of.node}`;
    case "card":
      return `card ${of.device} of node ${of.node}`;
  }
}

/** `node n1 is drained by admin: driver`. */
export function drainSays({ of, drain }: Drained): string {
  return `${drainedName(of)} is drained by ${drain.by}: ${drain.reason}`;
}

/** Whether one of the cards can ever hold the size. With one slot a card is `large` already, and is not sold as `xlarge`. */
export function canHold(cards: readonly Card[], size: Size): boolean {
  return cards.some((card) => card.slots.length >= (size === "xlarge" ? 2 : 1));
}

/** Slots for a call, with a fence above `fencesAbove` (L18): its own warm worker's, else free ones; undefined when it has to wait. */
export function pickSlots(
  cards: readonly Card[],
  slotAt: SlotAt,
  terms: CallTerms,
  fencesAbove: number,
): Pick | undefined {
  const picked = terms.size === "xlarge" ? pickCard(cards, slotAt, terms) : pickSlot(cards, slotAt, terms);
  return picked && { ...picked, fence: Math.max(picked.fence, fencesAbove + 1) };
}

/** Whether the whole warm worker on this slot is this call's own: the same replica, task and size. */
export function isOwnWorker(card: Card, slotAt: SlotAt, slot: SlotId, terms: CallTerms): boolean {
  const state = slotAt(slot);
  if (state.stage !== "warm" || state.replica !== terms.replica || state.task !== terms.task) return false;
  const worker = workerOn(card, slotAt, slot);
  return terms.size === "xlarge" ? worker.length === card.slots.length && worker.length > 1 : worker.length === 1;
}

/** All slots of the idle or ending worker that this slot belongs to; none where the slot is free or leased. */
export function workerOn(card: Card, slotAt: SlotAt, slot: SlotId): SlotId[] {
  const { stage, fence } = slotAt(slot);
  if (stage !== "warm" && stage !== "clearing") return [];
  return card.slots.filter((other) => {
    const state = slotAt(other);
    return state.fence === fence && (state.stage === "warm" || state.stage === "clearing");
  });
}

/** What the event makes of the slot. */
export function slotAfter(event: SlotEvent, before: Slot, since: Instant): Slot {
  if (event.type === "slot-free") return { stage: "free", fence: before.fence, since };
  if (event.type === "call-granted") {
    const { fence } = event.lease;
    assert(
      before.stage === "free" || (before.stage === "warm" && event.lease.warm),
      "L20, L22: a granted slot is nobody else's",
    );
    assert(fence > before.fence, "L18: a fence only grows");
    return { stage: "leased", fence, since, call: event.call };
  }
  assert(event.fence === before.fence, "L18: only a grant changes a fence");
  return event.type === "slot-warm"
    ? { stage: "warm", fence: event.fence, since, replica: event.replica, task: event.task }
    : { stage: "clearing", fence: event.fence, since, replica: event.replica };
}

function pickSlot(cards: readonly Card[], slotAt: SlotAt, terms: CallTerms): Pick | undefined {
  let best: { card: Card; slot: SlotId; free: number } | undefined;
  for (const card of cards) {
    let free = 0;
    let first: SlotId | undefined;
    for (const slot of card.slots) {
      if (isOwnWorker(card, slotAt, slot, terms)) return pick(card, slotAt, [slot], true);
      if (slotAt(slot).stage !== "free") continue;
      free++;
      first ??= slot;
    }
    // The fullest card first, so that whole cards stay whole.
    if (first !== undefined && (best === undefined || free < best.free)) best = { card, slot: first, free };
  }
  return best && pick(best.card, slotAt, [best.slot], false);
}

function pickCard(cards: readonly Card[], slotAt: SlotAt, terms: CallTerms): Pick | undefined {
  const whole = cards.filter((card) => card.slots.length > 1);
  const own = whole.find((card) => isOwnWorker(card, slotAt, card.slots[0] as SlotId, terms));
  if (own) return pick(own, slotAt, own.slots, true);
  const free = whole.find((card) => card.slots.every((slot) => slotAt(slot).stage === "free"));
  return free && pick(free, slotAt, free.slots, false);
}

/** Fences grow by the card, so that no two leases of one card share a number. */
function pick(card: Card, slotAt: SlotAt, slots: readonly SlotId[], warm: boolean): Pick {
  let highest = 0;
  for (const slot of card.slots) highest = Math.max(highest, slotAt(slot).fence);
  return { slots, fence: highest + 1, warm };
}
