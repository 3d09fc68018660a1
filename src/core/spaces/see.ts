/** Decides what follows from what is seen: a build, a replica or a node moved, time passed, nobody came. Nobody asked for it. */
import { app, ends, platform, releaseOf } from "./model.ts";
import type { Reason, State } from "./model.ts";
import { building, rest, resting, wanted } from "./draft.ts";
import type { Draft, Moved } from "./draft.ts";
import { renew, tryAnew } from "./renew.ts";
import { answering, finalEnds, idleAt, isOver, livingOf, passingEnd } from "./seen.ts";
import type { BuildSeen, ReplicaSeen, Seen } from "./seen.ts";

export function see(draft: Draft, seen: Seen): void {
  const { state } = draft;
  // What nodes have not told of yet is as it was.
  if (seen.node === "untold" && seen.replicas.length === 0 && state.name !== "building" && state.name !== "failing")
    return;
  switch (state.name) {
    case "paused":
      return draft.retire(livingOf(seen), state.reason.says);
    case "sleeping":
      return asleep(draft, state, seen);
    case "stopping":
      return stopping(draft, state, seen);
    case "stopped":
      if (state.cause === "asked" || state.cause === "no-replicas")
        return draft.retire(livingOf(seen), state.reason.says);
      return up(draft, seen);
    default:
      return up(draft, seen);
  }
}

/** A connection that comes for a frozen app lets it go on without asking us: then it runs. */
function asleep(draft: Draft, state: Extract<State, { name: "sleeping" }>, seen: Seen): void {
  const living = livingOf(seen);
  const ready = living.find(({ phase, frozen }) => phase === "ready" && !frozen);
  if (state.mode === "freeze" && ready) return draft.move(running("a request came for it while it was frozen"));
  if (isOver(state, draft.now)) {
    const reason = { says: "nobody asked for it for so long that the platform paused it", code: null };
    return rest(draft, { name: "paused", by: "inactivity", actor: platform, reason }, seen);
  }
  // A frozen app that died is not started again before somebody asks for it; one that lacks a change is not what is to wake.
  const keeps = ({ phase, outdated }: ReplicaSeen): boolean =>
    state.mode === "freeze" && phase !== "starting" && outdated === null;
  draft.retire(
    living.filter((one) => !keeps(one)),
    state.reason.says,
  );
}

function stopping(draft: Draft, state: Extract<State, { name: "stopping" }>, seen: Seen): void {
  const { goal } = state;
  const left = seen.replicas.filter(({ phase }) => phase !== "ended");
  const freezes = goal.name === "sleeping" && goal.mode === "freeze";
  if (left.every(({ frozen }) => freezes && frozen)) return draft.move(resting(goal, draft.now, seen));
  const ready = left.filter(({ phase, frozen, retiring }) => phase === "ready" && !frozen && !retiring);
  if (isOver(state, draft.now)) {
    // What could not be frozen serves on: requests are under way there.
    if (freezes && ready[0]) return draft.move(running("it could not be frozen in time"));
    const late = left.map(({ id }) => id).join(", ");
    const reason = { says: `${goal.reason.says}; ${late} did not end in time`, code: "runtime/stop-timeout" };
    return draft.move(resting({ ...goal, reason }, draft.now, seen));
  }
  if (freezes) draft.freeze(ready);
  draft.retire(
    livingOf(seen).filter(({ phase }) => !freezes || phase === "starting"),
    state.reason.says,
  );
}

/** States that follow from what is there: it runs, starts, is built, or is down by a fault. */
function up(draft: Draft, seen: Seen): void {
  succeed(draft, seen);
  giveUpLate(draft, seen);
  if (renew(draft, seen)) return;
  const derived = derive(draft, seen);
  if (derived !== undefined && !isSame(draft.state, derived)) draft.move(derived);
  if (tryAnew(draft, seen)) return;
  if (draft.state.name === "running") idle(draft, seen);
  if (isBootTimeout(draft.state))
    giveUp(
      draft,
      livingOf(seen).filter(({ phase }) => phase === "starting"),
      seen,
    );
}

