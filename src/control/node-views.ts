/** Nodes and their cards as the API shows them: what the ledger holds of them, and what their agents say. */
import type { CardView, DrainView, NodeView } from "../contract/nodes.ts";
import type { CardUse, DeviceFacts } from "../contract/agent.ts";
import type { Drained } from "../core/drained.ts";
import { waitingOn } from "../core/bays.ts";
import { drainOf, homeOf, nodeDrains, troubleOf, type Card } from "../core/slots.ts";
import type { NodeState, State } from "../core/state.ts";
import { callOutcomes } from "../evidence/call-outcomes.ts";
import { iso } from "../stdx/time.ts";

/** What a node tells of its cards, and of who uses them. */
export interface CardFacts {
  readonly devices: readonly DeviceFacts[];
  /** Undefined before its first look. */
  readonly use: CardUse | undefined;
}

/** All nodes that were ever heard of, by name. `facts`: what a node told of its cards; no devices while it is away. */
export function nodeViews(state: State, facts: (node: string) => CardFacts): NodeView[] {
  return [...state.nodes.values()].map((node) => {
    const pool = homeOf(node);
    const [drain] = nodeDrains(state.drains, { name: node.name, pool });
    return {
      name: node.name,
      pool,
      state: node.stage,
      drain: drain ? drainView(drain) : null,
      waiting: waitingOn(node),
      cards: node.cards.map((card) => cardView(state, node, card, facts(node.name))),
    };
  });
}

export function drainView({ of, drain }: Drained): DrainView {
  const { reason, by, since, endAt } = drain;
  const from = `since ${iso(since).slice(11, 16)} UTC, by ${by}: ${reason}`;
  const until = endAt === null ? "" : `; calls end at ${iso(endAt).slice(11, 16)} UTC`;
  const endsAt = endAt === null ? null : iso(endAt);
  return { of: of.kind, reason, by, since: iso(since), endsAt, says: `draining ${from}${until}` };
}

const sharedSays =
  "calls share its memory and nothing bounds the share of one: a call that takes too much can end another, and nobody can say whose fault it was (WAYBILL_CARD_SLOTS)";

function cardView(state: State, node: NodeState, card: Card, { devices, use }: CardFacts): CardView {
  const { index, uuid, name, simulated } = card.device;
  const told = devices.find((one) => one.uuid === uuid);
  const trouble = troubleOf(node.trouble, card);
  const drain = drainOf(state.drains, card);
  const stages = card.slots.map((slot) => state.slots.get(slot)?.stage);
  return {
    index,
    uuid,
    name,
    simulated,
    pool: card.pool,
    slots: stages.length,
    leased: stages.filter((stage) => stage === "leased").length,
    free: stages.filter((stage) => stage === "free").length,
    trouble: trouble ? { code: callOutcomes[trouble.cause].code ?? "", says: trouble.says } : null,
    drain: drain ? drainView(drain) : null,
    warning: simulated || stages.length === 1 ? null : `${stages.length} ${sharedSays}`,
    computeCapability: told?.computeCapability ?? null,
    driver: told?.driver ?? null,
    memoryMiB: told?.memoryMiB ?? null,
    ecc: told?.ecc ?? null,
    instanceOf: told?.instanceOf ?? null,
    unseen: simulated ? null : (use?.unseen ?? (use === undefined ? "the node has not told of them" : null)),
    strangers: (use?.strangers ?? [])
      .filter(({ cards }) => cards.includes(uuid))
      .map(({ pid, program, memoryMiB }) => ({ pid, program, memoryMiB })),
    enforcedBy: simulated ? null : uuid.startsWith("MIG-") ? "mig" : "cooperative",
  };
}
