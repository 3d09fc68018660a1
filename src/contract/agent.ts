/**
 * Messages between server and agent. Agents dial out; each message is one JSON text frame. In `waybill up` the same encoded
 * frames pass through memory. Every hand-over that matters is numbered or carries an id that makes a repeat harmless.
 */
import type { DurationMs } from "../stdx/time.ts";
import type { Outbound } from "./egress.ts";
import type { Isolation, LimitsOfBuild } from "./isolation.ts";
import type { ReleaseManifest, RuntimeFacts, SpaceSdk } from "./release.ts";

export interface DeviceFacts {
  readonly index: number;
  readonly uuid: string;
  readonly name: string;
  readonly slots: number;
  readonly simulated: boolean;
  /** Compute capability, `9.0`; absent where the card was not asked or does not say. */
  readonly computeCapability?: string;
  /** The driver's version, `570.86.15`. */
  readonly driver?: string;
  readonly memoryMiB?: number;
  /** Whether its memory corrects errors; absent where it does not say, as a consumer card. */
  readonly ecc?: boolean;
  /** The card that this is an instance of (MIG): the driver gives each instance memory and processors of its own. */
  readonly instanceOf?: string;
}

/** What is wrong with a card, or with asking them; `code` is one of codes.ts. */
export interface CardTrouble {
  readonly code: string;
  readonly says: string;
}

/** A process on a card that is of no replica of ours: another program of the operator's. */
export interface CardStranger {
  readonly pid: number;
  /** Uuids of the cards that it may be on. */
  readonly cards: readonly string[];
  readonly program: string;
  /** Null where the driver does not say. */
  readonly memoryMiB: number | null;
}

/** What a node sees of who uses its cards. */
export interface CardUse {
  readonly strangers: readonly CardStranger[];
  /** Why it sees nobody, in words; null where it sees all. */
  readonly unseen: string | null;
}

/** How a replica is to be run. The folder is the agent's own; `release` names one that its builder published. */
export interface ReplicaSpec {
  readonly replica: string;
  readonly space: string;
  readonly release: string;
  readonly sdk: SpaceSdk;
  readonly env: Readonly<Record<string, string>>;
  /** Variables that are nobody's but the app's: never written to a disk, masked in its log. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** What its log begins with. */
  readonly says?: string;
  /** When its Space was made; absent: a server of a version that did not say. */
  readonly madeAt?: number;
  /** How long it may take from start to listening. */
  readonly readyWithinMs: DurationMs;
  /** It borrows no GPUs: its functions run on the processor. */
  readonly gpu?: false;
  /** Told back in each of its statuses. */
  readonly setup?: ReplicaSetup;
  /** How it is looked after once it is ready; absent: by its port, as often as the shim likes. */
  readonly health?: HealthSpec;
}

/** What a Space keeps on a node's disk. */
export interface SpaceOnDisk {
  readonly space: string;
  /** When it was made: one that was deleted and made again is another. Null: it was kept by a version that did not say. */
  readonly madeAt: number | null;
}

/** What a replica is started with beside its release: one with an older setup than its Space's is followed by another. */
export interface ReplicaSetup {
  /** It may borrow GPUs. */
  readonly gpu: boolean;
  /** The number of the last change of its Space's variables and secrets; 0 where there was none. */
  readonly environment: number;
}

export interface HealthSpec {
  /** Asked with GET: a status below 500 is good. Null: that it listens is enough. */
  readonly path: string | null;
  /** How often it is looked at, and how long an answer may take. */
  readonly everyMs: DurationMs;
}

export type ReplicaPhase = "starting" | "ready" | "exited" | "lost" | "stopped";

export interface ReplicaStatus {
  readonly replica: string;
  readonly space: string;
  readonly release: string;
  readonly phase: ReplicaPhase;
  /** Where the edge connects: a unix socket of the shim (see runtime/preamble.ts); null until there is one. */
  readonly socket: string | null;
  readonly startedAt: number;
  /** While it starts, the last of its stages. Absent: its app's process is not there yet, or its shim is of a version that does not say. */
  readonly came?: "started" | "listening";
  /** What limits it; absent where nothing does, and for a static Space. */
  readonly limits?: ReplicaLimits;
  /** Present while the app is frozen: it keeps its memory and gets no processor. Only of one that is `ready`. */
  readonly frozen?: true;
  /** The replica that this one follows: the agent started it again after its end, by the same spec. */
  readonly previous?: string;
  /** Of a Gradio app that tells: the names of its functions, by their numbers. */
  readonly functions?: Readonly<Record<string, string>>;
  /** Absent where whoever started it said none. */
  readonly setup?: ReplicaSetup;
  /** Present when `exited`, `lost` or `stopped`: the code of codes.ts and what is known. */
  readonly end?: {
    readonly code: string;
    readonly exitCode: number | null;
    readonly signal: string | null;
    readonly says: string;
  };
}

