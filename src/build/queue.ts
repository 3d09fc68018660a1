/**
 * The queue of builds as values: who waits, who builds, who is next, and what everybody is told. No clock, no I/O.
 *
 *   enqueue ─► waiting ─► handed ─► building ─► (ended)
 *                 │          │          │
 *           queue-timeout  builder-lost: not claimed, not ended in time, or its builder went away
 *           no-builder
 *
 * A build is told its place in its own log, whose first line is written when it is queued.
 */
import { after, type DurationMs, type Instant } from "../stdx/time.ts";
import type { Code } from "../evidence/codes.ts";
import { ordinal } from "../evidence/words.ts";

export interface QueuedBuild {
  readonly build: string;
  readonly space: string;
  /** The SDK that its README names; null where that is not known yet. */
  readonly sdk: string | null;
  readonly queuedAt: Instant;
  /** It gives up at this instant: it may wait during `[queuedAt, deadline)`. */
  readonly deadline: Instant;
}

export interface RunningBuild extends QueuedBuild {
  readonly builder: string;
  /** Counts the builds of the channel `build-queue→<builder>`. */
  readonly number: number;
  readonly stage: "handed" | "building";
  /** When the builder must have claimed it, or ended it. */
  readonly until: Instant;
}

export interface BuilderSeat {
  readonly builder: string;
  readonly sdks: readonly string[];
  /** Builds at a time. */
  readonly parallel: number;
}

export interface BuildQueue {
  readonly waiting: readonly QueuedBuild[];
  readonly running: readonly RunningBuild[];
  readonly builders: readonly BuilderSeat[];
  /** Builds handed to each builder so far. */
  readonly handed: Readonly<Record<string, number>>;
}

export interface QueueLimits {
  readonly waitMs: DurationMs;
  /** How long a build waits where no builder is connected at all: one that restarts is back within this. */
  readonly noBuilderMs: DurationMs;
  readonly claimMs: DurationMs;
  /** A whole build, as `BuildSpec.limitMs` says it, and what telling its end may take. */
  readonly buildMs: DurationMs;
}

export const queueLimits: QueueLimits = {
  waitMs: 600_000 as DurationMs,
  noBuilderMs: 2_000 as DurationMs,
  claimMs: 30_000 as DurationMs,
  buildMs: 1_230_000 as DurationMs,
};

export type QueueCommand =
  | { readonly type: "enqueue"; readonly build: string; readonly space: string; readonly sdk: string | null }
  | { readonly type: "join"; readonly seat: BuilderSeat }
  | { readonly type: "lose-builder"; readonly builder: string }
  | { readonly type: "claim"; readonly build: string }
  | { readonly type: "end"; readonly build: string }
  | { readonly type: "cancel"; readonly build: string; readonly why: string }
  | { readonly type: "tick" };

export type QueueEffect =
  | { readonly type: "log"; readonly build: string; readonly text: string }
  | { readonly type: "hand"; readonly build: string; readonly builder: string; readonly number: number }
  | { readonly type: "withdraw"; readonly build: string; readonly builder: string }
  | { readonly type: "fail"; readonly build: string; readonly code: Code; readonly says: string };

export interface QueueStep {
  readonly queue: BuildQueue;
  readonly effects: readonly QueueEffect[];
}

export const emptyQueue: BuildQueue = { waiting: [], running: [], builders: [], handed: {} };

/** What a command does at `now`. Commands about builds that have ended are harmless repeats. */
export function advance(
  queue: BuildQueue,
  command: QueueCommand,
  now: Instant,
  limits: QueueLimits = queueLimits,
): QueueStep {
  const first = take(queue, command, now, limits);
  const expired = expire(first.queue, now, limits);
  const placed = place(expired.queue, now, limits);
  const effects = [...first.effects, ...expired.effects, ...placed.effects];
  // A build that found its place at once is told so by the hand-over, after its first line.
  return { queue: placed.queue, effects };
}

