/** A Space as people and the Hub's clients read it, and what strangers may know of it. Pure. */
import type { ActorView, SpaceEventView, SpaceState } from "../contract/api.ts";
import type { HubRuntime } from "../contract/hub.ts";
import type { NumberedEvent } from "../catalog/space-events.ts";
import type { Space, State } from "../core/spaces/model.ts";
import type { Code } from "../evidence/codes.ts";
import { codeRow, isCode } from "../evidence/codes.ts";
import { iso } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";

/** The reason's code, where it is one of the closed list. */
export function codeOf({ reason }: Pick<State, "reason">): Code | null {
  return reason.code !== null && isCode(reason.code) ? reason.code : null;
}

export function standingView(
  { state }: Space,
  deadline: Instant | null,
): {
  readonly state: SpaceState;
  readonly since: string;
  readonly says: string;
  readonly reason: State["reason"];
  readonly actor: ActorView;
  readonly deadline: string | null;
  readonly ends: string;
} {
  const { name, since, reason, actor, ends } = state;
  const code = codeOf(state);
  const isApps = name === "failing" || name === "crash-looping";
  const says =
    code !== null && isApps && state.name === "failing" && state.build === null
      ? `${codeRow(code).says} ${reason.says}`
      : reason.says;
  return {
    state: name,
    since: iso(since),
    says,
    reason,
    actor,
    deadline: deadline === null ? null : iso(deadline),
    ends,
  };
}

export function eventView({ seq, at, from, to, reason, actor, deadline, ends }: NumberedEvent): SpaceEventView {
  return { seq, at: iso(at), from, to, reason, actor, deadline: deadline === null ? null : iso(deadline), ends };
}

const stateSays: Readonly<Record<SpaceState, string>> = {
  "no-release": "nothing was ever deployed here",
  building: "its release is being built",
  starting: "it starts",
  running: "it runs",
  sleeping: "it is asleep",
  waking: "it wakes up",
  paused: "it is paused",
  stopping: "it is being stopped",
  stopped: "it is stopped",
  failing: "it does not run",
  "crash-looping": "it does not run",
};

const pausedBy = {
  owner: "its owner",
  operator: "the operator",
  inactivity: "the platform, since nobody asked for it for long",
  budget: "the platform, since its budget is used up",
  "abuse-rule": "a rule against abuse",
} as const;

/** Why a Space is in its state, without the id of a build or a replica and without a line of a log: those are its owner's. */
export function publicSays(state: State): string {
  const code = codeOf(state);
  if (code !== null && (state.name === "failing" || state.name === "crash-looping")) return codeRow(code).says;
  return state.name === "paused" ? `it is paused by ${pausedBy[state.by]}` : stateSays[state.name];
}

/** Beside the stage's name the Hub tells whether a build goes on next to what runs. */
export function stageOf(state: State, build: "none" | "building" | "starting"): HubRuntime["stage"] {
  const current = state.name === "stopping" ? state.goal : state;
  switch (current.name) {
    case "no-release":
      return "NO_APP_FILE";
    case "building":
      return "BUILDING";
    case "starting":
    case "waking":
      return "APP_STARTING";
    case "running":
      return build === "none" ? "RUNNING" : build === "building" ? "RUNNING_BUILDING" : "RUNNING_APP_STARTING";
    case "sleeping":
      return "SLEEPING";
    case "paused":
      return "PAUSED";
    case "stopped":
      return "STOPPED";
    case "failing": {
      const code = codeOf(state);
      if (code === "build/config-invalid") return "CONFIG_ERROR";
      return code?.startsWith("build/") === true ? "BUILD_ERROR" : "RUNTIME_ERROR";
    }
    case "crash-looping":
      return "RUNTIME_ERROR";
  }
}
