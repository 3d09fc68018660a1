/**
 * The shapes of our own HTTP API, as the command line, the SDK and outside tests read them. Times are whole milliseconds,
 * amounts whole GPU milliseconds, instants RFC 3339 in UTC. Fields are added, never renamed. Every refusal is
 * `application/problem+json` (contract/problem.ts). Which route answers which of them, and who may ask: docs/api.md, made of
 * `src/control/described` and of the comments here.
 */

import type { OrganisationOf, WhoAmIAuth, TokenView } from "./identity.ts";
import type { AllowanceView } from "./allowances.ts";
import type { PassedPoolView, PoolView } from "./pools.ts";
import type { ReplicaLimits } from "./agent.ts";
import type { Outbound } from "./egress.ts";
import type { Isolation, LimitsOfBuild } from "./isolation.ts";
import type { Problem } from "./problem.ts";
import type { RuntimeFacts } from "./release.ts";

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Pass as `?page=` for the next page; null at the end. Newest first. */
  readonly next: string | null;
}

export interface WhoAmI {
  readonly type: "user";
  readonly id: string;
  readonly name: string;
  readonly fullname: string;
  readonly email: string | null;
  readonly emailVerified: boolean;
  readonly isPro: boolean;
  readonly canPay: boolean;
  readonly periodEnd: null;
  readonly avatarUrl: string;
  readonly orgs: readonly OrganisationOf[];
  readonly auth: WhoAmIAuth;
}

export interface CreateToken {
  /** The caller's own where none is named. */
  readonly account?: string;
  /** Make the account when it does not exist. */
  readonly create?: boolean;
  readonly tier?: "free" | "pro" | "enterprise" | "unlimited";
  readonly name?: string;
  readonly scopes?: readonly ("read" | "write" | "gpu" | "admin")[];
  readonly spaces?: TokenView["spaces"];
  readonly expiresInMs?: number;
}

/** The only time that the token is shown. */
export interface CreatedToken {
  readonly account: string;
  readonly id: string;
  readonly token: string;
}

/** By which an agent joins as this node; the only time that it is shown. */
export interface CreatedNodeToken {
  readonly node: string;
  readonly token: string;
}

export type SpaceState =
  | "no-release"
  | "building"
  | "starting"
  | "running"
  | "sleeping"
  | "waking"
  | "paused"
  | "stopping"
  | "stopped"
  /** Down by its app's fault, or by a build's. */
  | "failing"
  /** Given up: its app ended too often. */
  | "crash-looping";

/** What a Space's owner sets beside its README, by the names that people type. */
export interface OwnerSettings {
  /** What becomes of a running GPU call when its visitor has left: it runs to its end, or is ended. Either way its time is charged. */
  readonly "on-leave": "finish" | "stop";
  /** A path of the app that answers with a status below 500 while it is well; empty: that it listens is enough. From its next start on. */
  readonly "health-path": string;
  /** Without a request for so long it goes to sleep: `never`, or a length such as `90s`, `30m`, `48h`. */
  readonly "sleep-after": string;
  /** Asleep its app is ended, and started again by the next request; or it keeps its memory and gets no processor. */
  readonly "sleep-mode": "stop" | "freeze";
  /** How many replicas are to run; 0: none. */
  readonly replicas: number;
  /** By a name of `GET /api/spaces/hardware`; empty: what the platform has. */
  readonly hardware: string;
  /** What the platform tells through the app's Gradio streams: places in the GPU queue and true sentences, the sentences alone, nothing. */
  readonly messages: "full" | "quiet" | "off";
  /** Requests of its visitors under way at a time, and a second; 0: as many as the platform allows. */
  readonly "requests-at-once": number;
  readonly "requests-per-second": number;
  /** Of one request's body, in MiB; 0: as the platform allows. */
  readonly "body-max-mb": number;
  /** A stream or a WebSocket on which nothing passes for so long is ended; any request after the other. `none`: as the platform has it. */
  readonly "idle-limit": string;
  readonly "time-limit": string;
  /** What its app keeps to outside, within what the operator allows: `all` of that, `none`, or names such as `api.example.com, *.example.com:443`. */
  readonly reach: string;
  /** Only who may read it knows of it and visits its app: the owner, an organisation's members, operators. */
  readonly private: boolean;
}

