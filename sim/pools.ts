/** How operators divide nodes into pools, and by which pools calls are served: at any time, drawn. */
import type { Command } from "../src/core/model.ts";
import type { LedgerRecord } from "../src/core/record.ts";
import type { RouteOf } from "../src/core/routes.ts";
import { prng } from "../src/stdx/prng.ts";
import type { Prng } from "../src/stdx/prng.ts";
import { durationMs } from "../src/stdx/time.ts";
import type { Configuration } from "./configuration.ts";
import { owner } from "./gifts.ts";

/** What one seed draws of it, by a generator of its own: seeds live the same lives for all else. */
export interface Division {
  /** The pool which nodes join, and all that are beside it. */
  readonly pools: readonly string[];
  /** Cards are moved, and routes and pools changed, so often a virtual minute. */
  readonly changesPerMinute: number;
  readonly random: Prng;
}

const apart = 0x9001;

export function divide(seed: number): Division {
  const random = prng(seed + apart);
  const pools = random.pick([["main"], ["main", "fast"], ["main", "fast", "spare"]]);
  return { pools, changesPerMinute: pools.length > 1 ? random.pick([10, 30, 90]) : 0, random };
}

/** With a card more each node can be divided. */
export function withCards<T extends Pick<Configuration, "nodes">>({ pools }: Division, configuration: T): T {
  if (pools.length === 1) return configuration;
  return { ...configuration, nodes: configuration.nodes.map((node) => ({ ...node, cards: [...node.cards, 1] })) };
}

export type Change = Extract<Command, { type: "set-card-pool" | "set-route" | "set-pool" | "set-drain" }>;

export function drawChange(
  { pools, random }: Division,
  { nodes, spaces, accounts }: Pick<Configuration, "nodes" | "spaces" | "accounts">,
): Change {
  switch (random.int(10)) {
    case 0:
    case 1: {
      const { name: node, cards } = random.pick(nodes);
      // Mostly cards of their own, so that a node is divided.
      const device = random.chance(0.15) ? null : random.int(cards.length);
      return { type: "set-card-pool", node, device, pool: random.pick([null, ...pools, ...pools]) };
    }
    case 2:
      return {
        type: "set-pool",
        pool: random.pick(pools.slice(1)),
        settings: {
          queueMax: random.pick([0, 2, 1_000]),
          durationMaxMs: durationMs(random.pick([2_000, 600_000, 600_000])),
        },
      };
    case 3: {
      const drain = random.chance(0.2) ? { reason: "drawn", by: "admin", endInMs: null } : null;
      return { type: "set-drain", of: { kind: "pool", pool: random.pick(pools) }, drain };
    }
    default: {
      const of: RouteOf = random.chance(0.5)
        ? { kind: "space", space: random.pick(spaces).name }
        : { kind: "account", account: random.pick([...accounts.map(({ name }) => name), owner.account]) };
      const first = random.int(pools.length);
      const through = [...pools.slice(first), ...pools.slice(0, first)].slice(0, 2 + random.int(2));
      const moveAfterMs = random.pick([null, 1_000, 1_000, 3_000]);
      const route = { pools: through, moveAfterMs: moveAfterMs === null ? null : durationMs(moveAfterMs) };
      return { type: "set-route", of, route: random.chance(0.15) ? null : route };
    }
  }
}

/** What of it has come to something in a life, each time by the name of its counter. */
export function* changesIn(records: readonly LedgerRecord[]): Generator<(typeof poolCounters)[number]> {
  for (const event of records.flatMap(({ events }) => events)) {
    switch (event.type) {
      case "card-pool-set":
        yield "cardsMoved";
        break;
      case "route-set":
        yield "routesSet";
        break;
      case "call-admitted":
        if (event.routed && event.routed.passed.length > 0) yield "poolsPassedOver";
        break;
      case "call-refused":
        if (event.routed && event.routed.passed.length > 0) yield "routesRefused";
        break;
      case "call-moved":
        yield event.why === "waited" ? "callsMoved" : "callsWithoutCardsMoved";
        break;
      case "call-stayed":
        yield "callsStayed";
        break;
      default:
    }
  }
}

export const poolCounters = [
  "cardsMoved",
  "routesSet",
  "poolsPassedOver",
  "routesRefused",
  "callsMoved",
  "callsWithoutCardsMoved",
  "callsStayed",
] as const;