/** Limits that are in force on one replica, each with what sees to it. */
export interface ReplicaLimits {
  readonly memory: { readonly bytes: number; readonly by: "group" | "looking" };
  /** Threads count too. */
  readonly processes: { readonly most: number; readonly by: "group" | "rlimit" };
  /** Processors' worth of time; null: none but what others leave. */
  readonly processors: number | null;
  readonly openFiles: number;
  /** Of /tmp and of its home, which are in memory. */
  readonly tmpBytes: number;
  readonly homeBytes: number;
  /** /data, of all replicas of the Space together. Absent: its shim is of a version that says nothing of the disk. */
  readonly data?: DiskLimit;
  /** What it writes to the disk elsewhere: beside its code, or anywhere in its image. */
  readonly disk?: DiskLimit;
}

/** `file-system`: what is beyond it is refused. `looking`: an app that has more is ended. */
export interface DiskLimit {
  readonly bytes: number;
  readonly by: "file-system" | "looking";
}

export interface BuildSpec {
  readonly build: string;
  readonly space: string;
  readonly commit: string;
  /** The Space's bare repository: a path where server and builder share a disk, else its address on the server. */
  readonly repository: string;
  readonly limitMs: DurationMs;
  /** The Space's own variables, for all commands; for a Dockerfile's ARGs. */
  readonly variables?: Readonly<Record<string, string>>;
  /** The Space's secrets, for a builder whose commits ask for them by name; masked in the build's log. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** A factory rebuild: nothing that an earlier build resolved is used again. */
  readonly factory?: boolean;
  /** The cards that its release will run on. */
  readonly cards?: readonly Pick<DeviceFacts, "name" | "simulated" | "computeCapability" | "driver">[];
}

export interface LogLine {
  /** 1, 2, 3… within one log. */
  readonly n: number;
  /** RFC 3339. */
  readonly at: string;
  readonly source: "app" | "build" | "gpu" | "edge" | "egress" | "runtime";
  readonly stream: "out" | "err" | "note";
  /** The step of a build in which it was printed. */
  readonly step?: string;
  /** In the log of a Space, the replica whose log this is; its numbers are its own. */
  readonly replica?: string;
  readonly text: string;
}

/** Which lines of a log are wanted; all of them where nothing is said. */
export interface LogFind {
  /** A text that stands in the line, whatever the case of its letters. */
  readonly grep?: string;
  readonly source?: LogLine["source"];
  /** RFC 3339 in UTC with milliseconds, as `LogLine.at`: not older than this. */
  readonly since?: string;
}