/** Who brought a Space into its state. */
export interface ActorView {
  readonly kind: "owner" | "operator" | "platform" | "app" | "visitor";
  /** Null where no account is known, and to strangers. */
  readonly account: string | null;
}

export interface ReasonView {
  readonly says: string;
  /** `boundary/name` where something went wrong. */
  readonly code: string | null;
}

/** One thing that happened to a Space. `from` and `to` are the same where its state stayed. */
export interface SpaceEventView {
  /** 1, 2, 3… within its Space. */
  readonly seq: number;
  readonly at: string;
  readonly from: SpaceState;
  readonly to: SpaceState;
  readonly reason: ReasonView;
  readonly actor: ActorView;
  readonly deadline: string | null;
  readonly ends: string;
}

export interface ReleaseView {
  readonly id: string;
  readonly build: string;
  readonly commit: string;
  readonly sdk: string;
  readonly publishedAt: string;
  /** It is the one that runs, or that would. */
  readonly current: boolean;
  /** Its folder was removed then: it cannot be gone back to. */
  readonly removedAt?: string;
}

/** The Hub's shape. */
export interface HardwareView {
  readonly name: string;
  readonly prettyName: string;
  readonly cpu: string;
  readonly ram: string;
  readonly accelerator: {
    readonly type: "gpu";
    readonly model: string;
    readonly quantity: string;
    readonly vram: string;
    readonly manufacturer: string;
  } | null;
  readonly unitCostMicroUSD: number;
  readonly unitCostUSD: number;
  readonly unitLabel: string;
}

export interface SpaceView {
  readonly id: string; // owner/name
  readonly owner: string;
  readonly name: string;
  readonly sdk: string | null;
  readonly state: SpaceState;
  readonly since: string;
  /** Why it is in this state. */
  readonly says: string;
  readonly reason: ReasonView;
  readonly actor: ActorView;
  /** When the state ends by itself; null where only somebody ends it. */
  readonly deadline: string | null;
  /** One sentence: what ends it, and who can. */
  readonly ends: string;
  /** Names of its own domains, then its name, then its numeric address; or those domains and its port. */
  readonly addresses: readonly string[];
  readonly settings: OwnerSettings;
  readonly build: BuildView | null;
  readonly release: string | null;
  /** What the packages of its release were made for, with what may not run on the pool's cards; only where one Space is asked for. */
  readonly runtimeFacts?: RuntimeFacts | null;
  readonly replicas: readonly {
    readonly id: string;
    readonly phase: string;
    readonly since: string;
    readonly says: string;
    /** In force on it; absent where nothing limits it. */
    readonly limits?: ReplicaLimits;
  }[];
  /** In force on the newest of them that is ready, and for anybody to see; null where there is none, or nothing limits it. */
  readonly limits: ReplicaLimits | null;
  /** How its replicas and its builds are closed off; only where one Space is asked for. */
  readonly isolation?: Isolation;
  /** What of the outside its app and its builds may reach, as the operator has set it; for who may write to it. Null: nothing closes its app off; absent where no node is there. */
  readonly outbound?: Outbound | null;
}

/** A variable or a secret, as it is set. */
export interface SetEntry {
  readonly key: string;
  readonly value: string;
  readonly description?: string;
}

/** By name. */
export type VariableViews = Readonly<
  Record<string, { readonly value: string; readonly description?: string; readonly updatedAt: string }>
>;
export type SecretViews = Readonly<Record<string, { readonly description?: string; readonly updatedAt: string }>>;

