/**
 * Decides what people and builds want of a Space. Reads no clock and changes nothing; the answer is events, to be made durable
 * first, and then effects, to be carried out. What is only seen (a replica moved, time passed) is decided in see.ts.
 */
import { after } from "../../stdx/time.ts";
import type { DurationMs, Instant } from "../../stdx/time.ts";
import { app, ends, liftSays, mayLift, platform, releaseOf } from "./model.ts";
import type { Actor, PauseKind, Reason, Space, SpaceSettings, State } from "./model.ts";
import { building, Draft, goOn, missing, rest, starting, startMarginMs, wanted } from "./draft.ts";
import type { Decision, Refusal, Resting } from "./draft.ts";
import { see } from "./see.ts";
import { livingOf } from "./seen.ts";
import type { Seen } from "./seen.ts";

export type Command =
  | { readonly type: "pause"; readonly actor: Actor; readonly by: PauseKind; readonly why: string | null }
  | { readonly type: "resume"; readonly actor: Actor }
  | { readonly type: "restart"; readonly actor: Actor }
  /** The newest build, which was just queued, is a factory rebuild that this person wants. */
  | { readonly type: "factory"; readonly actor: Actor }
  | { readonly type: "stop"; readonly actor: Actor }
  | { readonly type: "roll-back"; readonly actor: Actor; readonly release: string; readonly startWithinMs: DurationMs }
  | { readonly type: "set"; readonly actor: Actor; readonly change: Partial<SpaceSettings> }
  /** A build has published a release, which is to run. */
  | {
      readonly type: "publish";
      readonly release: string;
      /** When its build was; null where none is known. */
      readonly queuedAt: number | null;
      readonly publishedAt: number;
      readonly startWithinMs: DurationMs;
    }
  /** Somebody asks for the app. */
  | { readonly type: "wake"; readonly actor: Actor }
  /** Its node has said which replicas it has. */
  | { readonly type: "node-came" }
  /** Something moved, or time passed. */
  | { readonly type: "see" };

export function decide(space: Space, command: Command, seen: Seen, now: Instant): Decision {
  const draft = new Draft(space, now);
  switch (command.type) {
    case "see":
      see(draft, seen);
      return draft.decision;
    case "node-came":
      return nodeCame(draft, seen);
    case "pause":
      return pause(draft, command, seen);
    case "stop":
      return stop(draft, command.actor, seen);
    case "resume":
      return resume(draft, command.actor, seen);
    case "restart":
      return restart(draft, command.actor, seen);
    case "factory":
      return factory(draft, command.actor, seen);
    case "roll-back":
      return rollBack(draft, command, seen);
    case "set":
      return set(draft, command.actor, command.change, seen);
    case "publish":
      return publish(draft, command, seen);
    case "wake":
      return wake(draft, command.actor, seen);
  }
}

function pause(draft: Draft, { actor, by, why }: Extract<Command, { type: "pause" }>, seen: Seen): Decision {
  const { state } = draft;
  const current = target(state);
  // A repeat; and who may not lift a pause cannot put a weaker one in its place.
  if (current.name === "paused" && (current.by === by || !mayLift(actor, current.by))) return draft.decision;
  const reason = { says: why ?? `${pausedBy[by]} paused it`, code: null };
  keepNext(draft, actor, reason);
  rest(draft, { name: "paused", by, reason, actor }, seen);
  return draft.decision;
}

function stop(draft: Draft, actor: Actor, seen: Seen): Decision {
  const { state } = draft;
  const current = target(state);
  const queuedTo = seen.build?.queuedAt ?? null;
  const isAsked = current.name === "stopped" && current.cause === "asked" && current.queuedTo === queuedTo;
  if (isAsked || current.name === "paused" || state.name === "no-release") return draft.decision;
  const reason = { says: `${says(actor)} stopped it`, code: null };
  keepNext(draft, actor, reason);
  rest(draft, { name: "stopped", cause: "asked", queuedTo, actor, reason }, seen);
  return draft.decision;
}

/** The release that was starting is what runs when it goes on. */
function keepNext(draft: Draft, actor: Actor, reason: Reason): void {
  const { next, horizon } = draft.space;
  if (next !== null) draft.change({ kind: "release", release: next, horizon }, actor, reason);
}

