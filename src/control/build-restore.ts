/**
 * The queue after a start of the platform: whoever waited goes on waiting with its place, whoever was with a builder stays there as
 * long as it takes the builder to say so, and the time during which the platform was away ends nothing.
 */
import type { BuildRow, Builds } from "../catalog/builds.ts";
import { isLeased, noBuilds } from "../core/builds/model.ts";
import type { Build, BuildLimits, BuildsState, Use } from "../core/builds/model.ts";
import { after, between, instant } from "../stdx/time.ts";
import type { DurationMs, Instant } from "../stdx/time.ts";
import { spaceOwner } from "../contract/space.ts";

/** Ended builds that are read for what owners used lately. */
const usesRead = 500;

/** Of the open builds that `rows` hold; one that kept nothing by which it could go on is not among them. */
export async function restoredBuilds(
  catalog: Pick<Builds, "endedSince">,
  rows: readonly BuildRow[],
  now: Instant,
  limits: BuildLimits,
): Promise<BuildsState> {
  const ended = await catalog.endedSince(instant(now - limits.shareMs), usesRead);
  const builds = rows.flatMap(({ machine }) =>
    machine === null ? [] : restored(JSON.parse(machine) as Build, now, limits),
  );
  return {
    ...noBuilds,
    builds: new Map(builds.map((build) => [build.terms.build, build])),
    uses: ended.map(useOf),
  };
}

/**
 * No deadline passes within `returnMs` of the start, and a wall clock that stepped back makes none longer than it was made for. What was
 * published may have been stopped with the platform: it has its whole time to listen again.
 */
function restored(build: Build, now: Instant, { returnMs, waitMs, buildMs }: BuildLimits): Build {
  const back = after(now, returnMs);
  const within = (deadline: Instant, mostMs: DurationMs): Instant =>
    instant(Math.max(back, Math.min(deadline, after(now, mostMs))));
  if (build.stage === "queued") return { ...build, deadline: within(build.deadline, waitMs), builderBy: back };
  if (isLeased(build))
    return { ...build, lease: { ...build.lease, until: back }, deadline: within(build.deadline, buildMs) };
  return { ...build, since: now, deadline: after(now, between(build.since, build.deadline)) };
}

function useOf({ space, claimedAt, endedAt }: BuildRow): Use {
  const at = endedAt ?? instant(0);
  return { owner: spaceOwner(space), space, at, ms: between(claimedAt ?? at, at) };
}
