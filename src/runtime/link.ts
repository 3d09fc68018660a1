/** The agent's end of a shim's `ctl.sock`. */
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import type { LogFind, ReplicaStatus } from "../contract/agent.ts";
import { shimContract, type AgentToShim, type ShimToAgent } from "../contract/shim.ts";
import { readShim, socketNames, type StoredPlan } from "./folder.ts";
import { readFrames, writeFrame } from "./frames.ts";
import type { LogPart } from "../log/segments.ts";

export interface LogRead extends LogPart {
  /** The replica has ended and this is the end of its log. */
  readonly complete: boolean;
}

/** A living shim. Closing the link leaves the shim and its app running. */
export interface ReplicaLink {
  readonly replica: string;
  readonly folder: string;
  /** As last told. */
  status(): ReplicaStatus;
  /** False once the shim is gone; what matters is asked for again by the next `hello`. */
  send(message: AgentToShim): boolean;
  /** Every message but the answers to `readLog`. What came before the first listener is kept for it. */
  onMessage(listener: (message: ShimToAgent) => void): void;
  /** Called once: the shim closed the line or died. `adopt` tells which. */
  onClose(listener: () => void): void;
  /** Lines from number `from` on, as `readLogFiles` counts them; rejects when the shim goes away meanwhile. */
  readLog(from: number, limit: number, find?: LogFind): Promise<LogRead>;
  close(): void;
}

/** Messages before the first listener: those that a `hello` brings, no more. */
const heldMax = 10_000;

/** Connects and says `hello`; resolves with the first status. Rejects with the socket's error, or `late` after `withinMs`. */
export async function connectLink(plan: StoredPlan, agentEpoch: number, withinMs: number): Promise<ReplicaLink> {
  const socket = connect(join(plan.sockets, socketNames.control));
  const link = new SocketLink(plan, socket);
  const late = setTimeout(() => socket.destroy(new Error(`the shim said nothing within ${withinMs} ms`)), withinMs);
  try {
    await link.first(agentEpoch);
  } finally {
    clearTimeout(late);
  }
  return link;
}

class SocketLink implements ReplicaLink {
  readonly replica: string;
  readonly folder: string;
  readonly #socket: Socket;
  readonly #reads = new Map<string, { resolve(part: LogRead): void; reject(error: Error): void }>();
  #status: ReplicaStatus | undefined;
  #held: ShimToAgent[] = [];
  #listener: ((message: ShimToAgent) => void) | undefined;
  #closeListeners: (() => void)[] = [];
  #closed = false;
  #readsMade = 0;

  constructor(plan: StoredPlan, socket: Socket) {
    this.replica = plan.spec.replica;
    this.folder = plan.folder;
    this.#socket = socket;
  }

  first(agentEpoch: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.on("error", reject);
      this.#socket.on("close", () => {
        reject(new Error("the shim closed the line"));
        this.#onClose();
      });
      this.#socket.once("connect", () => this.send({ type: "hello", agentEpoch }));
      readFrames<ShimToAgent>(this.#socket, (message) => {
        this.#take(message);
        if (message.type === "status") resolve();
      });
    });
  }

  status(): ReplicaStatus {
    return this.#status as ReplicaStatus;
  }

  send(message: AgentToShim): boolean {
    // A shim that does not know of these would take them for something about a call.
    const needs = { "freeze-replica": shimContract.freezes, "on-cards": shimContract.knowsCards };
    if (message.type === "freeze-replica" || message.type === "on-cards")
      if (spokenBy(this.folder) < needs[message.type]) return false;
    return writeFrame(this.#socket, message);
  }

  onMessage(listener: (message: ShimToAgent) => void): void {
    this.#listener = listener;
    const held = this.#held;
    this.#held = [];
    for (const message of held) listener(message);
  }

  onClose(listener: () => void): void {
    if (this.#closed) queueMicrotask(listener);
    else this.#closeListeners.push(listener);
  }

  readLog(from: number, limit: number, find: LogFind = {}): Promise<LogRead> {
    const read = `r${++this.#readsMade}`;
    return new Promise((resolve, reject) => {
      this.#reads.set(read, { resolve, reject });
      if (!this.send({ type: "read-log", read, from, limit, find })) this.#failReads();
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(message: ShimToAgent): void {
    if (message.type === "log") {
      this.#reads.get(message.read)?.resolve(message);
      this.#reads.delete(message.read);
      return;
    }
    if (message.type === "status") this.#status = message.status;
    if (this.#listener) this.#listener(message);
    else if (this.#held.length < heldMax) this.#held.push(message);
    else this.#socket.destroy(new Error("nobody listens to this shim"));
  }

  #onClose(): void {
    this.#closed = true;
    this.#failReads();
    for (const listener of this.#closeListeners) listener();
    this.#closeListeners = [];
  }

  #failReads(): void {
    for (const { reject } of this.#reads.values())
      reject(new Error("the shim is gone: its log can be read from its folder"));
    this.#reads.clear();
  }
}

/** Of one whose record is damaged, the least: the folder is its replica's user's, and nobody else is to suffer for it. */
function spokenBy(folder: string): number {
  try {
    return readShim(folder)?.contract ?? shimContract.oldest;
  } catch (error) {
    if (error instanceof SyntaxError) return shimContract.oldest;
    throw error;
  }
}
