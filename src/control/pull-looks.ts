/**
 * What is shown of a pull request: its commits, what is in the way of merging it, its diff. Whoever may read the repository may ask, and git
 * may work on it for minutes: so many are looked at at once, and what two commits have against each other is worked out once.
 */
import type { DiscussionRow } from "../catalog/discussions.ts";
import { pullRef } from "../hub/pull-ref.ts";
import type { PullCommit, Pulls } from "../hub/pulls.ts";
import type { RepositoryStore } from "../hub/repository.ts";
import { Slots, type Caller, type SlotLimits } from "../hub/slots.ts";
import { LastUsed } from "../stdx/last-used.ts";
import { builtBranch } from "./no-build.ts";

export interface PullLook {
  /** Oldest first. */
  readonly commits: readonly PullCommit[];
  /** Files for which it cannot be merged now. */
  readonly conflicts: Conflicts;
  /** Undefined where nobody asked for it. */
  readonly diff: string | undefined;
}

type Conflicts = readonly string[] | "unknown";

/** Of a pull request. */
export const commitsMax = 1_000;
/** Each is one git at a time, with a processor of its own. */
const lookPlaces: SlotLimits = { atOnce: 8, perCaller: 4, anonymous: 6, withinMs: 30_000 };
/** Pairs of commits whose conflicts are kept: none as a rule, a megabyte of names at the most. */
const conflictsKept = 100;

export class PullLooks {
  readonly #store: Pick<RepositoryStore, "head">;
  readonly #pulls: Pick<Pulls, "commits" | "merge" | "diff">;
  readonly #places: Slots;
  readonly #conflicts = new LastUsed<Conflicts>(conflictsKept);

  constructor(
    store: Pick<RepositoryStore, "head">,
    pulls: Pick<Pulls, "commits" | "merge" | "diff">,
    places: SlotLimits = lookPlaces,
  ) {
    this.#store = store;
    this.#pulls = pulls;
    this.#places = new Slots(places);
  }

  /** Undefined where so many others are looked at that it does not come to this one. `signal`: whoever asks waits no more. */
  async at(
    row: DiscussionRow,
    folder: string,
    { caller, withDiff, signal }: { readonly caller: Caller; readonly withDiff: boolean; readonly signal: AbortSignal },
  ): Promise<PullLook | undefined> {
    using place = await this.#places.take(caller, signal);
    if (place === undefined) return undefined;
    const main = await this.#store.head(folder, builtBranch);
    const head = await this.#store.head(folder, pullRef(row.num));
    if (head === null) return { commits: [], conflicts: [], diff: withDiff ? "" : undefined };
    const commits = await this.#pulls.commits(folder, head, { without: notOwn(row, main), limit: commitsMax });
    const isOver = row.merged !== null || main === null;
    const conflicts = isOver ? [] : await this.#conflictsOf(folder, { onto: main, head });
    if (!withDiff) return { commits, conflicts, diff: undefined };
    const from = row.merged === null ? main : row.base;
    return { commits, conflicts, diff: from === null ? "" : await this.#pulls.diff(folder, from, head) };
  }

  async #conflictsOf(folder: string, of: { readonly onto: string; readonly head: string }): Promise<Conflicts> {
    return this.#conflicts.get(`${folder} ${of.onto} ${of.head}`, async () => {
      const merged = await this.#pulls.merge(folder, of);
      return merged.ok ? [] : merged.conflicts;
    });
  }
}

/** Commits that are not the pull request's own, where main is at that one. */
export function notOwn(
  { base, merged }: Pick<DiscussionRow, "base" | "merged">,
  main: string | null,
): readonly string[] {
  return [base, merged ?? main].filter((commit) => commit !== null);
}