/** They are not waited for any more, nor is the release that was to take over with them. */
function giveUp(draft: Draft, late: readonly ReplicaSeen[], seen: Seen): void {
  const { release, next, horizon } = draft.space;
  const says = `no word came of replica ${late.map(({ id }) => id).join(", ")} in time`;
  draft.giveUp(late, says);
  const isNexts = (one: ReplicaSeen): boolean => one.release === next;
  if (release === null || !late.some(isNexts) || livingOf(seen).some((one) => isNexts(one) && !late.includes(one)))
    return;
  const reason = { says: `release ${next} never answered: ${says}`, code: "route/boot-timeout" };
  draft.change({ kind: "next", next: null, horizon }, platform, reason);
}

/** The release that comes next takes over when it is ready, whole or as far as it will ever be; then the others are not needed. */
function succeed(draft: Draft, seen: Seen): void {
  const living = livingOf(seen);
  beginWithAnother(draft, living);
  const next = successor(draft, living);
  if (next !== undefined) {
    const own = living.filter(({ release }) => release === next.release);
    const ready = own.filter(({ phase, frozen }) => phase === "ready" && !frozen).length;
    const isReady = ready >= wanted(draft.space) || (ready > 0 && ready === own.length);
    if (isReady) {
      const horizon = Math.max(draft.space.horizon, next.publishedAt);
      const reason = { says: `release ${next.release} is ready`, code: null };
      draft.change({ kind: "release", release: next.release, horizon }, app, reason);
    } else draft.thaw(own.filter(({ frozen }) => frozen));
  } else giveUpNext(draft, seen);
  const { release, next: coming, horizon } = draft.space;
  const answers = living.filter((one) => one.release === release && one.phase === "ready" && !one.frozen);
  if (answers.length === 0) return;
  const others = living.filter(
    (one) => one.release !== release && one.release !== coming && one.publishedAt <= horizon,
  );
  draft.retire(others, `release ${release} took over`);
  // One that was frozen while another took its place is of use only where more are wanted.
  const frozen = living.filter((one) => one.release === release && one.frozen);
  const isNeeded = ({ outdated }: ReplicaSeen): boolean => outdated === null && answers.length < wanted(draft.space);
  draft.thaw(frozen.filter(isNeeded));
  draft.retire(
    frozen.filter((one) => !isNeeded(one)),
    "another replica took over",
  );
  const oldFirst = answers.toSorted((a, b) => Number(b.outdated !== null) - Number(a.outdated !== null));
  draft.retire(oldFirst.slice(0, Math.max(0, answers.length - wanted(draft.space))), "another replica took over");
}

/** Nothing ran before, and a release answers that was to run until another was published: it runs, and that one comes next. */
function beginWithAnother(draft: Draft, living: readonly ReplicaSeen[]): void {
  const { release, next, horizon } = draft.space;
  const first = living.findLast((one) => one.release !== next && one.phase === "ready" && !one.frozen);
  if (release !== null || next === null || !first) return;
  const reason = { says: `release ${first.release} is ready`, code: null };
  draft.change({ kind: "release", release: first.release, horizon }, app, reason);
  draft.change({ kind: "next", next, horizon }, app, { says: `release ${next} comes next`, code: null });
}

/** One of the replicas whose release comes next: the one that is wanted, or the newest of those published after all others. */
function successor({ space }: Draft, living: readonly ReplicaSeen[]): ReplicaSeen | undefined {
  const later = living.filter(({ publishedAt, release }) => publishedAt > space.horizon && release !== space.release);
  const newest = later.toSorted((a, b) => a.publishedAt - b.publishedAt).at(-1);
  return newest ?? living.find(({ release }) => release === space.next);
}