export type ToAgent =
  | { readonly type: "welcome"; readonly server: string; readonly epoch: number }
  | { readonly type: "start-replica"; readonly spec: ReplicaSpec }
  /** What the apps of a Space keep to on this node from now on, as its setting is written; it holds also for those that run. */
  | { readonly type: "reach"; readonly space: string; readonly reach: string }
  | { readonly type: "stop-replica"; readonly replica: string; readonly graceMs: DurationMs; readonly why: string }
  /** Freezes a ready app, or lets it go on. A connection that comes for a frozen one lets it go on too; its status tells. */
  | { readonly type: "freeze-replica"; readonly replica: string; readonly frozen: boolean }
  /** `number` counts the builds of the channel `build-queue→<node>`, `fence` how often this build was given to anybody. */
  | { readonly type: "build"; readonly number: number; readonly fence: number; readonly spec: BuildSpec }
  /** Ends what was given by this fence; `code` is how the builder's own record calls it. */
  | {
      readonly type: "cancel-build";
      readonly build: string;
      readonly fence: number;
      readonly code: string;
      readonly why: string;
    }
  /** What a waiting call is told, whenever it changes. */
  | {
      readonly type: "queued";
      readonly call: string;
      readonly replica: string;
      readonly position: number;
      readonly of: number;
      readonly estimateMs: number | null;
      readonly says: string;
    }
  /** `number` counts the grants of the channel `scheduler→<node>`. */
  | {
      readonly type: "grant";
      readonly number: number;
      readonly call: string;
      readonly replica: string;
      readonly slots: readonly string[];
      readonly fence: number;
      readonly warm: boolean;
      readonly device: { readonly index: number; readonly uuid: string };
      readonly leaseMs: number;
      readonly attachWithinMs: number;
    }
  /** The answer to a `schedule` that ends it: refused at once, or given up while waiting. `kind` tells the shim which wire answer fits. */
  | {
      readonly type: "refuse";
      readonly call: string;
      readonly replica: string;
      readonly code: string;
      readonly says: string;
      readonly kind: "quota" | "duration" | "capacity" | "queue" | "token" | "conflict";
      readonly leftMs: number;
      readonly askedMs: number;
      readonly waitMs: number;
    }
  /** The lease is taken back or its call must end now; `cause` is what the shim reports with its `ended`. */
  | {
      readonly type: "withdraw";
      readonly call: string;
      readonly replica: string;
      readonly fence: number;
      readonly cause: "grant-unused" | "operator-stop" | "visitor-stop";
    }
  /** An operator has seen to the cards: faults that only time would lift are forgotten, and they are looked at now. */
  | { readonly type: "check-cards" }
  /** End the idle worker of this slot, then answer `cleared`. */
  | { readonly type: "clear"; readonly replica: string; readonly slot: string; readonly fence: number }
  /** Meter reports of this replica up to `seq` are durable: the shim may forget them. */
  | { readonly type: "ack-meter"; readonly replica: string; readonly seq: number }
  /** Evidence of this emitter and epoch up to `seq` is stored. */
  | { readonly type: "ack-evidence"; readonly emitter: string; readonly epoch: number; readonly seq: number }
  /** These releases are given up: their folders go, and what only they need. */
  | { readonly type: "remove-releases"; readonly releases: readonly string[] }
  /** A Space was deleted: what it kept on this node goes when its last replica has ended. Of the life that is named and of no other. */
  | { readonly type: "remove-space"; readonly space: SpaceOnDisk }
  | {
      readonly type: "read-log";
      readonly read: string;
      readonly replica: string;
      /** Of this Space: a node gives no other's log. */
      readonly space: string;
      /** Negative: so many lines before the end. */
      readonly from: number;
      readonly limit: number;
      readonly find?: LogFind;
    };

/** What a shim reports of its own clock; numbered by replica, re-sent until acknowledged, so each is taken exactly once. */
export type MeterReport =
  | {
      readonly kind: "attached";
      readonly seq: number;
      readonly call: string;
      readonly fence: number;
      readonly pid: number;
      readonly at: string;
    }
  | {
      readonly kind: "ended";
      readonly seq: number;
      readonly call: string;
      readonly fence: number;
      readonly cause: string;
      readonly usedMs: number;
      readonly workerAlive: boolean;
      readonly unused: boolean;
      readonly at: string;
      readonly says: string;
    }
  | {
      readonly kind: "worker-gone";
      readonly seq: number;
      readonly slot: string;
      readonly fence: number;
      readonly at: string;
    };

export interface ScheduleRequest {
  readonly call: string;
  readonly replica: string;
  readonly space: string;
  readonly release: string;
  readonly task: string;
  readonly declaredMs: number;
  readonly size: "large" | "xlarge";
  /** `X-IP-Token` as it came, or null. Verified by the server, never by the agent. */
  readonly token: string | null;
}

