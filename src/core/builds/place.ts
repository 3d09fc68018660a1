/** Where a waiting build can go, and all that keeps it where it is: what it is told is what the queue went by. */
import { after, between, durationMs } from "../../stdx/time.ts";
import type { DurationMs, Instant } from "../../stdx/time.ts";
import { isLeased } from "./model.ts";
import type { Builder, BuildLimits, BuildsState, LeasedBuild, QueuedBuild } from "./model.ts";
import { earliest, inTurn, leasedOf, shareOf, usualMs } from "./turns.ts";

/** Something that keeps a build waiting. It names no build and no Space of another owner. */
export type Reason =
  | { readonly kind: "no-builder"; readonly says: string }
  | { readonly kind: "builders-busy"; readonly says: string }
  | { readonly kind: "same-space"; readonly says: string }
  | { readonly kind: "same-owner"; readonly says: string }
  | { readonly kind: "ahead"; readonly says: string }
  | { readonly kind: "fair-share"; readonly says: string }
  | { readonly kind: "priority"; readonly says: string };

export interface Place {
  /** 1 is next. */
  readonly position: number;
  readonly of: number;
  /** From now; null where nothing can be said. */
  readonly estimateMs: DurationMs | null;
  readonly basis: string;
  /** It gives up then. */
  readonly until: Instant;
  /** Never empty (B6). */
  readonly reasons: readonly Reason[];
}

/** Places of all waiting builds, the next one first. */
export function placesOf(
  state: BuildsState,
  now: Instant,
  limits: BuildLimits,
): readonly { readonly build: QueuedBuild; readonly place: Place }[] {
  const order = inTurn(state, now, limits);
  const starts = startsOf(state, order, now);
  return order.map((build, at) => ({
    build,
    place: {
      position: at + 1,
      of: order.length,
      estimateMs: starts?.[at] ?? null,
      basis: starts ? "usual lengths of the builds of the last hour" : "no build has ended within the last hour",
      until: givesUpAt(state, build, limits),
      reasons: reasonsOf(state, { build, ahead: order.slice(0, at) }, now, limits),
    },
  }));
}

/** The builder that could take it now; another than the one that lost it, where there is one. */
export function seatFor(state: BuildsState, build: QueuedBuild, limits: BuildLimits): Builder | undefined {
  if (sameSpace(state, build) || isOwnerBusy(state, build, limits)) return undefined;
  const free = servingOf(state, build).filter((builder) => isFree(state, builder));
  return free.find(({ name }) => name !== build.again?.builder) ?? free[0];
}

/** Connected builders that build this SDK; where it is not known, the builder finds out. */
export function servingOf({ builders }: BuildsState, { terms: { sdk } }: QueuedBuild): readonly Builder[] {
  return [...builders.values()].filter(
    ({ awaySince, sdks }) => awaySince === null && (sdk === null || sdks.includes(sdk)),
  );
}

/** When a waiting build gives up: where none is there that can build it, waiting is of use only while one may come back. */
export function givesUpAt(state: BuildsState, build: QueuedBuild, { returnMs }: BuildLimits): Instant {
  if (servingOf(state, build).length > 0) return build.deadline;
  const { sdk } = build.terms;
  const away = [...state.builders.values()].filter(({ sdks }) => sdk === null || sdks.includes(sdk));
  const back = away.map(({ awaySince }) => (awaySince === null ? 0 : after(awaySince, returnMs)));
  return earliest(build.deadline, Math.max(build.builderBy, ...back) as Instant);
}

/** Why no builder serves it. */
export function noBuilderSays({ builders }: BuildsState, { terms: { sdk } }: QueuedBuild): string {
  const here = [...builders.values()].filter(({ awaySince }) => awaySince === null);
  if (here.length === 0) return "no builder is connected";
  const sdks = [...new Set(here.flatMap((builder) => builder.sdks))].sort();
  return `no builder serves sdk ${sdk}; here are ${sdks.join(", ") || "none"}`;
}

