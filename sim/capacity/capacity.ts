/**
 * A day of calls of many users on many slots, by the ledger's own functions; and beside it, on the same day, first come, first served and
 * strict priority.
 */
import { tierDefaults } from "../../src/core/policy.ts";
import { Lists } from "./cluster.ts";
import type { Cluster } from "./cluster.ts";
import { playDay, tickMs } from "./day.ts";
import type { DayOutcome } from "./day.ts";
import { Ledger } from "./ledger.ts";
import { tierOf, tiers } from "./trace.ts";
import type { Shape } from "./trace.ts";

export interface CapacityOptions {
  readonly seed: number;
  readonly slots: number;
  readonly users: number;
}

const slotsPerNode = 8;
const peak = 1.25;
const queueLimitMs = 600_000;
/** What the ledger's queue promises. */
const promised = { shareErrorPercent: 2, utilisationPercent: 95, starved: 0 } as const;

export interface Capacity extends CapacityOptions {
  readonly queueLimitMs: number;
  readonly held: boolean;
  readonly days: readonly DayOutcome[];
}

export function capacity({ seed, slots, users }: CapacityOptions, report: (text: string) => void): Capacity {
  const shape: Shape = { seed, slots, slotsPerNode, users, peak };
  const who = tierOf(shape);
  const weights = tiers.map(({ name }) => tierDefaults[name].weight);
  const lists = { nodes: slots / slotsPerNode, slotsPerNode, limitMs: queueLimitMs };
  const clusters: readonly (() => Cluster)[] = [
    () => new Ledger(shape, who, queueLimitMs),
    () => new Lists("first come, first served", { ...lists, lists: 1, listOf: () => 0 }),
    () =>
      new Lists("strict priority", {
        ...lists,
        lists: tiers.length,
        listOf: ({ user }) => tiers.length - 1 - (who[user] as number),
      }),
  ];
  const days = clusters.map((open) => {
    const day = playDay(shape, open(), { tierOf: who, weights });
    report(JSON.stringify(day, null, 2));
    return day;
  });
  const [ours] = days as [DayOutcome, ...DayOutcome[]];
  const held =
    ours.shareErrorPercent <= promised.shareErrorPercent &&
    ours.utilisationPercent >= promised.utilisationPercent &&
    ours.starved <= promised.starved &&
    ours.longestWaitMs < queueLimitMs + tickMs;
  return { seed, slots, users, queueLimitMs, held, days };
}
