/** What is seen of a Space's replicas, build and node when something is decided about it: never kept, always told anew. */
import type { DurationMs, Instant } from "../../stdx/time.ts";
import type { Actor, Space, State } from "./model.ts";

/** What was changed since a replica started, which it has not. */
export interface Outdated {
  readonly says: string;
  readonly actor: Actor;
}

export interface ReplicaSeen {
  readonly id: string;
  readonly release: string;
  /** When its release was published. */
  readonly publishedAt: number;
  readonly phase: "starting" | "ready" | "ended";
  readonly frozen: boolean;
  /** It was told to end, and gets no more requests. */
  readonly retiring: boolean;
  /** It was told to end since no word of it came in time; also after its end. */
  readonly gaveUp: boolean;
  /** The replica that ended before it, where its node started the app again by itself. */
  readonly follows: string | null;
  /** Null where it has what one would have that is started now: hardware, variables, secrets. */
  readonly outdated: Outdated | null;
  /** While it starts: by when it listens, or its node has said that it does not. */
  readonly listenBy: Instant;
  /** `stopped`: on the platform's order. */
  readonly end: { readonly code: string; readonly says: string; readonly stopped: boolean } | null;
}

export interface BuildSeen {
  readonly id: string;
  readonly says: string;
  readonly queuedAt: number;
  /** By when its end is told; null when it has ended. */
  readonly endsBy: Instant | null;
  /** Why it failed; null where it did not. */
  readonly failed: { readonly code: string; readonly says: string } | null;
}

export interface Seen {
  /** The node that has the release. `untold`: the platform has just started, and nodes have not said who they are. */
  readonly node: "here" | "away" | "untold";
  /** The newest build. */
  readonly build: BuildSeen | null;
  /** Oldest first. */
  readonly replicas: readonly ReplicaSeen[];
  /** How long the release that should run may take to listen. */
  readonly startWithinMs: DurationMs;
  /** Asleep for so long without a request it is paused, by the platform's rule; null: never. */
  readonly unvisitedMs: DurationMs | null;
  /** Requests and GPU calls that are under way. */
  readonly busy: number;
  /** When the last of them came, or was still under way. */
  readonly usedAt: Instant;
}

/** Ends after which the same start again could not go otherwise, so that nobody starts the app again by itself. */
export const finalEnds: readonly string[] = [
  "app/crash-loop",
  "app/not-listening",
  "runtime/sandbox-denied",
  "runtime/disk-failed",
];

/** An end in which the app has no part, and after which its node tries again until it is over. */
export const passingEnd = "runtime/disk-low";

/** Not ended, and not told to. */
export function livingOf(seen: Seen): readonly ReplicaSeen[] {
  return seen.replicas.filter(({ phase, retiring }) => phase !== "ended" && !retiring);
}

/** Replicas that answer: of the release that should run where one does, else of any. */
export function answering({ release }: Pick<Space, "release">, seen: Seen): readonly ReplicaSeen[] {
  const ready = livingOf(seen).filter(({ phase, frozen }) => phase === "ready" && !frozen);
  const current = ready.filter((replica) => replica.release === release);
  return current.length > 0 ? current : ready;
}

/**
 * When it has to be looked at again: its state's deadline; of one that is built, its build's; of one that runs, the end of its idle time,
 * and of the time that replicas have which start beside those that answer.
 */
export function deadlineOf(space: Pick<Space, "state" | "settings" | "next">, seen: Seen): Instant | null {
  const { build } = seen;
  const { state } = space;
  if (state.name === "building" && build?.id === state.build && build.endsBy !== null) return build.endsBy;
  if (state.name !== "running") return state.deadline;
  const starting = livingOf(seen).filter(({ phase }) => phase === "starting");
  const times = [idleAt(space, seen), ...starting.map(({ listenBy }) => listenBy)].filter((time) => time !== null);
  return times.length === 0 ? null : (Math.min(...times) as Instant);
}

/** When one that runs goes to sleep, if nobody asks for it and nothing is under way; null: never, and while the release that follows starts. */
export function idleAt(
  { state, settings, next }: Pick<Space, "state" | "settings" | "next">,
  seen: Seen,
): Instant | null {
  if (settings.sleepAfterMs === null || livingOf(seen).some(({ release }) => release === next)) return null;
  return (Math.max(seen.usedAt, state.since) + settings.sleepAfterMs) as Instant;
}

/** Whether the time for a state is over: it holds for `[since, deadline)`. */
export function isOver(state: State, now: Instant): boolean {
  return state.deadline !== null && now >= state.deadline;
}
