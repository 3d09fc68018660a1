/** How operators take cards, nodes and all of a pool out of use, with an end or without, and give them back: at any time, drawn. */
import type { DrainScope } from "../src/core/drained.ts";
import type { Command } from "../src/core/model.ts";
import type { LedgerRecord } from "../src/core/record.ts";
import { prng } from "../src/stdx/prng.ts";
import type { Prng } from "../src/stdx/prng.ts";
import { durationMs } from "../src/stdx/time.ts";
import type { Configuration } from "./configuration.ts";

/** What one seed draws of it, by a generator of its own. */
export interface Draining {
  readonly drainsPerMinute: number;
  readonly random: Prng;
}

const apart = 0xd7a1;

export function draining(seed: number, without: ReadonlySet<string>): Draining {
  const random = prng(seed + apart);
  const drainsPerMinute = random.pick([0, 0, 0, 5, 20]);
  return { drainsPerMinute: without.has("drains") ? 0 : drainsPerMinute, random };
}

export function drawDrain(
  { random }: Draining,
  { nodes }: Pick<Configuration, "nodes">,
): Extract<Command, { type: "set-drain" }> {
  const { name: node, cards } = random.pick(nodes);
  const of: DrainScope = random.pick([
    { kind: "card", node, device: random.int(cards.length) },
    { kind: "card", node, device: random.int(cards.length) },
    { kind: "node", node },
    { kind: "pool", pool: "main" },
  ]);
  // Given back twice as often as taken: else nothing would run for most of a life.
  if (random.chance(0.66)) return { type: "set-drain", of, drain: null };
  const endInMs = random.pick([null, 0, 500, 3_000, 20_000]);
  const drain = { reason: "drawn", by: "admin", endInMs: endInMs === null ? null : durationMs(endInMs) };
  return { type: "set-drain", of, drain };
}

/** What of it has come to something in a life, each time by the name of its counter. */
export function* drainsIn(records: readonly LedgerRecord[]): Generator<(typeof drainCounters)[number]> {
  for (const event of records.flatMap(({ events }) => events)) {
    switch (event.type) {
      case "drain-set":
        yield event.drain === null ? "drainsLifted" : "drainsSet";
        break;
      case "drain-due":
        yield "drainsDue";
        break;
      case "call-refused":
        if (event.refusal.code === "pool-draining") yield "callsRefusedForDrains";
        break;
      case "call-voided":
        if (event.cause === "pool-draining") yield "waitsEndedForDrains";
        break;
      default:
    }
  }
}

export const drainCounters = [
  "drainsSet",
  "drainsLifted",
  "drainsDue",
  "callsRefusedForDrains",
  "waitsEndedForDrains",
] as const;
