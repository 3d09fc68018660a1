/**
 * A Space's life: the states that it can be in, and what happens to it. `decide` of decide.ts says what would happen,
 * `evolve` applies what did; SPEC.md states the rules. Replicas and builds are not kept here: they are seen anew each time.
 *
 *   no-release ─► building ─► starting ─► running ─► stopping ─► sleeping ─► waking ─► running
 *                                │  ▲        │           ├─────► paused
 *                                ▼  │        ▼           └─────► stopped
 *                             failing, crash-looping
 */
import type { DurationMs, Instant } from "../../stdx/time.ts";

/** Who brought a Space into its state. `account` where a person of that name did. */
export interface Actor {
  readonly kind: "owner" | "operator" | "platform" | "app" | "visitor";
  readonly account: string | null;
}

export interface Reason {
  /** One sentence, or a clause of one. */
  readonly says: string;
  /** `boundary/name` where something went wrong. */
  readonly code: string | null;
}

/** By whom or what a Space is paused: it decides who can lift that. */
export type PauseKind = "owner" | "operator" | "inactivity" | "budget" | "abuse-rule";
/** `stop`: the app ends and is started again; `freeze`: it keeps its memory and gets no processor. */
export type SleepMode = "stop" | "freeze";

/** What is known in each state. */
export interface Standing {
  readonly since: Instant;
  readonly reason: Reason;
  readonly actor: Actor;
  /** When it ends by itself; null where only somebody ends it, and then `ends` says who. */
  readonly deadline: Instant | null;
  /** One sentence: what ends it, and who can. */
  readonly ends: string;
}

/** States in which nothing of a Space runs because somebody, or a rule, wants that. */
export type Rest =
  | { readonly name: "paused"; readonly by: PauseKind }
  | { readonly name: "sleeping"; readonly mode: SleepMode }
  /** `queuedTo`: when its newest build was queued. The release of a build queued by then does not undo it; a later one's does. */
  | { readonly name: "stopped"; readonly cause: "asked"; readonly queuedTo: number | null }
  | { readonly name: "stopped"; readonly cause: "no-replicas" };

export type State = Standing &
  (
    | { readonly name: "no-release" }
    | { readonly name: "building"; readonly build: string }
    /** `follows`: the replica that ended, where its node starts the app again by itself. */
    | { readonly name: "starting"; readonly follows: string | null }
    | { readonly name: "running" }
    | { readonly name: "waking" }
    /** Its replicas end, or are frozen; then it is `goal`. */
    | { readonly name: "stopping"; readonly goal: Rest & Pick<Standing, "reason" | "actor"> }
    | Rest
    /** Nobody wants that it is down: it goes on when its node, or the platform, is there again. */
    | { readonly name: "stopped"; readonly cause: "platform" | "node-away" }
    /** `build`: the one that brought it here; null where an app did. */
    | { readonly name: "failing"; readonly build: string | null }
    | { readonly name: "crash-looping" }
  );

export type StateName = State["name"];

export interface SpaceSettings {
  /** How many replicas are to run; 0: none. */
  readonly replicas: number;
  /** Without a request for so long it goes to sleep; null: never. */
  readonly sleepAfterMs: DurationMs | null;
  readonly sleepMode: SleepMode;
  /** By the name that the platform lists; null: what the platform has. */
  readonly hardware: string | null;
}

export interface Space {
  readonly id: string;
  readonly state: State;
  /** The release that runs, or should; null before the first. */
  readonly release: string | null;
  /** One that is started and takes over when it is ready; null where none is on its way. */
  readonly next: string | null;
  /** When the newest release that was ever to run was published; a later one takes over by itself, an earlier one does not. */
  readonly horizon: number;
  readonly settings: SpaceSettings;
}

/** What an event changes. `nothing`: somebody wanted something that leaves all of it as it is, as a restart of what runs. */
export type Change =
  | { readonly kind: "nothing" }
  | { readonly kind: "state"; readonly state: State }
  | { readonly kind: "release"; readonly release: string; readonly horizon: number }
  | { readonly kind: "next"; readonly next: string | null; readonly horizon: number }
  | { readonly kind: "settings"; readonly settings: SpaceSettings };

/** What happened. `from` and `to` are the same where it changed something else than the state. */
export interface SpaceEvent extends Omit<Standing, "since"> {
  readonly v: 1;
  readonly at: Instant;
  readonly from: StateName;
  readonly to: StateName;
  readonly change: Change;
}

/** Applies what did happen. Total: a recorded event is never refused. */
export function evolve(space: Space, { change }: SpaceEvent): Space {
  switch (change.kind) {
    case "nothing":
      return space;
    case "state":
      return { ...space, state: change.state };
    case "release":
      return { ...space, release: change.release, horizon: change.horizon, next: null };
    case "next":
      return { ...space, next: change.next, horizon: change.horizon };
    case "settings":
      return { ...space, settings: change.settings };
  }
}

/** The release that a start is of: before one has ever run, the one that is to. */
export function releaseOf({ release, next }: Pick<Space, "release" | "next">): string | null {
  return release ?? next;
}

/** A Space that was just made. */
export function freshSpace(id: string, settings: SpaceSettings, now: Instant): Space {
  const reason = { says: "nothing was ever deployed here", code: null };
  const state: State = { name: "no-release", since: now, reason, actor: platform, deadline: null, ends: ends.deploy };
  return { id, state, release: null, next: null, horizon: -1, settings };
}

export const platform: Actor = { kind: "platform", account: null };
export const app: Actor = { kind: "app", account: null };

/** What ends a state, and who can: one row a state. */
export const ends = {
  deploy: "It ends when its owner deploys something.",
  built: "It ends with the build.",
  listens: "It ends when the app listens, or when its time for that is over.",
  runs: "It ends when its owner or the operator stops it.",
  idle: "It ends when nobody has asked for it for that long, or when its owner or the operator stops it.",
  request: "The next request wakes it; so does a restart by its owner.",
  gone: "It ends when its replicas have ended, or when their time for that is over.",
  asked: "It ends when its owner or the operator starts it again.",
  replicas: "It ends when its owner sets replicas to 1 or more.",
  nodeBack: "It ends when its node is connected again; the operator looks after nodes.",
  platformBack: "It ends when the operator starts the platform again.",
  mended: "It ends when its owner deploys a commit that runs, or restarts it.",
} as const;

const liftable: Readonly<Record<PauseKind, readonly Actor["kind"][]>> = {
  owner: ["owner", "operator"],
  inactivity: ["owner", "operator"],
  operator: ["operator"],
  budget: ["operator"],
  "abuse-rule": ["operator"],
};

/** Whether this person may lift a pause of that kind. */
export function mayLift({ kind }: Actor, by: PauseKind): boolean {
  return liftable[by].includes(kind);
}

/** Who can lift a pause of that kind, as a sentence. */
export function liftSays(by: PauseKind): string {
  return liftable[by].includes("owner")
    ? "Its owner or the operator can lift that: `waybill resume`."
    : "Only the operator can lift that: `waybill resume`.";
}