export type ToServer =
  | {
      readonly type: "hello";
      readonly node: string;
      readonly epoch: number;
      readonly pool: string;
      readonly devices: readonly DeviceFacts[];
      readonly replicas: readonly ReplicaStatus[];
      readonly sdks: readonly string[];
      /** Builds that it takes at a time. */
      readonly buildsAtOnce: number;
      readonly isolation: Isolation;
      /** Absent where nothing closes its apps off. */
      readonly outbound?: Outbound | undefined;
      /** What stands in the server's own folder, where the agent can read it: its paths are the server's too. */
      readonly folder?: string;
    }
  /** Measured anew, as when the probes have been run. */
  | { readonly type: "isolation"; readonly node: string; readonly isolation: Isolation }
  /** What is wrong with the node's cards now, by uuid; `*` for all of them. Empty: nothing any more. */
  | {
      readonly type: "cards";
      readonly node: string;
      readonly trouble: Readonly<Record<string, CardTrouble>>;
      /** Absent before the first look at the cards' processes. */
      readonly use?: CardUse;
    }
  | {
      readonly type: "heartbeat";
      readonly node: string;
      /** Grants of this channel taken so far. */ readonly tookGrants: number;
      /** All that it has, by which it renews its leases. */
      readonly builds: readonly { readonly build: string; readonly fence: number }[];
    }
  | { readonly type: "replica"; readonly status: ReplicaStatus }
  | { readonly type: "schedule"; readonly request: ScheduleRequest }
  | { readonly type: "left"; readonly call: string; readonly replica: string }
  | { readonly type: "meter"; readonly replica: string; readonly report: MeterReport }
  | { readonly type: "cleared"; readonly replica: string; readonly slot: string; readonly fence: number }
  | {
      readonly type: "build-claimed";
      readonly build: string;
      readonly fence: number;
      readonly number: number;
      readonly builder: string;
    }
  | {
      readonly type: "build-log";
      readonly build: string;
      readonly fence: number;
      readonly lines: readonly {
        readonly at: string;
        readonly stream: "out" | "err" | "note";
        readonly step?: string;
        readonly text: string;
      }[];
    }
  /** What is in force on it: told when it begins, and again when its commands have a sandbox. */
  | { readonly type: "build-limits"; readonly build: string; readonly fence: number; readonly limits: LimitsOfBuild }
  | {
      readonly type: "build-step";
      readonly build: string;
      readonly fence: number;
      readonly step: string;
      readonly state: "started" | "done" | "failed";
      readonly tookMs: number;
    }
  | {
      readonly type: "build-done";
      readonly build: string;
      readonly fence: number;
      readonly outcome:
        | {
            readonly ok: true;
            readonly release: string;
            readonly sdk: SpaceSdk;
            readonly runtime?: RuntimeFacts;
            readonly headers?: ReleaseManifest["headers"];
            readonly signIn?: ReleaseManifest["signIn"];
            readonly settings: Readonly<Record<string, string | number | boolean>>;
          }
        | {
            readonly ok: false;
            readonly code: string;
            readonly step: string | null;
            readonly says: string;
            readonly because: readonly string[];
          };
    }
  /** Releases on the node's disk, after each `welcome`; `build` is null where the folder does not say. */
  | {
      readonly type: "releases";
      readonly node: string;
      readonly releases: readonly { readonly release: string; readonly build: string | null }[];
    }
  /** Spaces whose `/data` is on the node's disk, after each `welcome`. */
  | { readonly type: "spaces"; readonly node: string; readonly spaces: readonly SpaceOnDisk[] }
  | { readonly type: "evidence"; readonly batch: EvidenceBatch }
  | {
      readonly type: "log";
      readonly read: string;
      readonly lines: readonly LogLine[];
      readonly next: number;
      /** There is more to be read from `next` on. */
      readonly more?: boolean;
      /** The replica has ended, and there is nothing after these. */
      readonly complete: boolean;
      /** The node has no such replica of that Space. */
      readonly unknown?: boolean;
    };

/** Records of one emitter and epoch, in order, as its spool holds them (JSON of Entry, Packed, Watermark or Closing of evidence/entry.ts). */
export interface EvidenceBatch {
  readonly emitter: string;
  readonly epoch: number;
  readonly records: readonly { readonly kind: "entry" | "packed" | "watermark" | "closing"; readonly body: unknown }[];
}

/** Frames are bounded: a larger one is a bug of the sender and ends the connection. */
export const frameMaxBytes = 1 << 20;

export function encode(message: ToAgent | ToServer): string {
  return JSON.stringify(message);
}

/** Parses a frame of a peer that passed authentication. Throws `SyntaxError` on what is not an object with a `type`. */
export function decode<Message extends ToAgent | ToServer>(frame: string): Message {
  if (frame.length > frameMaxBytes)
    throw new SyntaxError(`frame of ${frame.length} characters, at most ${frameMaxBytes}`);
  const value: unknown = JSON.parse(frame);
  if (typeof value !== "object" || value === null || typeof (value as { type?: unknown }).type !== "string") {
    throw new SyntaxError("a frame is an object with a type");
  }
  return value as Message;
}

/** One end of a connection between server and agent; in memory or over a network. */
export interface Link<Out, In> {
  send(message: Out): void;
  onMessage(listener: (message: In) => void): void;
  onClose(listener: () => void): void;
  close(): void;
}
