/** What one seed draws before anything happens: who is there, how long things take, and which faults may come. */
import { gpuMs } from "../src/core/amounts.ts";
import type { TierName, TierSettings, PoolSettings } from "../src/core/model.ts";
import { prng } from "../src/stdx/prng.ts";
import type { Prng } from "../src/stdx/prng.ts";
import { durationMs } from "../src/stdx/time.ts";

/** Faults that come by themselves, each so often a virtual minute; those of messages and disks are chances. */
export const faultKinds = [
  "serverCrash",
  "agentCrash",
  "shimCrash",
  "machineCrash",
  "agentReinstalled",
  "connectionLost",
  "partition",
  "pause",
  "wallStep",
  "workerDies",
  "appEnds",
  "cardTrouble",
  "operatorStops",
  "diskFails",
  "olderSnapshot",
  "secondWriter",
  "staleOrder",
] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface Faults {
  /** Of each kind so many a virtual minute. */
  readonly perMinute: Readonly<Record<FaultKind, number>>;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  /** A message takes up to so long. */
  readonly delayMs: number;
  /** Machines' clocks run by up to so much wrong. */
  readonly drift: number;
}

/** Processes die between two effects of one event too: one in so many effects is their last; 0: none. */
export interface Boundaries {
  readonly every: number;
  /** Of its own: a life is what it was until the first of them. */
  readonly random: Prng;
}

const apart = 0xeffe;

export function boundaries(seed: number, without: ReadonlySet<string>): Boundaries {
  const random = prng(seed + apart);
  const every = random.chance(0.3) ? random.pick([50, 200, 1_000]) : 0;
  return { every: without.has("crashWithin") ? 0 : every, random };
}

export interface Configuration {
  readonly seed: number;
  /** For so long there are faults and calls, in virtual milliseconds. */
  readonly livesMs: number;
  readonly nodes: readonly { readonly name: string; readonly cards: readonly number[]; readonly replicas: number }[];
  readonly spaces: readonly { readonly name: string; readonly onLeave: "finish" | "stop" }[];
  readonly accounts: readonly { readonly name: string; readonly tier: TierName }[];
  readonly pool: Partial<PoolSettings>;
  readonly tiers: readonly { readonly tier: TierName; readonly settings: Partial<TierSettings> }[];
  /** Calls of each replica at once, and how long it pauses between them. */
  readonly clients: number;
  readonly thinkMs: number;
  readonly runMs: number;
  readonly commitMs: number;
  readonly snapshotEvery: number;
  /** Allowances and budgets come so often a virtual minute. */
  readonly giftsPerMinute: number;
  readonly faults: Faults;
}

/** How often each kind comes a minute, where a seed has it at all. */
const usual: Readonly<Record<FaultKind, number>> = {
  serverCrash: 4,
  agentCrash: 4,
  shimCrash: 3,
  machineCrash: 1,
  agentReinstalled: 1,
  connectionLost: 6,
  partition: 2,
  pause: 3,
  wallStep: 4,
  workerDies: 6,
  appEnds: 3,
  cardTrouble: 2,
  operatorStops: 2,
  diskFails: 2,
  olderSnapshot: 2,
  secondWriter: 3,
  staleOrder: 10,
};

export function configure(seed: number, random: Prng, without: ReadonlySet<string>): Configuration {
  const some = (from: number, to: number): number => from + random.int(to - from + 1);
  const list = <T>(count: number, make: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at));
  // Only a long life sees a node given up, and come back.
  const isLong = random.chance(0.1);
  const giftsPerMinute = random.pick([0, 20, 60, 120]);
  const nodes = list(some(1, 2), (at) => ({
    name: `n${at}`,
    cards: list(some(1, 2), () => some(1, 2)),
    replicas: some(1, 3),
  }));
  return {
    seed,
    livesMs: isLong ? 130_000 : some(15, 35) * 1_000,
    nodes,
    spaces: list(some(1, 3), (at) => ({ name: `alice/s${at}`, onLeave: random.pick(["finish", "stop"]) })),
    accounts: list(some(1, 4), (at) => ({ name: `a${at}`, tier: random.pick(["free", "free", "pro", "unlimited"]) })),
    pool: {
      queueLimitMs: durationMs(some(2, 20) * 1_000),
      attachWithinMs: durationMs(some(1, 8) * 1_000),
      queueMax: random.pick([2, 5, 1_000]),
      admission: random.pick(["clip", "clip", "strict"]),
      tokenMaxCalls: random.pick([3, 64, 64]),
      spaceCallsMax: random.pick([null, null, 3]),
    },
    // Credits, and more for a window, come to something only where windows are used up, and runs are not.
    tiers: list(some(0, 2) + (giftsPerMinute > 0 ? 1 : 0), (at) => ({
      tier: giftsPerMinute > 0 && at === 0 ? "free" : random.pick<TierName>(["free", "pro", "anonymous"]),
      settings: { ...drawTier(random), ...(giftsPerMinute > 0 && at === 0 && drawShort(random)) },
    })),
    clients: some(1, 3),
    thinkMs: isLong ? 6_000 : random.pick([200, 500, 2_000]),
    runMs: random.pick([300, 1_500, 4_000]),
    commitMs: random.pick([1, 5, 40]),
    snapshotEvery: random.pick([40, 200, 800]),
    faults: drawFaults(random, without),
    giftsPerMinute,
  };
}

function drawTier(random: Prng): Partial<TierSettings> {
  return {
    windowLimitMs: gpuMs(random.pick([10_000, 30_000, 120_000])),
    windowMs: durationMs(random.pick([10_000, 30_000, 86_400_000])),
    runsMax: random.pick([null, null, 8]),
    callsMax: random.pick([null, null, 2]),
  };
}

/** A window that a few calls use up. */
function drawShort(random: Prng): Partial<TierSettings> {
  return {
    windowLimitMs: gpuMs(random.pick([2_000, 6_000, 20_000])),
    windowMs: durationMs(random.pick([10_000, 86_400_000, 86_400_000])),
    runsMax: random.pick([null, null, null, 8]),
  };
}

/** Each seed has some of the faults: one that has all of them finds less than several that have a few. */
function drawFaults(random: Prng, without: ReadonlySet<string>): Faults {
  const perMinute = Object.fromEntries(
    faultKinds.map((kind) => {
      const rate = random.chance(0.4) ? usual[kind] * random.pick([1, 1, 4]) : 0;
      return [kind, without.has(kind) ? 0 : rate];
    }),
  ) as Record<FaultKind, number>;
  const chance = (kind: string, often: number): number => {
    const drawn = random.chance(0.4) ? often * random.pick([1, 1, 5]) : 0;
    return without.has(kind) ? 0 : drawn;
  };
  const drift = random.pick([0, 0.0005, 0.03]);
  const delayMs = random.pick([2, 20, 400]);
  return {
    perMinute,
    lost: chance("lost", 0.01),
    duplicated: chance("duplicated", 0.02),
    reordered: chance("reordered", 0.02),
    delayMs: without.has("delayed") ? 2 : delayMs,
    drift: without.has("drift") ? 0 : drift,
  };
}