/** One that its node does not start again never takes over: the release that runs goes on. */
function giveUpNext(draft: Draft, seen: Seen): void {
  const { next, release, horizon } = draft.space;
  if (next === null || release === null) return;
  const end = seen.replicas.findLast((replica) => replica.release === next)?.end;
  // One that was stopped, as by the platform's own stop, is started again when its node is there.
  if (!end || end.stopped || !finalEnds.includes(end.code)) return;
  const reason = { says: `release ${next} never answered: ${end.says}`, code: end.code };
  draft.change({ kind: "next", next: null, horizon }, app, reason);
}

/** Beside one that answers, a replica of which no word comes in time is not waited for any more. */
function giveUpLate(draft: Draft, seen: Seen): void {
  if (answering(draft.space, seen).length === 0) return;
  const isLate = ({ phase, listenBy }: ReplicaSeen): boolean => phase === "starting" && draft.now >= listenBy;
  giveUp(draft, livingOf(seen).filter(isLate), seen);
}

function derive(draft: Draft, seen: Seen): Moved | undefined {
  const { space, state, now } = draft;
  const ready = answering(space, seen).at(-1);
  if (ready) return running();
  const living = livingOf(seen).filter(({ frozen, outdated }) => !frozen || outdated === null);
  draft.thaw(living.filter(({ release, frozen }) => release === space.release && frozen));
  const late = state.name === "starting" || state.name === "waking" ? isOver(state, now) : isBootTimeout(state);
  const begun = living.findLast(({ phase, frozen }) => phase === "starting" || frozen);
  if (begun && !late) return startingAs(draft, begun, seen);
  if (begun) return failing({ says: `no word came of replica ${begun.id} in time`, code: "route/boot-timeout" });
  return down(draft, seen);
}

function startingAs({ state }: Draft, begun: ReplicaSeen, seen: Seen): Moved | undefined {
  const before = seen.replicas.find(({ id }) => id === begun.follows)?.end;
  const passes = before?.code === passingEnd;
  // One that wakes has one deadline; what its node tries until space was freed has one for each try.
  if (state.name === "waking" && !passes) return undefined;
  if (state.name === "starting" && state.follows === begun.follows) return undefined;
  const because = before ? `; the one before it ended: ${before.says}` : "";
  const reason = { says: `replica ${begun.id} has not listened yet${because}`, code: passes ? passingEnd : null };
  const actor = begun.follows === null || passes ? platform : app;
  return { name: "starting", follows: begun.follows, actor, reason, deadline: begun.listenBy, ends: ends.listens };
}

/** Nothing of it lives. */
function down(draft: Draft, seen: Seen): Moved | undefined {
  const { space, state, now } = draft;
  const { build } = seen;
  // A start that was ordered has a time of its own, whatever is built beside it.
  const ordered = (state.name === "starting" || state.name === "waking") && !isOver(state, now);
  const last = seen.replicas.findLast(({ phase }) => phase === "ended");
  // A build that failed by its app's end is one of the ends that were too many.
  const gaveUp = last?.end?.code === "app/crash-loop" && build?.failed?.code.startsWith("app/") === true;
  // What ran when the platform ended goes on when that is back, and does not wait for what is built beside it.
  const isFault = state.name === "failing" || state.name === "crash-looping";
  const goesOn = last?.end?.stopped === true && releaseOf(space) !== null && !isFault && state.name !== "building";
  if (build && !ordered && !gaveUp && !goesOn) {
    const told = ofBuild(draft, build);
    if (told !== undefined) return told === "as it is" ? undefined : told;
  }
  // What was given up on ends by our own order now.
  if (isBootTimeout(state)) return undefined;
  // Its node starts it again by itself, or is told to when it is connected: whoever waits for the start waits on.
  if (ordered && last?.end && !finalEnds.includes(last.end.code)) return undefined;
  if (last?.end) return ended(last.id, last.end);
  if (state.name === "starting" || state.name === "waking")
    return ordered ? undefined : failing({ says: "no word came of its start in time", code: "route/boot-timeout" });
  if (space.release !== null && seen.node === "away" && !isFault) {
    const reason = { says: "its node is not connected", code: "route/control-down" };
    return { name: "stopped", cause: "node-away", actor: platform, reason, deadline: null, ends: ends.nodeBack };
  }
  return state.name === "building" ? unbuilt(draft, build) : undefined;
}