/** The next instant at which a `tick` would change something; undefined where nothing waits. */
export function nextDeadline(queue: BuildQueue, limits: QueueLimits = queueLimits): Instant | undefined {
  const all = [...queue.waiting.map((one) => giveUpAt(queue, one, limits)), ...queue.running.map(({ until }) => until)];
  return all.length === 0 ? undefined : (Math.min(...all) as Instant);
}

/** Where a waiting build stands, from 1; undefined where it does not wait. */
export function positionOf(queue: BuildQueue, build: string): number | undefined {
  const at = queue.waiting.findIndex((one) => one.build === build);
  return at === -1 ? undefined : at + 1;
}

function take(queue: BuildQueue, command: QueueCommand, now: Instant, limits: QueueLimits): QueueStep {
  switch (command.type) {
    case "enqueue":
      return enqueue(queue, command, now, limits);
    case "join": {
      const others = queue.builders.filter(({ builder }) => builder !== command.seat.builder);
      return { queue: { ...queue, builders: [...others, command.seat] }, effects: [] };
    }
    case "lose-builder": {
      const builders = queue.builders.filter(({ builder }) => builder !== command.builder);
      return lose(
        { ...queue, builders },
        (one) => one.builder === command.builder,
        `builder ${command.builder} went away`,
      );
    }
    case "claim": {
      const claimed = (one: RunningBuild): RunningBuild =>
        one.build === command.build && one.stage === "handed"
          ? { ...one, stage: "building", until: after(now, limits.buildMs) }
          : one;
      return { queue: { ...queue, running: queue.running.map(claimed) }, effects: [] };
    }
    case "end":
      return { queue: without(queue, command.build), effects: [] };
    case "cancel":
      return cancel(queue, command.build, command.why);
    case "tick":
      return { queue, effects: [] };
  }
}

function enqueue(
  queue: BuildQueue,
  { build, space, sdk }: Extract<QueueCommand, { type: "enqueue" }>,
  now: Instant,
  limits: QueueLimits,
): QueueStep {
  if (queue.waiting.some((one) => one.build === build) || queue.running.some((one) => one.build === build))
    return { queue, effects: [] };
  const waiting = [...queue.waiting, { build, space, sdk, queuedAt: now, deadline: after(now, limits.waitMs) }];
  const place = `queued ${ordinal(waiting.length)} of ${waiting.length}`;
  const text = `${place}, ${whyWaiting(queue, sdk)}; gives up after ${limits.waitMs / 1000} s`;
  return { queue: { ...queue, waiting }, effects: [{ type: "log", build, text }] };
}

function whyWaiting(queue: BuildQueue, sdk: string | null): string {
  if (queue.builders.length === 0) return "no builder is connected";
  const serving = queue.builders.filter((seat) => serves(seat, sdk));
  if (serving.length === 0) return `no builder serves sdk ${sdk}; here are ${sdksOf(queue).join(", ")}`;
  const free = serving.find((seat) => isFree(queue, seat));
  if (free && queue.waiting.length === 0) return `builder ${free.builder} is free`;
  return serving.length === 1
    ? `builder ${(serving[0] as BuilderSeat).builder} is busy`
    : `all ${serving.length} builders are busy`;
}

/** Everything whose time is over moves on. */
function expire(queue: BuildQueue, now: Instant, limits: QueueLimits): QueueStep {
  const over = queue.waiting.filter((one) => now >= giveUpAt(queue, one, limits));
  const effects = over.flatMap((one): QueueEffect[] => failed(one.build, ...whyGivenUp(queue, one, now)));
  const waiting = queue.waiting.filter((one) => !over.includes(one));
  const late = lose({ ...queue, waiting }, (one) => now >= one.until, "the builder did not answer in time");
  return { queue: late.queue, effects: [...effects, ...late.effects] };
}

function giveUpAt(queue: BuildQueue, { queuedAt, deadline, sdk }: QueuedBuild, limits: QueueLimits): Instant {
  if (queue.builders.some((seat) => serves(seat, sdk))) return deadline;
  // Builders are there and none can: waiting would not help.
  if (queue.builders.length > 0) return queuedAt;
  return after(queuedAt, limits.noBuilderMs);
}

