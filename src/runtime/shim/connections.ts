/**
 * What the shim remembers of the connections that edges opened, by their names. Pure bookkeeping: no sockets.
 *
 *   C1. A name is opened at most once.
 *   C2. A name that was answered `unknown` is never opened afterwards.
 *   C3. Only a name that never arrived is answered `unknown`: of one that the bounded table no longer holds, nothing is said.
 */
import type { ConnectionName } from "../../contract/preamble.ts";

export interface Connection {
  readonly name: ConnectionName;
  /** Whether the app's port accepted it; null while that is open. */
  connected: boolean | null;
  /** Bytes that the app's socket accepted, counted when each write was done. */
  acceptedBytes: number;
  /** Bytes that were handed to the app's socket; those above `acceptedBytes` may or may not have been accepted. */
  handedBytes: number;
  returnedBytes: number;
  /** Why the app's side was not opened, or broke. */
  errno: string | null;
  /** The platform had begun to end the app when its side closed. */
  stopping: boolean;
  /** Both sockets are closed: the counts are final. */
  closed: boolean;
}

export type Asked =
  | { readonly is: "known"; readonly connection: Connection }
  | { readonly is: "unknown" }
  | { readonly is: "forgotten" };

export interface TableLimits {
  /** Connections of one edge epoch that are held, closed ones included. */
  readonly connections: number;
  /** Names of one edge epoch that were answered `unknown`. */
  readonly refused: number;
  /** Edge epochs: an edge makes one at each of its starts. The oldest without an open connection makes room for the next. */
  readonly epochs: number;
}

/** 4,096 connections hold about a megabyte, of a small process; an edge asks within seconds after a loss, so old epochs may go. */
export const tableLimits: TableLimits = { connections: 4_096, refused: 1_024, epochs: 8 };

/** An edge has a new name only after it lost its counter. */
const emittersMax = 64;

interface Epoch {
  readonly emitter: string;
  readonly epoch: number;
  readonly connections: Map<number, Connection>;
  readonly refused: Set<number>;
  /** Highest number of a connection that was dropped from the table. */
  forgottenTo: number;
  /** Highest number of a refused name that was dropped: at or below it only known names are served. */
  refusedTo: number;
}

export class ConnectionTable {
  readonly #epochs = new Map<string, Epoch>();
  /** Highest epoch of each emitter that was dropped: it and those before it are neither served nor answered for. */
  readonly #dropped = new Map<string, number>();
  readonly #limits: TableLimits;

  constructor(limits: TableLimits = tableLimits) {
    this.#limits = limits;
  }

  /** The new connection's record; undefined where the name may not be opened (C1, C2) or the table is full of open ones. */
  open(name: ConnectionName): Connection | undefined {
    const epoch = this.#epoch(name);
    const { connection: number } = name;
    if (!epoch || epoch.connections.has(number) || epoch.refused.has(number) || number <= epoch.refusedTo)
      return undefined;
    if (number <= epoch.forgottenTo) return undefined;
    if (epoch.connections.size >= this.#limits.connections && !forgetOldestClosed(epoch)) return undefined;
    const made: Connection = {
      name,
      connected: null,
      acceptedBytes: 0,
      handedBytes: 0,
      returnedBytes: 0,
      errno: null,
      stopping: false,
      closed: false,
    };
    epoch.connections.set(number, made);
    return made;
  }

  /** What is known under the name. The answer `unknown` binds: the name is refused from now on. */
  ask(name: ConnectionName): Asked {
    const epoch = this.#epoch(name);
    if (!epoch) return { is: "forgotten" };
    const connection = epoch.connections.get(name.connection);
    if (connection) return { is: "known", connection };
    if (name.connection <= epoch.forgottenTo) return { is: "forgotten" };
    if (epoch.refused.size >= this.#limits.refused) forgetOldestRefused(epoch);
    epoch.refused.add(name.connection);
    return { is: "unknown" };
  }

  #epoch({ emitter, epoch }: ConnectionName): Epoch | undefined {
    const key = `${emitter}/${epoch}`;
    const found = this.#epochs.get(key);
    if (found || epoch <= (this.#dropped.get(emitter) ?? -1)) return found;
    if (this.#epochs.size >= this.#limits.epochs && !this.#dropOldest()) return undefined;
    const made: Epoch = { emitter, epoch, connections: new Map(), refused: new Set(), forgottenTo: -1, refusedTo: -1 };
    this.#epochs.set(key, made);
    return made;
  }

  #dropOldest(): boolean {
    for (const [key, { emitter, epoch, connections }] of this.#epochs) {
      if ([...connections.values()].some(({ closed }) => !closed)) continue;
      if (!this.#dropped.has(emitter) && this.#dropped.size >= emittersMax) return false;
      this.#dropped.set(emitter, Math.max(epoch, this.#dropped.get(emitter) ?? -1));
      this.#epochs.delete(key);
      return true;
    }
    return false;
  }
}

function forgetOldestClosed(epoch: Epoch): boolean {
  for (const [number, { closed }] of epoch.connections) {
    if (!closed) continue;
    epoch.connections.delete(number);
    epoch.forgottenTo = Math.max(epoch.forgottenTo, number);
    return true;
  }
  return false;
}

function forgetOldestRefused(epoch: Epoch): void {
  for (const number of epoch.refused) {
    epoch.refused.delete(number);
    epoch.refusedTo = Math.max(epoch.refusedTo, number);
    return;
  }
}