/** Lifts a pause, and starts what is stopped or asleep; anything else goes on as it is. */
function resume(draft: Draft, actor: Actor, seen: Seen): Decision {
  const barred = barrier(draft.space, actor);
  if (barred) return barred;
  const { state } = draft;
  if (isZero(draft.space)) return noReplicas(draft.space);
  const goesOn = state.name === "stopped" && (state.cause === "node-away" || state.cause === "platform");
  const rests =
    state.name === "stopping" || state.name === "paused" || state.name === "stopped" || state.name === "sleeping";
  if (rests && !goesOn) begin(draft, actor, `${says(actor)} resumed it`, seen);
  return draft.decision;
}

function restart(draft: Draft, actor: Actor, seen: Seen): Decision {
  const { space, state } = draft;
  const barred = barrier(space, actor);
  if (barred) return barred;
  if (isZero(space)) return noReplicas(space);
  const release = releaseOf(space);
  if (release === null) return no("no-release", `There is nothing to restart: no release of ${space.id} has ever run.`);
  if (seen.node !== "here")
    return no("node-away", `The node of ${space.id} is not connected: it starts the app again when it is back.`);
  const living = livingOf(seen).filter((replica) => replica.release === release);
  // A start that is on its way serves this one too; one that only follows an end is not waited for.
  if (living.some(({ phase, follows }) => phase === "starting" && follows === null)) return draft.decision;
  if (state.name === "running") {
    draft.note(actor, `${says(actor)} restarted it`);
    draft.start(release, wanted(space));
  } else begin(draft, actor, `${says(actor)} restarted it`, seen, true);
  return draft.decision;
}

/** A pause is lifted by it, and what is asleep or stopped is down until it is built. */
function factory(draft: Draft, actor: Actor, seen: Seen): Decision {
  const { space, state } = draft;
  const { build } = seen;
  const barred = barrier(space, actor);
  if (barred) return barred;
  const current = target(state);
  const rests = current.name === "paused" || current.name === "stopped" || current.name === "sleeping";
  const why = `${says(actor)} has it built again`;
  if (!rests || !build?.endsBy) draft.note(actor, why);
  else if (state.name !== "building" || state.build !== build.id) {
    draft.move(building(build, actor, why, build.endsBy));
    draft.retire(livingOf(seen), why);
  }
  return draft.decision;
}

function rollBack(draft: Draft, command: Extract<Command, { type: "roll-back" }>, seen: Seen): Decision {
  const { actor, release, startWithinMs } = command;
  const { space, state } = draft;
  if (space.next === release || (space.next === null && space.release === release)) return draft.decision;
  const reason = { says: `${says(actor)} rolled back to release ${release}`, code: null };
  const horizon = space.horizon;
  const isUp = state.name === "running" && space.release !== release;
  if (isUp) {
    draft.change({ kind: "next", next: release, horizon }, actor, reason);
    if (!livingOf(seen).some((replica) => replica.release === release)) draft.start(release, wanted(space));
    return draft.decision;
  }
  if (space.release === release && livingOf(seen).some((replica) => replica.release === release)) {
    // What was to take over is not wanted any more.
    draft.change({ kind: "next", next: null, horizon }, actor, reason);
    return draft.decision;
  }
  draft.change({ kind: "release", release, horizon }, actor, reason);
  if (state.name === "paused" || (state.name === "stopping" && state.goal.name !== "sleeping")) return draft.decision;
  if (state.name === "stopped" && state.cause === "no-replicas") return draft.decision;
  draft.retire(
    livingOf(seen).filter((replica) => replica.release !== release),
    reason.says,
  );
  begin(draft, actor, reason.says, { ...seen, startWithinMs });
  return draft.decision;
}

function set(draft: Draft, actor: Actor, change: Partial<SpaceSettings>, seen: Seen): Decision {
  const { settings } = draft.space;
  const changed = (Object.keys(change) as (keyof SpaceSettings)[]).filter((key) => change[key] !== settings[key]);
  if (changed.length === 0) return draft.decision;
  const reason = { says: `${says(actor)} changed its settings`, code: null };
  draft.change({ kind: "settings", settings: { ...settings, ...change } }, actor, reason);
  if (changed.includes("replicas")) scale(draft, actor, { before: settings.replicas, seen });
  return draft.decision;
}

