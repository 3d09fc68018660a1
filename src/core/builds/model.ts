/**
 * Builds as values: what each stage knows, what can be asked of them, and what happened. The machine is `decide` and `evolve`
 * of this folder; SPEC.md has its rules by number.
 */
import type { DurationMs, Instant } from "../../stdx/time.ts";

/** A code of the platform's closed list, as `boundary/name`. */
export type CodeName = `${string}/${string}`;

/** Who caused a transition. `platform`: a deadline, or the queue by itself. */
export interface Actor {
  readonly kind: "owner" | "operator" | "builder" | "platform";
  readonly name: string | null;
}

export const platform: Actor = { kind: "platform", name: null };

/** What was asked for; never changes. */
export interface BuildTerms {
  readonly build: string;
  /** `owner/name`. */
  readonly space: string;
  readonly owner: string;
  readonly commit: string;
  /** Who asked. */
  readonly account: string;
  /** The SDK that its README names; null where that is not known. */
  readonly sdk: string | null;
  /** Nothing that an earlier build resolved is used again. */
  readonly factory: boolean;
  /** The build that it is another try of. */
  readonly retryOf: string | null;
  readonly queuedAt: Instant;
}

/** Stages in which a builder has it. */
export const leasedStages = ["claimed", "fetching", "building", "checking", "publishing"] as const;
export type LeasedStage = (typeof leasedStages)[number];
export type EndStage = "done" | "failed" | "cancelled" | "superseded";

interface Common {
  readonly terms: BuildTerms;
  /** The operator's; a higher one goes first. 0 where nobody said. */
  readonly priority: number;
  /** Times it was given to a builder: the fence of the last of them. */
  readonly attempts: number;
  /** Its last builder could not read the commit. */
  readonly fetchFailed: boolean;
  /** Of this stage. */
  readonly since: Instant;
}

/** It may wait during `[since, deadline)`, and for a builder that can build it during `[since, builderBy)`. */
export interface QueuedBuild extends Common {
  readonly stage: "queued";
  readonly deadline: Instant;
  readonly builderBy: Instant;
  /** Why it waits again; null the first time. */
  readonly again: { readonly builder: string; readonly code: CodeName; readonly says: string } | null;
}

/** A builder has it during `[since, until)` at the most: each word of it moves `until`, and `deadline` ends the whole attempt. */
export interface Lease {
  readonly builder: string;
  /** Of the builder's process: another one knows nothing of this build. */
  readonly epoch: number;
  readonly fence: number;
  readonly until: Instant;
}

export interface LeasedBuild extends Common {
  readonly stage: LeasedStage;
  readonly lease: Lease;
  /** Of the channel `build-queue→<builder>`. */
  readonly number: number;
  readonly givenAt: Instant;
  /** Whether its builder has said that it took it. */
  readonly taken: boolean;
  readonly deadline: Instant;
}

/** Published: a replica of its release has to listen before `deadline`. */
export interface StartingBuild extends Common {
  readonly stage: "starting";
  readonly builder: string;
  readonly release: string;
  readonly deadline: Instant;
}

/** A build that has not ended. */
export type Build = QueuedBuild | LeasedBuild | StartingBuild;

/** A builder and how many builds it takes at a time. */
export interface Builder {
  readonly name: string;
  readonly epoch: number;
  readonly sdks: readonly string[];
  readonly parallel: number;
  /** Since when it is not connected; null while it is. */
  readonly awaySince: Instant | null;
}

/** An attempt that is over: what its owner has used of the builders. */
export interface Use {
  readonly owner: string;
  readonly space: string;
  readonly at: Instant;
  readonly ms: DurationMs;
}

export interface BuildsState {
  /** By id, in the order in which they were queued. */
  readonly builds: ReadonlyMap<string, Build>;
  readonly builders: ReadonlyMap<string, Builder>;
  /** Builds given to each builder so far: the numbers of its channel. */
  readonly handed: ReadonlyMap<string, number>;
  /** Of the last {@link BuildLimits.shareMs}, oldest first. */
  readonly uses: readonly Use[];
}

export interface BuildLimits {
  /** How long a build waits. */
  readonly waitMs: DurationMs;
  /** How long it waits for a builder that can build it, where none is there: an agent that is started again is back within this. */
  readonly noBuilderMs: DurationMs;
  /** The same where there was one: after a builder was lost, and after a start of the platform. */
  readonly returnMs: DurationMs;
  /** How long a builder may take to say that it took a build. */
  readonly claimMs: DurationMs;
  /** A builder that says nothing of a build for so long has lost it. Several times its heartbeat. */
  readonly leaseMs: DurationMs;
  /** A whole attempt, with what telling its end may take. */
  readonly buildMs: DurationMs;
  /** Times that a build is given to a builder, in all. */
  readonly attemptsMax: number;
  /** Builds of one owner at a time: they share caches, which are written. */
  readonly ownerAtOnce: number;
  /** Builds that may wait, of all owners and of one. */
  readonly waitingMax: number;
  readonly ownerWaitingMax: number;
  /** What owners used within this time counts for who is next. */
  readonly shareMs: DurationMs;
}

