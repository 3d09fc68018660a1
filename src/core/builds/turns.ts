/**
 * Whose turn it is: the operator's priority first, then the owner who used fewer build seconds lately, then the build that waits
 * longest. Walked as if each build took its usual time, so that many builds of one owner and the one of another alternate.
 */
import { after, between, durationMs } from "../../stdx/time.ts";
import type { DurationMs, Instant } from "../../stdx/time.ts";
import { isLeased } from "./model.ts";
import type { Build, BuildLimits, BuildsState, QueuedBuild, Use } from "./model.ts";

/** An attempt counts as this at least: starting one costs the same however short it is. */
export const useLeastMs = 1_000;
/** What a build counts as where nothing is known of any. */
const unknownMs = 30_000;

/** The waiting builds, the next one first. */
export function inTurn(state: BuildsState, now: Instant, limits: BuildLimits): readonly QueuedBuild[] {
  const queues = waitingByOwner(state);
  const shares = new Map([...queues.keys()].map((owner) => [owner, shareOf(state, owner, now, limits)]));
  const order: QueuedBuild[] = [];
  for (;;) {
    const next = nextOf(queues, shares);
    if (next === undefined) return order;
    order.push(next);
    const { owner, space } = next.terms;
    queues.get(owner)?.shift();
    shares.set(owner, (shares.get(owner) ?? 0) + (usualMs(state, space) ?? unknownMs));
  }
}

/** Build seconds that an owner used lately, with those under way, in milliseconds. */
export function shareOf(state: BuildsState, owner: string, now: Instant, { shareMs }: BuildLimits): number {
  const past = state.uses.filter((use) => use.owner === owner && now < after(use.at, shareMs)).map(({ ms }) => ms);
  const running = leasedOf(state, owner).map(({ givenAt }) => between(givenAt, now));
  return [...past, ...running].reduce((sum, ms) => sum + Math.max(useLeastMs, ms), 0);
}

export function leasedOf(state: BuildsState, owner: string) {
  return [...state.builds.values()].filter(isLeased).filter(({ terms }) => terms.owner === owner);
}

/** The middle one of the Space's attempts lately, or else of all; undefined where there was none. */
export function usualMs({ uses }: BuildsState, space: string): DurationMs | undefined {
  const own = uses.filter((use) => use.space === space);
  return medianOf(own.length > 0 ? own : uses);
}

export function earliest(a: Instant, b: Instant): Instant {
  return a < b ? a : b;
}

export function isQueued(build: Build): build is QueuedBuild {
  return build.stage === "queued";
}

function medianOf(uses: readonly Use[]): DurationMs | undefined {
  const sorted = uses.map(({ ms }) => ms).sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  return middle === undefined ? undefined : durationMs(Math.max(useLeastMs, middle));
}

/** Each owner's own order: priority, then who came first. */
function waitingByOwner({ builds }: BuildsState): Map<string, QueuedBuild[]> {
  const queues = new Map<string, QueuedBuild[]>();
  for (const build of builds.values()) {
    if (!isQueued(build)) continue;
    const { owner } = build.terms;
    queues.set(owner, [...(queues.get(owner) ?? []), build]);
  }
  for (const queue of queues.values()) queue.sort((a, b) => b.priority - a.priority || earlier(a, b));
  return queues;
}

function nextOf(
  queues: ReadonlyMap<string, readonly QueuedBuild[]>,
  shares: ReadonlyMap<string, number>,
): QueuedBuild | undefined {
  const share = ({ terms }: QueuedBuild): number => shares.get(terms.owner) ?? 0;
  const heads = [...queues.values()].flatMap(([head]) => head ?? []);
  return heads.sort((a, b) => b.priority - a.priority || share(a) - share(b) || earlier(a, b))[0];
}

function earlier(a: QueuedBuild, b: QueuedBuild): number {
  return a.terms.queuedAt - b.terms.queuedAt || (a.terms.build < b.terms.build ? -1 : 1);
}
