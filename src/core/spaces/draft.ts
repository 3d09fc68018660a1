/** A decision about a Space in the making, and the states that more than one rule leads to. */
import { after } from "../../stdx/time.ts";
import type { DurationMs, Instant } from "../../stdx/time.ts";
import { ends, evolve, liftSays } from "./model.ts";
import type { Actor, Change, Reason, Rest, Space, SpaceEvent, State } from "./model.ts";
import { livingOf } from "./seen.ts";
import type { BuildSeen, ReplicaSeen, Seen } from "./seen.ts";

export type Effect =
  | { readonly type: "start"; readonly release: string; readonly count: number }
  | { readonly type: "retire"; readonly replicas: readonly string[]; readonly why: string; readonly gaveUp?: true }
  | { readonly type: "freeze"; readonly replicas: readonly string[] }
  | { readonly type: "thaw"; readonly replicas: readonly string[] };

/** Why a person's wish cannot be. `paused`: not by this person. */
export type Refusal = "paused" | "no-release" | "no-replicas" | "node-away" | "down";

export type Decision =
  | { readonly ok: true; readonly events: readonly SpaceEvent[]; readonly effects: readonly Effect[] }
  | { readonly ok: false; readonly refusal: Refusal; readonly says: string };

/** Beyond what an app was given to listen: its shim's own word about it. */
export const startMarginMs = 10_000;
/** Draining (10 s), the app's grace (5 s), and what its shim needs to end it and to say so. */
export const stopWithinMs = 25_000 as DurationMs;

/** A decision in the making: its events are applied as they come, so that what follows is decided on what they lead to. */
export class Draft {
  readonly now: Instant;
  readonly #events: SpaceEvent[] = [];
  readonly #effects: Effect[] = [];
  #space: Space;

  constructor(space: Space, now: Instant) {
    this.#space = space;
    this.now = now;
  }

  get space(): Space {
    return this.#space;
  }

  get state(): State {
    return this.#space.state;
  }

  /** Whether replicas of a release are to be started already. */
  starts(release: string): boolean {
    return this.#effects.some((effect) => effect.type === "start" && effect.release === release);
  }

  get decision(): Decision {
    return { ok: true, events: this.#events, effects: this.#effects };
  }

  move(to: Moved): void {
    const state = { ...to, since: this.now } as State;
    const { reason, actor, deadline, ends: says } = state;
    this.#record({ to: state.name, reason, actor, deadline, ends: says, change: { kind: "state", state } });
  }

  change(change: Exclude<Change, { kind: "state" }>, actor: Actor, reason: Reason): void {
    const { name, deadline, ends: says } = this.state;
    this.#record({ to: name, reason, actor, deadline, ends: says, change });
  }

  /** Writes down that somebody wanted something which leaves the Space as it is. */
  note(actor: Actor, says: string): void {
    this.change({ kind: "nothing" }, actor, { says, code: null });
  }

  start(release: string, count: number): void {
    if (count > 0) this.#effects.push({ type: "start", release, count });
  }

  retire(replicas: readonly ReplicaSeen[], why: string): void {
    if (replicas.length > 0) this.#effects.push({ type: "retire", replicas: replicas.map(({ id }) => id), why });
  }

  /** Retires those of which no word came in time: what they were started for is not tried again. */
  giveUp(replicas: readonly ReplicaSeen[], why: string): void {
    if (replicas.length > 0)
      this.#effects.push({ type: "retire", replicas: replicas.map(({ id }) => id), why, gaveUp: true });
  }

  freeze(replicas: readonly ReplicaSeen[]): void {
    if (replicas.length > 0) this.#effects.push({ type: "freeze", replicas: replicas.map(({ id }) => id) });
  }

  thaw(replicas: readonly ReplicaSeen[]): void {
    if (replicas.length > 0) this.#effects.push({ type: "thaw", replicas: replicas.map(({ id }) => id) });
  }

  #record(event: Omit<SpaceEvent, "v" | "at" | "from">): void {
    const whole: SpaceEvent = { v: 1, at: this.now, from: this.state.name, ...event };
    this.#events.push(whole);
    this.#space = evolve(this.#space, whole);
  }
}

/** What a Space comes to rest in, and why. */
export type Resting = Rest & Pick<State, "reason" | "actor">;

/** A state without its beginning, which is now. */
export type Moved = State extends infer One ? (One extends State ? Omit<One, "since"> : never) : never;

/** Lets what runs end, or freezes it, and then rests. */
export function rest(draft: Draft, goal: Resting, seen: Seen): void {
  const left = seen.replicas.filter(({ phase }) => phase !== "ended");
  if (left.length === 0) return draft.move(resting(goal, draft.now, seen));
  const { reason, actor } = goal;
  const deadline = after(draft.now, stopWithinMs);
  draft.move({ name: "stopping", goal, reason, actor, deadline, ends: ends.gone });
  const living = livingOf(seen);
  if (goal.name !== "sleeping" || goal.mode === "stop") return draft.retire(living, reason.says);
  draft.freeze(living.filter(({ phase, frozen }) => phase === "ready" && !frozen));
  draft.retire(
    living.filter(({ phase }) => phase === "starting"),
    reason.says,
  );
}

/** The state that was on its way. */
export function resting(goal: Resting, now: Instant, { unvisitedMs }: Seen): Moved {
  if (goal.name === "paused") return { ...goal, deadline: null, ends: liftSays(goal.by) };
  if (goal.name === "stopped")
    return { ...goal, deadline: null, ends: goal.cause === "asked" ? ends.asked : ends.replicas };
  return { ...goal, deadline: unvisitedMs === null ? null : after(now, unvisitedMs), ends: ends.request };
}

/** It starts, and has this long to listen. */
export function starting(now: Instant, actor: Actor, reason: Reason, withinMs: DurationMs): Moved {
  const deadline = after(now, (withinMs + startMarginMs) as DurationMs);
  return { name: "starting", follows: null, actor, reason, deadline, ends: ends.listens };
}

export function building({ id, says }: BuildSeen, actor: Actor, reason: string, deadline: Instant): Moved {
  return {
    name: "building",
    build: id,
    actor,
    reason: { says: reason || `build ${id}: ${says}`, code: null },
    deadline,
    ends: ends.built,
  };
}

/** Starts or thaws what a release is to run with, and ends what lacks a change. `anew`: also where enough of it lives. */
export function goOn(
  draft: Draft,
  release: string,
  seen: Seen,
  { wasStopping, anew = false }: { readonly wasStopping: boolean; readonly anew?: boolean },
): void {
  const own = livingOf(seen).filter((replica) => replica.release === release);
  const usable = own.filter(({ outdated }) => outdated === null);
  draft.thaw(usable.filter(({ phase, frozen }) => frozen || (wasStopping && phase === "ready")));
  for (const old of own) if (old.outdated !== null) draft.retire([old], old.outdated.says);
  draft.start(release, wanted(draft.space) - (anew ? 0 : usable.length));
}

/** How many replicas of a release are to be started, beside those that live. */
export function missing(space: Space, release: string, seen: Seen): number {
  const living = livingOf(seen).filter((replica) => replica.release === release);
  return Math.max(0, wanted(space) - living.length);
}

/** How many replicas of a release are to run; one at least, where it is to run at all. */
export function wanted({ settings }: Space): number {
  return Math.max(1, settings.replicas);
}
