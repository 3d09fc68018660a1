/** What the agent needs of its neighbours; `main` plugs in runtime, build and record. */
import type {
  CardStranger,
  CardTrouble,
  EvidenceBatch,
  LogFind,
  MeterReport,
  ReplicaSpec,
  SpaceOnDisk,
  ToAgent,
  ToServer,
} from "../contract/agent.ts";
import type { LaunchPlan } from "../runtime/folder.ts";
import type { DeadReplica as Dead } from "../runtime/launch.ts";
import type { ReplicaLink } from "../runtime/link.ts";
import type { LogPart } from "../log/segments.ts";

export type { ReplicaLink } from "../runtime/link.ts";

/** What is asked of a replica's log, and what its node answers. */
export type LogRequest = Omit<Extract<ToAgent, { type: "read-log" }>, "type" | "read">;
export type LogAnswer = Omit<Extract<ToServer, { type: "log" }>, "type" | "read">;

/** What a dead shim left. */
export interface DeadReplica extends Dead {
  /** Meter reports that nobody acknowledged, in order. */
  readonly meter: readonly MeterReport[];
}

/** A living process, with its start time, and the folder of its replica. */
export interface ProcessOf {
  readonly folder: string;
  readonly start: string;
}

export interface Launcher {
  /** Starts a shim that outlives us, and with it the app; resolves when the shim answers, rejects where it does not start. */
  launch(plan: LaunchPlan, agentEpoch: number): Promise<ReplicaLink>;
  /** Finds the replica of a folder again, or ends what is left of it. Rejects where the folder holds none. */
  adopt(folder: string, agentEpoch: number): Promise<ReplicaLink | DeadReplica>;
  /** Whether the shim's process of this folder still runs: it tells its end shortly before it ends. */
  runs(folder: string): boolean;
  /** The replica of a folder has ended for good: what was prepared for it is cleared away, when its shim is gone too. */
  ended(folder: string): Promise<void>;
  /** Whose these processes of the machine are, by pid, of the replicas in these folders; those of none of them are left out. */
  ownersOf(folders: readonly string[], pids: readonly number[]): ReadonlyMap<number, ProcessOf>;
  /** What the replica of a folder was started with: the next one after its end is started with the same. */
  specOf(folder: string): ReplicaSpec | undefined;
  /** The log of a replica whose shim is dead. */
  readLog(folder: string, from: number, limit: number, find?: LogFind): LogPart;
}

/** What Spaces keep on this node's disk. */
export interface SpacesOnDisk {
  all(): readonly SpaceOnDisk[];
  /** Takes off the disk what this Space keeps; not what one of its name keeps that was made at another time. */
  remove(kept: SpaceOnDisk): Promise<void>;
  /** Removes what a stop left of what was being removed; before anything is. */
  tidy(): Promise<void>;
}

/** What a look at the cards' processes found; null: why it found nothing. */
export type SeenProcesses =
  | { readonly processes: readonly CardStranger[]; readonly unseen: null }
  | { readonly processes: null; readonly unseen: string };

/** Who hears of the cards. */
export interface CardsTold {
  /** What is wrong with them, by uuid, whenever that changes. */
  trouble(trouble: Readonly<Record<string, CardTrouble>>): void;
  /** Who uses them, again and again; says which pids are of our replicas. */
  processes(seen: SeenProcesses): ReadonlySet<number>;
}

/** Looks after the node's cards. */
export interface CardWatch extends Disposable {
  /** Resolves when they were looked at after this was asked, and what changed was told; bounded. */
  look(): Promise<void>;
  /** The same, after workers on these cards have ended: resolves when their memory is back too, or what keeps it was told; bounded. */
  returned(uuids: readonly string[]): Promise<void>;
  /** As `look`, and what was told once and is not seen any more is forgotten. */
  check(): Promise<void>;
}

/** A spool that is being sent on: `record/ship.ts`. */
export interface EvidenceSource {
  /** Records that were not handed out yet; null when there are none now. */
  next(): EvidenceBatch | null;
  acknowledge(stored: { readonly emitter: string; readonly epoch: number; readonly seq: number }): void;
  /** Hands out again what is not acknowledged. */
  rewind(): void;
}

/** What an operator may read; pino's shape. */
export interface AgentLog {
  info(facts: object, says: string): void;
  warn(facts: object, says: string): void;
}