export interface SetSecret {
  readonly name: string;
  readonly updatedAt: string;
}

/** Who changed which variable or secret when. */
export interface EnvironmentChangeView {
  readonly at: string;
  readonly account: string;
  readonly kind: "variable" | "secret";
  readonly name: string;
  /** `described`: its description alone changed. */
  readonly action: "set" | "unset" | "described";
}

export interface CommitView {
  readonly success: true;
  readonly commitOid: string;
  readonly commitUrl: string;
  readonly hookOutput: string;
  /** Of the pull request that it is on. */
  readonly pullRequestUrl: string | null;
  /** The build that this commit started; null where there is none. */
  readonly build: string | null;
  /** Why there is none; null where there is one. */
  readonly noBuild: NoBuildView | null;
}

export type NoBuildReason = "wrong-branch" | "superseded" | "unchanged" | "paused" | "queue-full" | "too-large";

export interface NoBuildView {
  /** What `explain` knows it by. */
  readonly id: string;
  readonly why: NoBuildReason;
  /** `boundary/name` where it was refused. */
  readonly code: string | null;
  readonly says: string;
}

export type BuildStage =
  | "queued"
  | "claimed"
  | "fetching"
  | "building"
  | "checking"
  | "publishing"
  | "starting"
  | "done"
  | "failed"
  | "cancelled"
  | "superseded";

export interface BuildView {
  readonly id: string;
  readonly space: string;
  readonly commit: string;
  readonly stage: BuildStage;
  readonly outcome: "ok" | "failed" | "cancelled" | "superseded" | null;
  /** `boundary/name` where it ended otherwise than well. */
  readonly code: string | null;
  /** One sentence: why it is in this stage. */
  readonly says: string;
  /** Who asked for it; null for one of version 0.1. */
  readonly account: string | null;
  /** Of this stage. */
  readonly since: string;
  /** When this stage ends by itself; null where the build has ended. */
  readonly deadline: string | null;
  /** Who caused this stage, in words: `alice`, `the operator admin`, `builder n1`, `the platform`. */
  readonly by: string;
  /** The builder that has it or had it last. */
  readonly builder: string | null;
  /** Times that it was given to a builder. */
  readonly attempts: number;
  /** The operator's: a higher one goes first. */
  readonly priority: number;
  /** While it waits: where it stands and all that keeps it. */
  readonly waiting: BuildWaitingView | null;
  /** The build of a newer commit that took its place. */
  readonly replacedBy: string | null;
  /** The build that it is another try of. */
  readonly retryOf: string | null;
  readonly queuedAt: string;
  readonly queuedMs: number;
  readonly tookMs: number;
  readonly logLines: number;
  readonly steps: readonly {
    readonly name: string;
    readonly state: "started" | "done" | "failed";
    readonly tookMs: number;
  }[];
  readonly because: readonly string[];
  /** The release that it made; null before. A build is `done` when a replica of its release answers. */
  readonly release: string | null;
  /** In force on it, each with what sees to it; null before a builder has said so, and of builds of earlier versions. */
  readonly limits: LimitsOfBuild | null;
  /** Its log and its events were removed then. */
  readonly trimmedAt?: string;
  /** As a Space's; only where one build is asked for. */
  readonly runtimeFacts?: RuntimeFacts | null;
}

export interface BuildWaitingView {
  readonly position: number;
  readonly of: number;
  /** When it is expected to begin, from now; null where nothing can be said. */
  readonly estimateMs: number | null;
  readonly basis: string;
  readonly reasons: readonly { readonly kind: string; readonly says: string }[];
  /** It gives up then. */
  readonly until: string;
  readonly says: string;
}

/** One transition of a build. */
export interface BuildEventView {
  readonly at: string;
  readonly event: string;
  readonly stage: BuildStage;
  readonly by: string;
  /** Counts the hand-overs to builders so far. */
  readonly fence: number;
  readonly code: string | null;
  readonly says: string;
  readonly deadline: string | null;
}

