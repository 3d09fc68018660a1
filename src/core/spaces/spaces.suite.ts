/** What the tests of a Space's machine share: a Space in each of its states, and what can be seen of it. */
import { durationMs, instant, seconds } from "../../stdx/time.ts";
import { decide } from "./decide.ts";
import type { Command } from "./decide.ts";
import { ends, evolve, freshSpace, platform } from "./model.ts";
import type { Actor, Space, SpaceSettings, State, StateName } from "./model.ts";
import type { BuildSeen, ReplicaSeen, Seen } from "./seen.ts";

export const now = instant(1_000_000);
export const owner: Actor = { kind: "owner", account: "alice" };
export const operator: Actor = { kind: "operator", account: "admin" };
export const visitor: Actor = { kind: "visitor", account: null };

export const settings: SpaceSettings = {
  replicas: 1,
  sleepAfterMs: seconds(60),
  sleepMode: "stop",
  hardware: null,
};

export function replica(id: string, over: Partial<ReplicaSeen> = {}): ReplicaSeen {
  return {
    id,
    release: "rel_1",
    publishedAt: 1,
    phase: "ready",
    frozen: false,
    retiring: false,
    gaveUp: false,
    follows: null,
    outdated: null,
    listenBy: instant(now + 70_000),
    end: null,
    ...over,
  };
}

export const ended = (id: string, code: string, over: Partial<ReplicaSeen> = {}): ReplicaSeen =>
  replica(id, { phase: "ended", end: { code, says: "it ended", stopped: false }, ...over });

export const stopped = (id: string): ReplicaSeen =>
  replica(id, { phase: "ended", end: { code: "app/exit", says: "the platform stops", stopped: true } });

export function build(over: Partial<BuildSeen> = {}): BuildSeen {
  return { id: "b_1", says: "waits", queuedAt: 1, endsBy: instant(now + 90_000), failed: null, ...over };
}

export function seen(over: Partial<Seen> = {}): Seen {
  return {
    node: "here",
    build: null,
    replicas: [],
    startWithinMs: seconds(60),
    unvisitedMs: durationMs(3_600_000),
    busy: 0,
    usedAt: now,
    ...over,
  };
}

/** Every state with its kinds, by the names of the table's rows. */
export type Row =
  | Exclude<StateName, "paused" | "stopped" | "sleeping" | "stopping">
  | "paused by owner"
  | "paused by operator"
  | "stopped, asked"
  | "stopped, no replicas"
  | "stopped, node away"
  | "sleeping, stopped"
  | "sleeping, frozen"
  | "stopping to pause"
  | "stopping to freeze";

const because = { says: "so it is", code: null };
const standing = { since: now, reason: because, actor: owner, deadline: null, ends: ends.asked };
const soon = { ...standing, deadline: instant(now + 70_000) };
const toPause = { name: "paused", by: "owner", reason: because, actor: owner } as const;
const toSleep = { name: "sleeping", mode: "freeze", reason: because, actor: platform } as const;

const states: Readonly<Record<Row, State>> = {
  "no-release": { ...standing, name: "no-release" },
  building: { ...soon, name: "building", build: "b_1" },
  starting: { ...soon, name: "starting", follows: null },
  running: { ...standing, name: "running" },
  waking: { ...soon, name: "waking" },
  failing: {
    ...standing,
    name: "failing",
    build: null,
    reason: { says: "replica p_1 ended: it ended", code: "app/exit" },
  },
  "crash-looping": {
    ...standing,
    name: "crash-looping",
    reason: { says: "replica p_1 ended: it ended", code: "app/crash-loop" },
  },
  "paused by owner": { ...standing, name: "paused", by: "owner" },
  "paused by operator": { ...standing, name: "paused", by: "operator" },
  "stopped, asked": { ...standing, name: "stopped", cause: "asked", queuedTo: null },
  "stopped, no replicas": { ...standing, name: "stopped", cause: "no-replicas" },
  "stopped, node away": { ...standing, name: "stopped", cause: "node-away" },
  "sleeping, stopped": { ...soon, name: "sleeping", mode: "stop" },
  "sleeping, frozen": { ...soon, name: "sleeping", mode: "freeze" },
  "stopping to pause": { ...soon, name: "stopping", goal: toPause },
  "stopping to freeze": { ...soon, name: "stopping", goal: toSleep },
};

const asIs: Readonly<Record<Row, readonly ReplicaSeen[]>> = {
  "no-release": [],
  building: [],
  starting: [replica("p_1", { phase: "starting" })],
  running: [replica("p_1")],
  waking: [replica("p_1", { phase: "starting" })],
  failing: [ended("p_1", "app/exit")],
  "crash-looping": [ended("p_1", "app/crash-loop")],
  "paused by owner": [],
  "paused by operator": [],
  "stopped, asked": [],
  "stopped, no replicas": [],
  "stopped, node away": [],
  "sleeping, stopped": [],
  "sleeping, frozen": [replica("p_1", { frozen: true })],
  "stopping to pause": [replica("p_1", { retiring: true })],
  "stopping to freeze": [replica("p_1")],
};

export const rows = Object.keys(states) as readonly Row[];

/** A Space in a state, and what is seen of one that has it. */
export function inState(row: Row): { readonly space: Space; readonly seen: Seen } {
  const isFirst = row === "no-release" || row === "building";
  const space: Space = {
    ...freshSpace("alice/demo", settings, now),
    state: states[row],
    release: isFirst ? null : "rel_1",
    horizon: isFirst ? -1 : 1,
    ...(row === "stopped, no replicas" ? { settings: { ...settings, replicas: 0 } } : {}),
  };
  const node = row === "stopped, node away" ? "away" : "here";
  return { space, seen: seen({ node, replicas: asIs[row], build: row === "building" ? build() : null }) };
}

/** What a command does: the state it leads to where that is another, and its orders; `-` nothing; `no: why` where it is refused. */
export function told(space: Space, command: Command, what: Seen, at = now): string {
  const decision = decide(space, command, what, at);
  if (!decision.ok) return `no: ${decision.refusal}`;
  const { events, effects } = decision;
  const moves = events.filter(({ change }) => change.kind === "state").map(({ to }) => to);
  const changes = events.flatMap(({ change }) =>
    change.kind === "release" || change.kind === "next"
      ? [`${change.kind}=${change.kind === "next" ? change.next : change.release}`]
      : [],
  );
  const orders = effects.map((effect) =>
    effect.type === "start" ? `start ${effect.count}` : `${effect.type} ${effect.replicas.join(",")}`,
  );
  return [...moves, ...changes, ...orders].join("; ") || "-";
}

export function after(space: Space, command: Command, what: Seen, at = now): Space {
  const decision = decide(space, command, what, at);
  return decision.ok ? decision.events.reduce(evolve, space) : space;
}