export const buildLimits: BuildLimits = {
  waitMs: 600_000 as DurationMs,
  noBuilderMs: 10_000 as DurationMs,
  returnMs: 60_000 as DurationMs,
  claimMs: 30_000 as DurationMs,
  leaseMs: 45_000 as DurationMs,
  buildMs: 1_230_000 as DurationMs,
  attemptsMax: 3,
  ownerAtOnce: 1,
  waitingMax: 200,
  ownerWaitingMax: 50,
  shareMs: 3_600_000 as DurationMs,
};

/** A builder's word names the fence by which it has the build. */
export interface Word {
  readonly build: string;
  readonly builder: string;
  readonly fence: number;
}

export interface Failure {
  readonly code: CodeName;
  readonly says: string;
  readonly because: readonly string[];
}

export type BuildCommand =
  | { readonly type: "enqueue"; readonly terms: BuildTerms; readonly priority: number }
  | { readonly type: "join"; readonly builder: Omit<Builder, "awaySince"> }
  | { readonly type: "leave"; readonly builder: string }
  /** A heartbeat, with all that the builder has. */
  | {
      readonly type: "hear";
      readonly builder: string;
      readonly holds: readonly { readonly build: string; readonly fence: number }[];
    }
  | ({ readonly type: "claim" } & Word)
  | ({ readonly type: "progress"; readonly stage: LeasedStage } & Word)
  | ({ readonly type: "publish"; readonly release: string; readonly startMs: DurationMs } & Word)
  | ({ readonly type: "fail" } & Word & Failure)
  /** A replica of its release listens; or, where `held` says why, none is to be started. */
  | { readonly type: "listen"; readonly build: string; readonly held?: string }
  | ({ readonly type: "fail-start"; readonly build: string } & Failure)
  | { readonly type: "cancel"; readonly build: string; readonly by: Actor }
  | { readonly type: "prioritize"; readonly build: string; readonly priority: number; readonly by: Actor }
  | { readonly type: "tick" };

/** Each says in `says` why it happened, and in `by` who caused it. */
export type BuildEvent = { readonly by: Actor; readonly says: string } & (
  | {
      readonly type: "queued";
      readonly build: string;
      readonly terms: BuildTerms;
      readonly priority: number;
      readonly deadline: Instant;
      readonly builderBy: Instant;
    }
  | {
      readonly type: "given";
      readonly build: string;
      readonly lease: Lease;
      readonly number: number;
      readonly deadline: Instant;
    }
  | { readonly type: "taken"; readonly build: string; readonly until: Instant }
  | { readonly type: "moved"; readonly build: string; readonly stage: LeasedStage; readonly until: Instant }
  | { readonly type: "renewed"; readonly build: string; readonly until: Instant }
  | {
      readonly type: "requeued";
      readonly build: string;
      readonly code: CodeName;
      readonly deadline: Instant;
      readonly builderBy: Instant;
      /** Who had it, and must not go on with it. */
      readonly lease: Lease;
    }
  | { readonly type: "published"; readonly build: string; readonly release: string; readonly deadline: Instant }
  | { readonly type: "prioritized"; readonly build: string; readonly priority: number }
  | {
      readonly type: "ended";
      readonly build: string;
      readonly stage: EndStage;
      readonly code: CodeName | null;
      readonly because: readonly string[];
      /** In which stage it was. */
      readonly from: Build["stage"];
      /** Who had it, and must not go on with it; null where it is over there too. */
      readonly withdrawn: Lease | null;
      /** The build that took its place. */
      readonly link: string | null;
    }
  | { readonly type: "builder-joined"; readonly builder: Omit<Builder, "awaySince"> }
  | { readonly type: "builder-left"; readonly builder: string }
);

export type Refusal = "unknown-build" | "old-fence" | "wrong-stage" | "queue-full";

export type BuildDecision =
  | { readonly ok: true; readonly events: readonly BuildEvent[] }
  | { readonly ok: false; readonly why: Refusal; readonly says: string };

export const noBuilds: BuildsState = { builds: new Map(), builders: new Map(), handed: new Map(), uses: [] };

export function isLeased(build: Build): build is LeasedBuild {
  return build.stage !== "queued" && build.stage !== "starting";
}
