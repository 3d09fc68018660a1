/** Why a commit starts no build: decided here for every way by which commits come. */
import type { NoBuildReason } from "../contract/api.ts";
import type { Code } from "../evidence/codes.ts";
import { count } from "../evidence/words.ts";

/** All that the decision rests on. */
export interface CommitFacts {
  readonly branch: string;
  readonly commit: string;
  /** The last commit of the branch that is built. */
  readonly head: string;
  /** Whether it changed any file. */
  readonly changed: boolean;
  /** The Space's newest build; null before the first. */
  readonly latest: { readonly id: string; readonly commit: string; readonly outcome: string | null } | null;
  /** Whether the Space's release answers. */
  readonly running: boolean;
  /** Why the Space is paused and who can lift that, as a sentence; null where it is not. */
  readonly paused: string | null;
  readonly room: QueueRoom;
}

/** Builds that wait, and how many may. */
export interface QueueRoom {
  readonly waiting: number;
  readonly waitingMax: number;
  /** Of the Space's owner. */
  readonly ownerWaiting: number;
  readonly ownerWaitingMax: number;
}

export interface NoBuild {
  readonly why: NoBuildReason;
  /** Where it is a refusal; null where there is nothing wrong. */
  readonly code: Code | null;
  readonly says: string;
  /** The build of this same commit that is under way. */
  readonly underWay?: string;
}

/** The branch whose last commit is what runs. */
export const builtBranch = "main";

/** Undefined: it is built. An SDK that no builder serves is not among the reasons: that is said by the build, in its log. */
export function whyNoBuild(facts: CommitFacts): NoBuild | undefined {
  const { branch, commit, head, changed, latest, running, paused, room } = facts;
  const no = (why: NoBuildReason, says: string): NoBuild => ({ why, code: null, says });
  if (branch !== builtBranch)
    return no("wrong-branch", `Only ${builtBranch} is built, and this commit is on ${branch}.`);
  if (head !== commit) return no("superseded", `A newer commit, ${head}, is built in its place.`);
  // An unchanged tree whose release runs, or that is being built, needs no build; any other is built again.
  const isLatest = !changed && latest?.commit === commit;
  if (isLatest && latest.outcome === null)
    return {
      ...no("unchanged", `Nothing changed, and build ${latest.id} of it is under way.`),
      underWay: latest.id,
    };
  if (isLatest && running && latest.outcome === "ok") return no("unchanged", "Nothing changed, and its release runs.");
  if (paused !== null) return no("paused", paused);
  return whyNoRoom(room);
}

/** Undefined where one more may wait. Also asked before a commit's files are stored. */
export function whyNoRoom({ waiting, waitingMax, ownerWaiting, ownerWaitingMax }: QueueRoom): NoBuild | undefined {
  const full = (says: string): NoBuild => ({ why: "queue-full", code: "build/queue-full", says });
  if (ownerWaiting >= ownerWaitingMax)
    return full(
      `${count(ownerWaiting, "build")} of this owner ${ownerWaiting === 1 ? "waits" : "wait"}, and no more may.`,
    );
  return waiting >= waitingMax
    ? full(`${count(waiting, "build")} ${waiting === 1 ? "waits" : "wait"}, and no more may.`)
    : undefined;
}