function whyGivenUp(
  queue: BuildQueue,
  { sdk, queuedAt, deadline }: QueuedBuild,
  now: Instant,
): readonly [Code, string] {
  if (queue.builders.length === 0 && now < deadline) return ["build/no-builder", "no builder is connected"];
  if (!queue.builders.some((seat) => serves(seat, sdk))) {
    return ["build/no-builder", `no builder serves sdk ${sdk}; here are ${sdksOf(queue).join(", ") || "none"}`];
  }
  return ["build/queue-timeout", `no builder became free within ${(deadline - queuedAt) / 1000} s`];
}

/** Hands waiting builds, the oldest first, to builders with a free seat. One Space builds one commit at a time. */
function place(queue: BuildQueue, now: Instant, limits: QueueLimits): QueueStep {
  let at = queue;
  const effects: QueueEffect[] = [];
  for (const one of queue.waiting) {
    if (at.running.some(({ space }) => space === one.space)) continue;
    const seat = at.builders.find((seat) => serves(seat, one.sdk) && isFree(at, seat));
    if (!seat) continue;
    const number = (at.handed[seat.builder] ?? 0) + 1;
    const running: RunningBuild = {
      ...one,
      builder: seat.builder,
      number,
      stage: "handed",
      until: after(now, limits.claimMs),
    };
    at = { ...without(at, one.build), handed: { ...at.handed, [seat.builder]: number } };
    at = { ...at, running: [...at.running, running] };
    effects.push({
      type: "log",
      build: one.build,
      text: `builder ${seat.builder}, after ${(now - one.queuedAt) / 1000} s`,
    });
    effects.push({ type: "hand", build: one.build, builder: seat.builder, number });
  }
  if (effects.length > 0) effects.push(...movedUp(queue, at));
  return { queue: at, effects };
}

/** A line for each build that still waits and whose place changed. */
function movedUp(before: BuildQueue, now: BuildQueue): readonly QueueEffect[] {
  return now.waiting.flatMap(({ build }, at) =>
    positionOf(before, build) === at + 1
      ? []
      : [{ type: "log", build, text: `now ${ordinal(at + 1)} of ${now.waiting.length}` }],
  );
}

function lose(queue: BuildQueue, isLost: (one: RunningBuild) => boolean, says: string): QueueStep {
  const lost = queue.running.filter(isLost);
  const running = queue.running.filter((one) => !isLost(one));
  const effects = lost.flatMap(({ build, builder }): QueueEffect[] => [
    { type: "withdraw", build, builder },
    ...failed(build, "build/builder-lost", says),
  ]);
  return { queue: { ...queue, running }, effects };
}

function cancel(queue: BuildQueue, build: string, why: string): QueueStep {
  const running = queue.running.find((one) => one.build === build);
  if (!running && positionOf(queue, build) === undefined) return { queue, effects: [] };
  const effects: QueueEffect[] = [{ type: "log", build, text: why }];
  if (running) effects.push({ type: "withdraw", build, builder: running.builder });
  return { queue: without(queue, build), effects };
}

function failed(build: string, code: Code, says: string): QueueEffect[] {
  return [
    { type: "log", build, text: says },
    { type: "fail", build, code, says },
  ];
}

function serves({ sdks }: BuilderSeat, sdk: string | null): boolean {
  return sdk === null || sdks.includes(sdk);
}

function isFree(queue: BuildQueue, { builder, parallel }: BuilderSeat): boolean {
  return queue.running.filter((one) => one.builder === builder).length < parallel;
}

function sdksOf({ builders }: BuildQueue): readonly string[] {
  return [...new Set(builders.flatMap(({ sdks }) => sdks))].sort();
}

function without(queue: BuildQueue, build: string): BuildQueue {
  const keep = (one: QueuedBuild): boolean => one.build !== build;
  return { ...queue, waiting: queue.waiting.filter(keep), running: queue.running.filter(keep) };
}
