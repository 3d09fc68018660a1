/**
 * Nodes come, are heard, and go; replicas go. What that does to their calls and slots.
 *
 *   L22. A lost node's slots stay with their old workers until it is back and says who still lives there.
 *   L32. Neither costs anybody anything.
 */
import { assert } from "../stdx/assert.ts";
import type {
  AttachedCall,
  CardTrouble,
  Command,
  DeviceSpec,
  GrantedCall,
  Decision,
  OpenCall,
  ReplicaId,
  SlotId,
} from "./model.ts";
import { ordered } from "./canonical.ts";
import { isHeard, leasedOn, queuedOn } from "./deadlines.ts";
import { decided, planOn, push, withCards } from "./plan.ts";
import type { Plan } from "./plan.ts";
import { hearEveryMs, poolDefaults, poolsMax } from "./policy.ts";
import { leaveLostPools, settleLines } from "./moves.ts";
import { grantOn } from "./queue.ts";
import { abandon } from "./settlement.ts";
import { cardsOf } from "./slots.ts";
import type { Card } from "./slots.ts";
import type { NodeState, State } from "./state.ts";
import type { Instant } from "../stdx/time.ts";

type Of<Type extends Command["type"]> = Extract<Command, { type: Type }>;

/** Slots of one card at most; cards are cut in halves or quarters, not in crumbs. */
const cardSlotsMax = 64;

export function joinNode(state: State, { node, pool, devices, replicas }: Of<"join-node">, now: Instant): Decision {
  assert(areCards(devices), "a node's cards have indexes of their own and 1 to 64 slots each");
  const plan = planOn(state, now);
  const before = state.nodes.get(node);
  if (!state.pools.has(pool)) {
    if (state.pools.size >= poolsMax) return { ok: false, why: "too-many" };
    push(plan, { v: 1, type: "pool-set", pool, settings: poolDefaults });
  }
  push(plan, { v: 1, type: "node-joined", node, pool, devices });
  const cards = cardsOf({ name: node, pool }, devices, before?.cardPools ?? []);
  withCards(plan, node, cards);
  if (before) {
    takeStock(plan, before, cards, new Set(replicas));
    settleLines(plan, before);
    // A connection that breaks every few seconds for a year is worth no more records than one that holds.
    if (plan.events.length === 1 && isAsBefore(state, before, { pool, devices }))
      return hearNode(state, { type: "hear-node", node }, now);
  }
  return decided(plan);
}

/** It never was away for this epoch, has the same cards, and holds no lease whose report a hello would give time to (L17). */
function isAsBefore(
  state: State,
  node: NodeState,
  { pool, devices }: Pick<Of<"join-node">, "pool" | "devices">,
): boolean {
  if (node.stage === "lost" || !isHeard(state, node) || leasedOn(state, node).length > 0) return false;
  return node.pool === pool && JSON.stringify(ordered(node.devices)) === JSON.stringify(ordered(devices));
}

/** Whether a node's cards have indexes of their own and 1 to {@link cardSlotsMax} slots each. */
export function areCards(devices: readonly DeviceSpec[]): boolean {
  return devices.every(isCard) && new Set(devices.map(({ index }) => index)).size === devices.length;
}

export function hearNode(state: State, { node: name }: Of<"hear-node">, now: Instant): Decision {
  const node = state.nodes.get(name);
  // A node that was given up has to say hello again, so that its slots and replicas are known.
  if (node === undefined || node.stage === "lost") return { ok: false, why: "unknown-node" };
  const plan = planOn(state, now);
  const isRecent = isHeard(state, node) && now < node.heardAt + hearEveryMs;
  if (!isRecent) push(plan, { v: 1, type: "node-heard", node: name });
  return decided(plan);
}

/** What a node says of its cards holds until it says otherwise; cards that are well again are granted at once. */
export function reportCards(state: State, { node: name, trouble }: Of<"report-cards">, now: Instant): Decision {
  const node = state.nodes.get(name);
  if (node === undefined || node.stage === "lost") return { ok: false, why: "unknown-node" };
  const plan = planOn(state, now);
  const told = trouble.toSorted((a, b) => a.device - b.device);
  if (isSameTrouble(told, node.trouble)) return decided(plan);
  push(plan, { v: 1, type: "cards-changed", node: name, trouble: told });
  grantOn(plan, node);
  return decided(plan);
}

export function loseReplica(state: State, { replica, cause }: Of<"lose-replica">, now: Instant): Decision {
  const plan = planOn(state, now);
  for (const node of state.nodes.values()) {
    const count = plan.events.length;
    for (const call of openCallsOn(state, node)) {
      // The replica's processes are gone: whoever sends this has made sure of it.
      if (call.terms.replica === replica) abandon(plan, call, cause, node.stage === "lost" ? "clearing" : "free");
    }
    freeSlotsOf(plan, node.cards, (owner) => owner === replica);
    if (plan.events.length > count && node.stage === "up") grantOn(plan, node);
  }
  return decided(plan);
}

/** The node was not heard for its time to live: its calls end and cost nothing. */
export function loseNode(plan: Plan, node: NodeState): void {
  push(plan, { v: 1, type: "node-lost", node: node.name });
  for (const call of openCallsOn(plan.state, node)) abandon(plan, call, "node-lost", "clearing");
}

/** Calls of this node that hold a slot or wait for one. */
export function openCallsOn(state: State, node: NodeState): OpenCall[] {
  return [...leasedOn(state, node), ...queuedOn(state, node)];
}

/** Compares what the ledger believes of a node with what it says is there. */
function takeStock(plan: Plan, node: NodeState, cards: readonly Card[], alive: ReadonlySet<ReplicaId>): void {
  const present = new Set<SlotId>(cards.flatMap((card) => card.slots));
  for (const call of leasedOn(plan.state, node)) {
    if (!alive.has(call.terms.replica)) abandon(plan, call, "shim-lost", "free");
    else if (!hasSlots(call, present)) abandon(plan, call, "node-lost", "clearing");
  }
  for (const call of queuedOn(plan.state, node)) {
    if (!alive.has(call.terms.replica)) abandon(plan, call, "shim-lost", "free");
  }
  leaveLostPools(plan, node);
  freeSlotsOf(plan, cards, (owner) => !alive.has(owner));
}

function hasSlots(call: GrantedCall | AttachedCall, present: ReadonlySet<SlotId>): boolean {
  return call.lease.slots.every((slot) => present.has(slot));
}

function freeSlotsOf(plan: Plan, cards: readonly Card[], isGone: (replica: ReplicaId) => boolean): void {
  for (const { slots } of cards) {
    for (const id of slots) {
      const slot = plan.slotAt(id);
      if ((slot.stage === "warm" || slot.stage === "clearing") && isGone(slot.replica)) {
        push(plan, { v: 1, type: "slot-free", slot: id });
      }
    }
  }
}

function isSameTrouble(a: readonly CardTrouble[], b: readonly CardTrouble[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ device, cause, says }, at) => {
      const other = b[at] as CardTrouble;
      return device === other.device && cause === other.cause && says === other.says;
    })
  );
}

function isCard({ index, slots }: DeviceSpec): boolean {
  return (
    Number.isSafeInteger(index) && index >= 0 && Number.isSafeInteger(slots) && slots >= 1 && slots <= cardSlotsMax
  );
}