function reasonsOf(
  state: BuildsState,
  { build, ahead }: { readonly build: QueuedBuild; readonly ahead: readonly QueuedBuild[] },
  now: Instant,
  limits: BuildLimits,
): readonly Reason[] {
  const { owner } = build.terms;
  const reasons: Reason[] = [];
  const serving = servingOf(state, build);
  if (serving.length === 0) reasons.push({ kind: "no-builder", says: noBuilderSays(state, build) });
  else if (!serving.some((builder) => isFree(state, builder)))
    reasons.push({ kind: "builders-busy", says: busySays(serving) });
  const same = sameSpace(state, build);
  if (same)
    reasons.push({
      kind: "same-space",
      says: `build ${same.terms.build} of this Space is ${same.stage}, and a Space builds one commit at a time`,
    });
  else if (isOwnerBusy(state, build, limits)) {
    const [one] = leasedOf(state, owner);
    const says = `build ${one?.terms.build} of ${owner} is ${one?.stage}, and builds of one owner run one at a time, since they share caches`;
    reasons.push({ kind: "same-owner", says });
  }
  reasons.push(...aheadOf(state, build, ahead, now, limits));
  return reasons;
}

function aheadOf(
  state: BuildsState,
  build: QueuedBuild,
  ahead: readonly QueuedBuild[],
  now: Instant,
  limits: BuildLimits,
): readonly Reason[] {
  const { owner, queuedAt } = build.terms;
  const urgent = ahead.filter(({ priority }) => priority > build.priority);
  const before = ahead.filter(
    ({ priority, terms }) => priority === build.priority && (terms.owner === owner || terms.queuedAt <= queuedAt),
  );
  const fair = ahead.filter((one) => !urgent.includes(one) && !before.includes(one));
  const reasons: Reason[] = [];
  if (urgent.length > 0)
    reasons.push({
      kind: "priority",
      says: `${builds(urgent.length)} of a higher priority ${goes(urgent.length)} first`,
    });
  if (before.length > 0) reasons.push({ kind: "ahead", says: `${builds(before.length)} ahead` });
  if (fair.length > 0) {
    const used = Math.round(shareOf(state, owner, now, limits) / 1000);
    const says = `${builds(fair.length)} that came later ${goes(fair.length)} first: ${owner} used ${used} s of building lately, their owners less`;
    reasons.push({ kind: "fair-share", says });
  }
  return reasons;
}

function busySays(serving: readonly Builder[]): string {
  const [one] = serving;
  return serving.length === 1 ? `builder ${one?.name} is busy` : `all ${serving.length} builders are busy`;
}

function builds(count: number): string {
  return `${count} build${count === 1 ? "" : "s"}`;
}

function goes(count: number): string {
  return count === 1 ? "goes" : "go";
}

function sameSpace({ builds: all }: BuildsState, { terms }: QueuedBuild): LeasedBuild | undefined {
  return [...all.values()].filter(isLeased).find((one) => one.terms.space === terms.space);
}

function isOwnerBusy(state: BuildsState, { terms }: QueuedBuild, { ownerAtOnce }: BuildLimits): boolean {
  return leasedOf(state, terms.owner).length >= ownerAtOnce;
}

function isFree(state: BuildsState, { name, parallel }: Builder): boolean {
  return leasesOn(state, name).length < parallel;
}

function leasesOn({ builds: all }: BuildsState, name: string): readonly LeasedBuild[] {
  return [...all.values()].filter(isLeased).filter(({ lease }) => lease.builder === name);
}

/** When they would begin if every build took its usual time, in their order; undefined where no usual time is known. */
function startsOf(
  state: BuildsState,
  order: readonly QueuedBuild[],
  now: Instant,
): readonly (DurationMs | null)[] | undefined {
  if (usualMs(state, "") === undefined) return undefined;
  const ends = new Map<string, number>();
  const seats = [...state.builders.values()]
    .filter(({ awaySince }) => awaySince === null)
    .flatMap((builder) => seatTimes(state, builder, now, ends));
  return order.map(({ terms: { owner, space } }) => {
    const seat = seats.indexOf(Math.min(...seats));
    if (seat === -1) return null;
    const start = Math.max(seats[seat] ?? 0, ends.get(owner) ?? 0);
    const end = start + (usualMs(state, space) ?? 0);
    seats[seat] = end;
    ends.set(owner, end);
    return durationMs(start);
  });
}

/** In how many milliseconds each seat of a builder is free; `ends` learns when its owners' builds end. */
function seatTimes(state: BuildsState, builder: Builder, now: Instant, ends: Map<string, number>): number[] {
  const busy = leasesOn(state, builder.name).map(({ terms: { owner, space }, givenAt }) => {
    const leftMs = between(now, after(givenAt, usualMs(state, space) ?? durationMs(0)));
    ends.set(owner, Math.max(ends.get(owner) ?? 0, leftMs));
    return leftMs;
  });
  const free = Array.from({ length: Math.max(0, builder.parallel - busy.length) }, () => 0);
  return [...busy, ...free];
}
