/** What the agent needs of its neighbours; `main` plugs in runtime, build and record. */
import type { EvidenceBatch, LogLine, MeterReport, ReplicaSpec, ReplicaStatus } from "../contract/agent.ts";
import type { ReleaseManifest } from "../contract/release.ts";
import type { AgentToShim, ShimToAgent } from "../contract/shim.ts";

export interface LaunchPlan {
  /** The replica's own folder; made by the launcher. */
  readonly folder: string;
  readonly spec: ReplicaSpec;
  readonly release: ReleaseManifest;
  readonly releaseFolder: string;
  readonly isolation: "none";
}

export interface LogPart {
  readonly lines: readonly LogLine[];
  readonly next: number;
}

/** A living shim. Closing the link leaves it and its app running. */
export interface ReplicaLink {
  readonly replica: string;
  readonly folder: string;
  status(): ReplicaStatus;
  send(message: AgentToShim): boolean;
  onMessage(listener: (message: ShimToAgent) => void): void;
  /** Called once; `adopt` then tells what became of it. */
  onClose(listener: () => void): void;
  readLog(from: number, limit: number): Promise<LogPart & { readonly complete: boolean }>;
  close(): void;
}

/** What a dead shim left. */
export interface DeadReplica {
  readonly dead: ReplicaStatus;
  /** Meter reports that nobody acknowledged, in order. */
  readonly meter: readonly MeterReport[];
}

export interface Launcher {
  /** Starts a shim that outlives us, and with it the app; resolves when the shim answers, rejects where it does not start. */
  launch(plan: LaunchPlan, agentEpoch: number): Promise<ReplicaLink>;
  /** Finds the replica of a folder again, or ends what is left of it. Rejects where the folder holds none. */
  adopt(folder: string, agentEpoch: number): Promise<ReplicaLink | DeadReplica>;
  /** Whether the shim's process of this folder still runs: it tells its end shortly before it ends. */
  runs(folder: string): boolean;
  /** What the replica of a folder was started with: the next one after its end is started with the same. */
  specOf(folder: string): ReplicaSpec | undefined;
  /** The log of a replica whose shim is dead. */
  readLog(folder: string, from: number, limit: number): LogPart;
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
