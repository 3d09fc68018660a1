/**
 * Messages between an agent and a replica's shim: JSON Lines over the unix socket `ctl.sock` in the replica's folder.
 * The shim outlives the agent: an agent that connects says `hello`, and is told the status and every report that it has not acknowledged.
 * What concerns calls has the shape of the agent's messages (agent.ts), so that the agent passes it on unchanged.
 */
import type { LogFind, LogLine, ReplicaStatus, ToAgent, ToServer } from "./agent.ts";

/**
 * Versions of these messages. A shim writes the one that it speaks into `shim.json`; one without is 1. An agent goes on with each shim
 * that speaks `oldest` or newer, and no newer than `speaks`; another's replica is ended and started again.
 *
 *   1   all but what follows
 *   2   `freeze-replica`, `frozen` of a status
 *   3   `on-cards`
 */
export const shimContract = { speaks: 3, oldest: 1, freezes: 2, knowsCards: 3 } as const;

type Of<Message extends { type: string }, Types extends Message["type"]> = Extract<Message, { type: Types }>;

/** A process of a replica that a look found on a card. */
export interface OnCard {
  readonly pid: number;
  /** Its start time, by which it is told from a later one of the same number. */
  readonly start: string;
  /** The card's uuid; several where the driver names only the card that they are instances of. */
  readonly cards: readonly string[];
}

export type AgentToShim =
  | { readonly type: "hello"; readonly agentEpoch: number }
  | { readonly type: "stop"; readonly graceMs: number; readonly why: string }
  | {
      readonly type: "read-log";
      readonly read: string;
      readonly from: number;
      readonly limit: number;
      readonly find?: LogFind;
    }
  /** What of the replica a look found on the node's cards; after one that found something also an empty one. */
  | { readonly type: "on-cards"; readonly processes: readonly OnCard[] }
  | Of<ToAgent, "freeze-replica" | "queued" | "grant" | "refuse" | "withdraw" | "clear" | "ack-meter" | "ack-evidence">;

export type ShimToAgent =
  | {
      readonly type: "status";
      readonly status: ReplicaStatus;
      readonly shimPid: number;
      readonly appPid: number | null;
      readonly port: number | null;
    }
  | {
      readonly type: "log";
      readonly read: string;
      readonly lines: readonly LogLine[];
      readonly next: number;
      readonly more?: boolean;
      readonly complete: boolean;
    }
  /** What the app was started with and no disk holds: with it the agent starts the next one. */
  | { readonly type: "secrets"; readonly secrets: Readonly<Record<string, string>> }
  | Of<ToServer, "schedule" | "left" | "meter" | "cleared" | "evidence">;

/** Orders about the replica's GPU calls, which its shim hands to its GPU side unchanged. */
export type GpuOrder = Of<AgentToShim, "queued" | "grant" | "refuse" | "withdraw" | "clear" | "ack-meter" | "on-cards">;