/** A build and how it came to its stage. */
export interface BuildDetails extends BuildView {
  readonly events: readonly BuildEventView[];
}

/** The queue as the operator sees it: who waits, the next one first, and who builds. */
export interface BuildQueueView {
  readonly builders: readonly {
    readonly name: string;
    readonly sdks: readonly string[];
    readonly parallel: number;
    readonly builds: readonly string[];
    /** Since when it is not connected; null while it is. */
    readonly awaySince: string | null;
  }[];
  readonly building: readonly BuildView[];
  readonly waiting: readonly BuildView[];
  readonly waitingMax: number;
  readonly ownerWaitingMax: number;
}

export interface CallView {
  readonly id: string;
  readonly at: string;
  readonly account: string;
  readonly space: string;
  readonly request: string | null;
  readonly stage: "queued" | "granted" | "running" | "ended";
  readonly outcome: "ok" | "refused" | "failed" | null;
  readonly code: string | null;
  readonly size: "large" | "xlarge";
  readonly declaredMs: number;
  readonly heldMs: number;
  readonly queuedMs: number;
  readonly usedMs: number;
  readonly chargedMs: number;
  readonly receipt: string | null;
  /** While it waits: where it stands and all that keeps it. */
  readonly waiting: WaitingView | null;
}

export interface WaitingView {
  readonly position: number;
  readonly of: number;
  /** When its turn is expected, from now; null where nothing can be said. */
  readonly estimateMs: number | null;
  readonly basis: string;
  /** By how much it is expected later than the first estimate said (negative: earlier); null where there was none. */
  readonly errorMs: number | null;
  readonly blockers: readonly { readonly kind: string; readonly says: string }[];
  readonly says: string;
}

export interface QuoteRequest {
  /** `owner/name`. */
  readonly space: string;
  /** Where it is not said, what `endpoint` declared when it was called last; not found where that is not known. */
  readonly declaredMs?: number | undefined;
  /** `large` where it is not said, or as `endpoint` was called last. */
  readonly size?: "large" | "xlarge" | undefined;
  /** The function's endpoint, such as `/run`: then its earlier runs count where less is left than declared. */
  readonly endpoint?: string | undefined;
}

/** What the runs of a function that ended by themselves cost: half of them at most `medianMs`, nine in ten `p90Ms`. */
export interface UsualCostView {
  readonly runs: number;
  readonly medianMs: number;
  readonly p90Ms: number;
}

/** A function of a Space that borrows a GPU, as it was called last. */
export interface FunctionView {
  /** Its endpoint, such as `/run`. */
  readonly endpoint: string;
  readonly size: "large" | "xlarge";
  readonly declaredMs: number;
  /** What a call holds where as much is left. */
  readonly heldMs: number;
  /** Null before the first one has ended by itself. */
  readonly usual: UsualCostView | null;
}

/** What a call of the caller's would meet if it came now. Nothing is held by asking. */
export interface QuoteView {
  readonly admitted: boolean;
  /** That would serve it, or refuse it. */
  readonly pool: string;
  /** What would be set aside, the most that could be charged; 0 where it would be refused. */
  readonly heldMs: number;
  /** How long it could run. */
  readonly leaseMs: number;
  /** It could run for less than it declares. */
  readonly clipped: boolean;
  /** GPU milliseconds that its function's last runs cost; null where it never ran, or would be refused. */
  readonly usual: UsualCostView | null;
  /** The account that would pay; null where it would be refused. */
  readonly paidBy: string | null;
  /** What of the hold would be credits. */
  readonly creditsMs: number;
  /** Its place in the queue; null where it would be granted at once, or refused. */
  readonly waiting: WaitingView | null;
  /** Pools of its rule that could not take it, in their order; empty where the first could, or there is no rule. */
  readonly passed: readonly PassedPoolView[];
  /** What would stop it, as its refusal would say. */
  readonly refused: { readonly code: string; readonly says: string } | null;
  /** The journal index at which this holds. */
  readonly index: number;
}