/** Its build has ended, neither badly nor with a release that is to run. */
function unbuilt({ space }: Draft, build: BuildSeen | null): Moved {
  const reason = { says: build ? `build ${build.id} ${build.says}` : "nothing is built", code: null };
  return space.release === null
    ? { name: "no-release", actor: platform, reason, deadline: null, ends: ends.deploy }
    : failing(reason, build?.id ?? null);
}

/** What its newest build makes of a Space of which nothing lives. */
function ofBuild({ space, state, now }: Draft, build: BuildSeen): Moved | "as it is" | undefined {
  const { id, says, endsBy, failed } = build;
  const isKnown = state.name === "failing" && state.build === id;
  if (endsBy !== null) {
    if (isKnown) return "as it is";
    if (now < endsBy)
      return state.name === "building" && state.build === id
        ? "as it is"
        : building(build, { kind: "owner", account: null }, "", endsBy);
    return failing({ says: `no word came of build ${id} in time: it ${says}`, code: "build/builder-lost" }, id);
  }
  if (isKnown && failed === null) return undefined;
  if (failed === null || (space.release !== null && state.name !== "building" && !isKnown)) return undefined;
  return failing({ says: `build ${id} failed: ${failed.says}`, code: failed.code }, id);
}

function ended(replica: string, end: NonNullable<ReplicaSeen["end"]>): Moved {
  // Nobody but the platform stops a replica, and only to start another or to end itself: the app has no part in it.
  if (end.stopped) {
    const reason = { says: end.says, code: "route/control-down" };
    return { name: "stopped", cause: "platform", actor: platform, reason, deadline: null, ends: ends.platformBack };
  }
  const reason = { says: `replica ${replica} ended: ${end.says}`, code: end.code };
  if (end.code !== "app/crash-loop") return failing(reason);
  return { name: "crash-looping", actor: app, reason, deadline: null, ends: ends.mended };
}

function failing(reason: Reason, build: string | null = null): Moved {
  const actor = reason.code?.startsWith("app/") === true || reason.code?.startsWith("build/") === true ? app : platform;
  return { name: "failing", build, actor, reason, deadline: null, ends: ends.mended };
}

/** No release and no replica is named: others take over while it runs. */
function running(why = "its app answers"): Moved {
  return { name: "running", actor: app, reason: { says: why, code: null }, deadline: null, ends: ends.runs };
}

/** Nobody asked for so long: it goes to sleep. */
function idle(draft: Draft, seen: Seen): void {
  const { space, now } = draft;
  const { sleepAfterMs, sleepMode } = space.settings;
  const until = idleAt(space, seen);
  if (sleepAfterMs === null || until === null || now < until || seen.busy > 0) return;
  const says = `nobody asked for it for ${Math.round(sleepAfterMs / 1000)} s`;
  rest(draft, { name: "sleeping", mode: sleepMode, actor: platform, reason: { says, code: null } }, seen);
}

function isBootTimeout(state: State): boolean {
  return state.name === "failing" && state.reason.code === "route/boot-timeout";
}

/** Whether the Space is there already: only what a reader would take for news is an event. */
function isSame(state: State, to: Moved): boolean {
  if (state.name !== to.name) return false;
  switch (to.name) {
    case "starting":
      return state.name === "starting" && state.follows === to.follows;
    case "building":
      return state.name === "building" && state.build === to.build;
    case "stopped":
      return state.name === "stopped" && state.cause === to.cause;
    case "failing":
    case "crash-looping":
      return state.reason.code === to.reason.code && state.reason.says === to.reason.says;
    default:
      return true;
  }
}
