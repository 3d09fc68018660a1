/** One replica as its agent holds it, and what the agent leaves of a dead one in its folder. */
import type { MeterReport, ReplicaSpec, ReplicaStatus } from "../contract/agent.ts";
import { readStored, writeStored } from "../runtime/folder.ts";
import type { ReplicaLink } from "./ports.ts";

const settledName = "agent.json";

type State = "waiting" | "launching" | "running" | "dead";

/** What the agent holds of one replica. */
export interface Held {
  readonly replica: string;
  readonly folder: string;
  /** Null for one that was dead when the agent started: the server decides what should run. */
  spec: ReplicaSpec | null;
  state: State;
  status: ReplicaStatus;
  link: ReplicaLink | undefined;
  stopWhy: string | undefined;
  stopGraceMs: number;
  lostLinks: number;
  timer: NodeJS.Timeout | undefined;
  /** When it was begun, on the monotonic clock, and how long after that its start came how far. */
  launchedAt: number | undefined;
  readonly reached: { started?: number; listening?: number };
  /** Its app listened, or it was found after a restart of the agent and nobody knows. */
  wasReady: boolean;
  /** The server has taken in its end. */
  settled: boolean;
  /** Reports of a dead shim that the server has not acknowledged. */
  meter: readonly MeterReport[];
}

/** What the agent knows of a dead replica without asking anybody: `agent.json` in its folder. */
interface Settled {
  readonly status: ReplicaStatus;
}

export function emptyHeld(folder: string, spec: ReplicaSpec | null, status: ReplicaStatus): Held {
  return {
    replica: status.replica,
    folder,
    spec,
    state: "waiting",
    status,
    link: undefined,
    stopWhy: undefined,
    stopGraceMs: 0,
    lostLinks: 0,
    timer: undefined,
    launchedAt: undefined,
    reached: {},
    wasReady: spec === null,
    settled: false,
    meter: [],
  };
}

export function isEnd({ phase }: ReplicaStatus): boolean {
  return phase === "exited" || phase === "lost" || phase === "stopped";
}

/** The server has taken in its end: said in its folder too, so that no agent after this one asks or tells of it. */
export function settle(held: Held): void {
  held.settled = true;
  try {
    writeStored(held.folder, settledName, { status: held.status } satisfies Settled);
  } catch (error) {
    // It was never started, so it has no folder to be found by.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/** What {@link settle} wrote; undefined where it did not, or not to the end. */
export function readSettled(folder: string): Settled | undefined {
  try {
    return readStored<Settled>(folder, settledName);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