export interface QuotaView {
  readonly account: string;
  readonly tier: string;
  readonly usedMs: number;
  readonly heldMs: number;
  /** In force: the tier's, and what an operator added. Null: no limit. */
  readonly limitMs: number | null;
  readonly leftMs: number | null;
  /** What is left of credits: they are used where the window is used up, and no reset takes them away. */
  readonly creditsMs: number;
  readonly resetsAt: string | null;
  /** How long the next window will be. */
  readonly windowMs: number;
  /** Runs of the window, and how many it may have; null: no limit. */
  readonly runs: number;
  readonly runsMax: number | null;
  /** Calls that are open now, and how many may be at once; null: no limit. */
  readonly calls: number;
  readonly callsMax: number | null;
  /** The longest duration that a call may declare by the tier; null: the pool's bound alone holds. */
  readonly durationMaxMs: number | null;
  /** What operators gave the account beyond its tier, and is not over. */
  readonly allowances: readonly AllowanceView[];
  /** The journal index at which these numbers hold (L34). */
  readonly index: number;
}

/** `POST /api/backups`: into a folder of the server's machine that is not there yet. */
export interface BackupRequest {
  /** Absolute path. */
  readonly folder: string;
  /** False: answered at once, and told of under its id; else answered when all of it is on disk. */
  readonly wait?: boolean;
}

/** A backup on its way, and for some time after. */
export interface BackupJobView {
  /** `bk_…` */
  readonly id: string;
  readonly folder: string;
  readonly state: "running" | "made" | "failed";
  /** What is at work, in words. */
  readonly step: string;
  /** Copied so far; while `step` checks, those that were checked are added. */
  readonly bytes: number;
  /** Null until it is made. */
  readonly made: BackupView | null;
  /** Why it failed. */
  readonly problem: Problem | null;
}

export interface BackupView {
  readonly folder: string;
  /** RFC 3339. */
  readonly madeAt: string;
  /** The last record in it. */
  readonly journal: { readonly index: number; readonly hash: string };
  readonly files: number;
  readonly bytes: number;
  /** The key of the Spaces' secrets, which no backup holds: keep a copy of it elsewhere. */
  readonly secretsKeyFile: string;
}

/** What accounts of a tier may use; null: no limit. */
export interface TierView {
  readonly name: string;
  /** GPU milliseconds of one period. */
  readonly windowLimitMs: number | null;
  readonly windowMs: number;
  readonly durationMaxMs: number | null;
  readonly runsMax: number | null;
  readonly callsMax: number | null;
  /** Where several wait: how much of a pool an account gets beside those of other weights. */
  readonly weight: number;
}

export interface TiersView {
  readonly tiers: readonly TierView[];
}

export interface QueueView {
  /** The one that was asked for; where none was, the first of all. */
  readonly pool: PoolView;
  /** All whose calls are told. */
  readonly pools: readonly PoolView[];
  readonly calls: readonly {
    readonly call: string;
    readonly pool: string;
    readonly account: string;
    readonly space: string;
    readonly size: string;
    readonly holdsMs: number;
    readonly waitedMs: number;
    readonly waiting: WaitingView;
  }[];
}

export interface BoardView {
  readonly slots: readonly {
    readonly slot: string;
    readonly device: string;
    readonly simulated: boolean;
    /** What is wrong with its card; null where nothing is known to be. */
    readonly trouble: string | null;
    /** Who took it out of use, when and why; null where nobody did. */
    readonly drain: string | null;
    readonly stage: string;
    readonly space: string | null;
    readonly account: string | null;
    readonly call: string | null;
    readonly forMs: number;
    readonly leaseMs: number | null;
  }[];
}