function scale(draft: Draft, actor: Actor, { before, seen }: { readonly before: number; readonly seen: Seen }): void {
  const { space, state } = draft;
  const { replicas } = space.settings;
  const isUp = state.name === "running" || state.name === "starting" || state.name === "waking";
  if (replicas === 0) {
    const reason = { says: `${says(actor)} set replicas to 0`, code: null };
    if (isHeld(space)) return;
    keepNext(draft, actor, reason);
    return rest(draft, { name: "stopped", cause: "no-replicas", actor, reason }, seen);
  }
  const release = releaseOf(space);
  // A build of a Space without replicas that came to nothing leaves it down, and its release was never tried.
  const wasZero = isZero(space) || (before === 0 && state.name === "failing" && release !== null);
  if (wasZero) return begin(draft, actor, `${says(actor)} set replicas to ${replicas}`, seen);
  if (isUp && release !== null) draft.start(release, missing(space, release, seen));
}

/** It has nothing to end, or somebody else's word holds it down. */
function isHeld(space: Space): boolean {
  const current = target(space.state);
  return (
    releaseOf(space) === null || current.name === "paused" || (current.name === "stopped" && current.cause === "asked")
  );
}

/** It is down, or will be, because its replicas are set to 0. */
function isZero({ state }: Space): boolean {
  const current = target(state);
  return current.name === "stopped" && current.cause === "no-replicas";
}

function noReplicas({ id }: Space): Extract<Decision, { ok: false }> {
  return no("no-replicas", `The replicas of ${id} are set to 0; \`waybill space set ${id} replicas=1\` starts it.`);
}

/** The state, or the one that it is on its way to. */
function target(state: State): State | Resting {
  return state.name === "stopping" ? state.goal : state;
}

function publish(draft: Draft, command: Extract<Command, { type: "publish" }>, seen: Seen): Decision {
  const { release, queuedAt, publishedAt, startWithinMs } = command;
  const { space, state } = draft;
  const actor: Actor = { kind: "owner", account: null };
  const reason = { says: `release ${release} was built`, code: null };
  const horizon = Math.max(space.horizon, publishedAt);
  const current = target(state);
  const isZero = space.settings.replicas === 0;
  if (isZero || holds(current, queuedAt)) {
    if (space.release !== release) draft.change({ kind: "release", release, horizon }, actor, reason);
    if (isZero && !holds(current, queuedAt)) rest(draft, atZero(actor), seen);
    return draft.decision;
  }
  if (space.release !== release && space.next !== release)
    draft.change({ kind: "next", next: release, horizon }, actor, reason);
  draft.start(release, missing(draft.space, release, seen));
  if (state.name === "running" || state.name === "starting" || state.name === "waking") return draft.decision;
  if (current.name === "sleeping" || current.name === "stopped")
    draft.retire(
      livingOf(seen).filter((replica) => replica.release !== release),
      reason.says,
    );
  draft.move(starting(draft.now, actor, reason, startWithinMs));
  return draft.decision;
}

/** Somebody's word that the release of a build queued then does not undo. */
function holds(current: State | Resting, queuedAt: number | null): boolean {
  if (current.name === "paused") return true;
  if (current.name !== "stopped") return false;
  const wasQueued = (to: number | null): boolean => queuedAt !== null && to !== null && queuedAt <= to;
  return current.cause === "no-replicas" || (current.cause === "asked" && wasQueued(current.queuedTo));
}

function wake(draft: Draft, actor: Actor, seen: Seen): Decision {
  const { space, state } = draft;
  const asleep = state.name === "sleeping" || (state.name === "stopping" && state.goal.name === "sleeping");
  if (state.name === "running" || state.name === "waking") return draft.decision;
  if (!asleep || space.release === null) return no("down", state.reason.says);
  if (seen.node !== "here") return no("node-away", "its node is not connected");
  const reason = { says: "somebody asked for it while it was asleep", code: null };
  const deadline = after(draft.now, (seen.startWithinMs + startMarginMs) as DurationMs);
  draft.move({ name: "waking", reason, actor, deadline, ends: ends.listens });
  goOn(draft, space.release, seen, { wasStopping: state.name === "stopping" });
  return draft.decision;
}

