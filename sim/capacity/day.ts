/** Plays a day's calls on a cluster, and says who got how much of it. */
import { Heap } from "../../src/core/heap.ts";
import type { Cluster, Moved } from "./cluster.ts";
import { idealOf } from "./ideal.ts";
import { callsOf, saturated, tiers } from "./trace.ts";
import type { Call, Shape } from "./trace.ts";

/** A deadline is met at the first tick from it on. */
export const tickMs = 1_000;

export interface TierOutcome {
  readonly tier: string;
  /** GPU hours within the saturated time: asked for, due by weighted max-min, and had. */
  readonly askedHours: number;
  readonly dueHours: number;
  readonly hadHours: number;
  readonly timedOut: number;
  /** Of those that were granted. */
  readonly waitMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

export interface DayOutcome {
  readonly policy: string;
  readonly calls: number;
  /** What went to another tier than it was due to, of all that was given while more was asked for than there is; in percent. */
  readonly shareErrorPercent: number;
  /** The same between accounts. */
  readonly accountErrorPercent: number;
  readonly longestWaitMs: number;
  /** Accounts that asked in that time, and of whose calls of that time none ever had its turn. */
  readonly starved: number;
  /** Slot time that was used, of what the calls that were there could have used; in percent. */
  readonly utilisationPercent: number;
  readonly timedOut: number;
  readonly tiers: readonly TierOutcome[];
  readonly tookMs: number;
}

/** `weights`: by the index of {@link tiers}. */
export function playDay(
  shape: Shape,
  cluster: Cluster,
  { tierOf, weights }: { readonly tierOf: Uint8Array; readonly weights: readonly number[] },
): DayOutcome {
  const startedAt = performance.now();
  const [from, to] = saturated(shape);
  const asked = new Float64Array(shape.users);
  const had = new Float64Array(shape.users);
  const hadTurn = new Uint8Array(shape.users);
  const isIn = (at: number): boolean => at >= from && at < to;
  const waits = tiers.map(() => new Waits());
  const timedOut = tiers.map(() => 0);
  const load = new Int32Array(shape.slots / shape.slotsPerNode);
  const nodeOf = new Map<number, number>();
  const ends = new Heap<{ readonly call: Call; readonly at: number }>((a, b) => a.at < b.at);
  let [calls, busy, waiting, since, used, usable] = [0, 0, 0, 0, 0, 0];
  const pass = (at: number): void => {
    used += busy * (at - since);
    usable += Math.min(shape.slots, busy + waiting) * (at - since);
    since = at;
  };
  const follow = ({ granted, timedOut: late }: Moved, at: number): void => {
    for (const call of granted) {
      busy += 1;
      waiting -= 1;
      waits[tierOf[call.user] as number]?.add(at - call.at);
      if (isIn(at)) had[call.user] = (had[call.user] as number) + call.lengthMs;
      if (isIn(call.at)) hadTurn[call.user] = 1;
      ends.add({ call, at: at + call.lengthMs });
    }
    for (const call of late) {
      waiting -= 1;
      left(call);
      const tier = tierOf[call.user] as number;
      timedOut[tier] = (timedOut[tier] as number) + 1;
    }
  };
  const left = (call: Call): number => {
    const node = nodeOf.get(call.number) as number;
    nodeOf.delete(call.number);
    load[node] = (load[node] as number) - 1;
    return node;
  };
  let ticked = 0;
  const until = (at: number): void => {
    for (;;) {
      const next = Math.min(ends.first?.at ?? Infinity, ticked + tickMs);
      if (next > at) return;
      pass(next);
      if (next === ticked + tickMs) {
        ticked = next;
        follow(cluster.tick(next), next);
        continue;
      }
      const { call } = ends.take() as { call: Call };
      busy -= 1;
      follow(cluster.end(call, left(call), next), next);
    }
  };
  for (const call of callsOf(shape)) {
    until(call.at);
    pass(call.at);
    const [one, other] = call.nodes;
    const node = (load[one] as number) <= (load[other] as number) ? one : other;
    load[node] = (load[node] as number) + 1;
    nodeOf.set(call.number, node);
    if (isIn(call.at)) asked[call.user] = (asked[call.user] as number) + call.lengthMs;
    calls += 1;
    waiting += 1;
    follow(cluster.arrive(call, node), call.at);
  }
  const weightOf = (user: number): number => weights[tierOf[user] as number] as number;
  const due = idealOf(asked, sum(had), weightOf);
  const byTier = (of: Float64Array): number[] => {
    const sums = tiers.map(() => 0);
    of.forEach((ms, user) => (sums[tierOf[user] as number] = (sums[tierOf[user] as number] as number) + ms));
    return sums;
  };
  const [askedBy, dueBy, hadBy] = [byTier(asked), byTier(due), byTier(had)];
  const hours = (ms: number | undefined): number => Math.round((ms ?? 0) / 36_000) / 100;
  return {
    policy: cluster.name,
    calls,
    shareErrorPercent: errorPercent(dueBy, hadBy),
    accountErrorPercent: errorPercent(due, had),
    longestWaitMs: Math.max(...waits.map(({ max }) => max)),
    starved: asked.reduce((count, ms, user) => count + Number(ms > 0 && hadTurn[user] === 0), 0),
    utilisationPercent: round((100 * used) / usable),
    timedOut: sum(timedOut),
    tiers: tiers.map(({ name }, tier) => ({
      tier: name,
      askedHours: hours(askedBy[tier]),
      dueHours: hours(dueBy[tier]),
      hadHours: hours(hadBy[tier]),
      timedOut: timedOut[tier] as number,
      waitMs: (waits[tier] as Waits).summary,
    })),
    tookMs: Math.round(performance.now() - startedAt),
  };
}

/** Half of the differences, of the whole: what would have to be moved. */
function errorPercent(due: ArrayLike<number>, had: ArrayLike<number>): number {
  let [apart, whole] = [0, 0];
  for (let at = 0; at < had.length; at += 1) {
    apart += Math.abs((had[at] as number) - (due[at] as number));
    whole += had[at] as number;
  }
  return round((100 * apart) / 2 / whole);
}

/** Waits in classes, each a tenth longer than the one before. */
class Waits {
  max = 0;
  #count = 0;
  readonly #classes: number[] = [];

  add(ms: number): void {
    this.max = Math.max(this.max, ms);
    this.#count += 1;
    const at = ms < 1 ? 0 : 1 + Math.floor(Math.log(ms) / Math.log(1.1));
    this.#classes[at] = (this.#classes[at] ?? 0) + 1;
  }

  get summary(): TierOutcome["waitMs"] {
    return { p50: this.#quantile(0.5), p99: this.#quantile(0.99), max: this.max };
  }

  #quantile(share: number): number {
    let left = share * this.#count;
    for (let at = 0; at < this.#classes.length; at += 1) {
      left -= this.#classes[at] ?? 0;
      if (left <= 0) return at === 0 ? 0 : Math.round(1.1 ** at);
    }
    return this.max;
  }
}

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let at = 0; at < values.length; at += 1) total += values[at] as number;
  return total;
}

const round = (value: number): number => Math.round(value * 100) / 100;
