/** Applies what did happen to the builds. Total: a recorded event is never refused. */
import { assert } from "../../stdx/assert.ts";
import { between } from "../../stdx/time.ts";
import type { Instant } from "../../stdx/time.ts";
import { isLeased } from "./model.ts";
import type { Build, BuildEvent, Builder, BuildsState, LeasedBuild, Use } from "./model.ts";

/** Attempts that are remembered: more than a machine's builders end in the time that counts. */
const usesMax = 500;

export function evolve(state: BuildsState, event: BuildEvent, now: Instant): BuildsState {
  switch (event.type) {
    case "queued": {
      const { terms, priority, deadline, builderBy } = event;
      const common = { terms, priority, attempts: 0, fetchFailed: false, since: now };
      return withBuild(state, { ...common, stage: "queued", deadline, builderBy, again: null });
    }
    case "given": {
      const { lease, number, deadline } = event;
      const build = open(state, event.build);
      assert(build.stage === "queued", "B3: only a waiting build is given to a builder");
      assert(lease.fence === build.attempts + 1, "B4: each hand-over raises the fence by one");
      const given: LeasedBuild = {
        ...common(build, now),
        attempts: lease.fence,
        stage: "claimed",
        lease,
        number,
        givenAt: now,
        taken: false,
        deadline,
      };
      return { ...withBuild(state, given), handed: new Map(state.handed).set(lease.builder, number) };
    }
    case "taken":
      return leased(state, event.build, (build) => ({
        ...build,
        taken: true,
        lease: { ...build.lease, until: event.until },
      }));
    case "moved":
      return leased(state, event.build, (build) => ({
        ...build,
        stage: event.stage,
        since: now,
        taken: true,
        lease: { ...build.lease, until: event.until },
      }));
    case "renewed":
      return leased(state, event.build, (build) => ({ ...build, lease: { ...build.lease, until: event.until } }));
    case "requeued": {
      const { code, says, deadline, builderBy, lease } = event;
      const build = open(state, event.build);
      const again = { builder: lease.builder, code, says };
      const fetchFailed = build.fetchFailed || code === "build/fetch-failed";
      const queued: Build = { ...common(build, now), fetchFailed, stage: "queued", deadline, builderBy, again };
      return withBuild(used(state, build, now), queued);
    }
    case "published": {
      const build = open(state, event.build);
      assert(isLeased(build), "B3: only what a builder has is published");
      const { release, deadline } = event;
      const starting: Build = {
        ...common(build, now),
        stage: "starting",
        builder: build.lease.builder,
        release,
        deadline,
      };
      return withBuild(used(state, build, now), starting);
    }
    case "prioritized":
      return withBuild(state, { ...open(state, event.build), priority: event.priority });
    case "ended": {
      const builds = new Map(state.builds);
      builds.delete(event.build);
      return { ...used(state, open(state, event.build), now), builds };
    }
    case "builder-joined":
      return withBuilder(state, event.builder.name, { ...event.builder, awaySince: null });
    case "builder-left": {
      const known = state.builders.get(event.builder);
      return known ? withBuilder(state, event.builder, { ...known, awaySince: now }) : state;
    }
  }
}

function open({ builds }: BuildsState, id: string): Build {
  const build = builds.get(id);
  assert(build, `B1: build ${id} has not ended`);
  return build;
}

function common({ terms, priority, attempts, fetchFailed }: Build, since: Instant) {
  return { terms, priority, attempts, fetchFailed, since };
}

function leased(state: BuildsState, id: string, change: (build: LeasedBuild) => LeasedBuild): BuildsState {
  const build = open(state, id);
  assert(isLeased(build), `B3: a builder has build ${id}`);
  return withBuild(state, change(build));
}

function withBuild(state: BuildsState, build: Build): BuildsState {
  return { ...state, builds: new Map(state.builds).set(build.terms.build, build) };
}

function withBuilder(state: BuildsState, name: string, builder: Builder): BuildsState {
  return { ...state, builders: new Map(state.builders).set(name, builder) };
}

/** Counts the time that a builder had it. */
function used(state: BuildsState, build: Build, now: Instant): BuildsState {
  if (!isLeased(build)) return state;
  const { owner, space } = build.terms;
  const use: Use = { owner, space, at: now, ms: between(build.givenAt, now) };
  return { ...state, uses: [...state.uses, use].slice(-usesMax) };
}