/** The node has told what it has: what should run and does not is started, but for what was given up on. */
function nodeCame(draft: Draft, seen: Seen): Decision {
  see(draft, seen);
  const { space, state } = draft;
  const { release, next } = space;
  const wants =
    state.name === "running" ||
    state.name === "starting" ||
    state.name === "waking" ||
    (state.name === "failing" && release !== null) ||
    (state.name === "stopped" && (state.cause === "platform" || state.cause === "node-away"));
  if (!wants || seen.node !== "here") return draft.decision;
  const givenUp = (id: string): boolean =>
    seen.replicas.findLast((replica) => replica.release === id && replica.phase === "ended")?.end?.code ===
    "app/crash-loop";
  for (const id of [release, next]) {
    if (id === null || givenUp(id) || draft.starts(id)) continue;
    const count = missing(space, id, seen);
    draft.start(id, count);
    const isDown = state.name === "failing" || state.name === "stopped";
    if (count > 0 && id === release && (isDown || (state.name === "running" && count === wanted(space)))) {
      const reason = { says: "its node is connected, and had no replica of it", code: null };
      draft.move(starting(draft.now, platform, reason, seen.startWithinMs));
    }
  }
  return draft.decision;
}

/** Starts what should run; where it cannot be, says what it waits for. `anew`: also where replicas of it live. */
function begin(draft: Draft, actor: Actor, why: string, seen: Seen, anew = false): void {
  const { space, state } = draft;
  const release = releaseOf(space);
  const reason = { says: why, code: null };
  if (release === null) return beginWithout(draft, actor, reason, seen);
  if (space.settings.replicas === 0) return rest(draft, atZero(actor), seen);
  if (seen.node !== "here") {
    const away = { says: `${why}; its node is not connected`, code: "route/control-down" };
    return draft.move({
      name: "stopped",
      cause: "node-away",
      actor,
      reason: away,
      deadline: null,
      ends: ends.nodeBack,
    });
  }
  draft.move(starting(draft.now, actor, reason, seen.startWithinMs));
  goOn(draft, release, seen, { wasStopping: state.name === "stopping", anew });
}

function atZero(actor: Actor): Resting {
  return { name: "stopped", cause: "no-replicas", actor, reason: { says: "its replicas are set to 0", code: null } };
}

function beginWithout(draft: Draft, actor: Actor, reason: Reason, { build }: Seen): void {
  if (build?.endsBy) return draft.move(building(build, actor, reason.says, build.endsBy));
  if (build?.failed) {
    const { code, says: because } = build.failed;
    const failed = { says: `build ${build.id} failed: ${because}`, code };
    return draft.move({
      name: "failing",
      build: build.id,
      actor: app,
      reason: failed,
      deadline: null,
      ends: ends.mended,
    });
  }
  draft.move({ name: "no-release", actor, reason, deadline: null, ends: ends.deploy });
}

/** Why this person may not have it start: a pause that only others lift. */
export function barrier({ id, state }: Space, actor: Actor): Extract<Decision, { ok: false }> | undefined {
  const current = target(state);
  if (current.name !== "paused" || mayLift(actor, current.by)) return undefined;
  return no("paused", `${id} is paused: ${current.reason.says}. ${liftSays(current.by)}`);
}

function no(refusal: Refusal, why: string): Extract<Decision, { ok: false }> {
  return { ok: false, refusal, says: why };
}

const pausedBy: Readonly<Record<PauseKind, string>> = {
  owner: "its owner",
  operator: "the operator",
  inactivity: "nobody asked for it for long, so the platform",
  budget: "its budget is used up, so the platform",
  "abuse-rule": "a rule against abuse",
};

/** `alice`, or what the actor is where no account is known. */
function says({ kind, account }: Actor): string {
  return account ?? (kind === "owner" ? "its owner" : kind === "operator" ? "the operator" : `the ${kind}`);
}
