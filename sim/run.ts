/** One seed from its beginning to its end, or to what broke; and the smallest repetition of what broke. */
import { faultKinds } from "./configuration.ts";
import type { Configuration } from "./configuration.ts";
import { drainCounters } from "./drains.ts";
import { giftCounters } from "./gifts.ts";
import { poolCounters } from "./pools.ts";
import { World } from "./world.ts";

/** Steps after which a run stops without a verdict: a run has some thousands. */
export const stepsMax = 200_000;

/** Faults that a seed can be run without, by name. */
export const removable: readonly string[] = [
  ...faultKinds,
  ...["lost", "duplicated", "reordered", "delayed", "drift", "crashWithin", "drains"],
];

/** What must not stay at 0 in a run of many seeds. */
export const counted: readonly string[] = [
  ...faultKinds,
  "messagesLost",
  "messagesDuplicated",
  "messagesReordered",
  "messagesDelayed",
  "tornWrites",
  "writesLost",
  "writesUnacknowledged",
  "recordsDamaged",
  "fencesRefused",
  "visitorsLeft",
  "callsGranted",
  "callsRefused",
  "allowsRefused",
  ...giftCounters,
  ...poolCounters,
  ...drainCounters,
  ...["serverCrashWithin", "agentCrashWithin", "shimCrashWithin"],
];

export interface Failure {
  readonly seed: number;
  readonly invariant: string;
  readonly says: string;
  readonly step: number;
}

export interface SeedResult {
  readonly seed: number;
  readonly failure: Failure | null;
  readonly steps: number;
  readonly virtualMs: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly looked: Readonly<Record<string, number>>;
}

export interface RunOptions {
  readonly steps?: number;
  readonly without?: ReadonlySet<string>;
  /** Hears what was drawn, before anything happens. */
  readonly onConfiguration?: (configuration: Configuration) => void;
  /** Hears the faults that came, in the end. */
  readonly onSchedule?: (schedule: World["schedule"]) => void;
}

export async function runSeed(seed: number, options: RunOptions = {}): Promise<SeedResult> {
  const world = new World(seed, options.without ?? new Set());
  options.onConfiguration?.(world.configuration);
  const unhandled = (error: unknown): void => world.watch.unexpected("a promise that nobody awaits", error);
  process.on("unhandledRejection", unhandled);
  try {
    await world.run(options.steps ?? stepsMax);
  } catch (error) {
    world.watch.unexpected("an event", error);
  } finally {
    process.off("unhandledRejection", unhandled);
  }
  world.watch.finish();
  options.onSchedule?.(world.schedule);
  const { broken } = world.watch;
  return {
    seed,
    failure: broken ? { seed, ...broken, step: world.steps } : null,
    steps: world.steps,
    virtualMs: Math.round(world.time.now),
    counters: Object.fromEntries(world.counters),
    looked: Object.fromEntries(world.watch.looked),
  };
}

export interface Shrunk extends Failure {
  /** Pasted into a shell it fails in the same way. */
  readonly command: string;
  readonly schedule: World["schedule"];
}

/** The same invariant broken with fewer kinds of faults, then in fewer steps. */
export async function shrink(failure: Failure, without: ReadonlySet<string> = new Set()): Promise<Shrunk> {
  let best = failure;
  let left = new Set(without);
  for (const kind of removable) {
    if (left.has(kind)) continue;
    const fewer = new Set([...left, kind]);
    const { failure: again } = await runSeed(failure.seed, { without: fewer });
    if (again?.invariant !== failure.invariant) continue;
    best = again;
    left = fewer;
  }
  let schedule: World["schedule"] = [];
  await runSeed(best.seed, { without: left, steps: best.step, onSchedule: (came) => (schedule = came) });
  const flags = left.size > 0 ? ` --without ${[...left].join(",")}` : "";
  return { ...best, command: `npm run sim -- --seed ${best.seed}${flags} --steps ${best.step}`, schedule };
}
