/**
 * The connections to one replica: bounded, kept alive between requests, never shared with another replica. One carries the requests of
 * one visitor: bytes that an app sends beyond an answer's end, however late, are then never another's answer.
 */
import type { ConnectionName } from "../contract/preamble.ts";
import type { SocketMemory } from "../http/socket-memory.ts";
import { freshIdleMs, upstreamIdleMs, waitersPerReplica } from "./limits.ts";
import type { Replica } from "./ports.ts";
import { Upstream } from "./upstream.ts";
import type { UpstreamOwner } from "./upstream.ts";

/** Which connection may carry a request: any idle one, one used a moment ago, or only one of its own. */
export type Reuse = "any" | "recent" | "never";

export interface Waiter {
  readonly reuse: Reuse;
  /** Whose request it is. */
  readonly visitor: string;
  onConnection(upstream: Upstream): void;
}

/** As whose a connection is kept: an account's, at one address. */
export function visitorKey(account: string, address: string): string {
  return `${account} ${address}`;
}

export interface PoolOptions {
  readonly replica: Replica;
  readonly connectionsMax: number;
  /** Names the next connection of this emitter. */
  readonly nextName: () => ConnectionName;
  readonly monotonic: () => number;
  /** What its connections are read into. */
  readonly memory: SocketMemory;
}

export class Pool implements UpstreamOwner {
  readonly replica: Replica;
  readonly #options: PoolOptions;
  /** The last used at the end: those at the front grow old and end. */
  readonly #idle: Upstream[] = [];
  readonly #open = new Set<Upstream>();
  readonly #waiters = new Set<Waiter>();

  constructor(options: PoolOptions) {
    this.replica = options.replica;
    this.#options = options;
  }

  /** Requests under way: connections that carry one now, and what waits for one. */
  get busy(): number {
    return this.#open.size - this.#idle.length + this.#waiters.size;
  }

  /** Nothing is open and nobody waits: the pool may be forgotten. */
  get empty(): boolean {
    return this.#open.size === 0 && this.#waiters.size === 0;
  }

  /** Gives the waiter a connection, at once where there is one. False where too many wait already. */
  take(waiter: Waiter): boolean {
    const kept = this.kept(waiter.visitor, waiter.reuse);
    if (kept !== undefined) {
      this.use(kept);
      waiter.onConnection(kept);
      return true;
    }
    if (this.#open.size >= this.#options.connectionsMax) this.#idle.shift()?.destroy();
    if (this.#open.size < this.#options.connectionsMax) {
      waiter.onConnection(this.#connect(waiter));
      return true;
    }
    if (this.#waiters.size >= waitersPerReplica) return false;
    this.#waiters.add(waiter);
    return true;
  }

  /** The idle connection that this visitor's next request may be carried on. */
  kept(visitor: string, reuse: Reuse): Upstream | undefined {
    if (reuse === "never") return undefined;
    const last = this.#idle.findLast((upstream) => upstream.visitor === visitor && upstream.usable);
    if (last === undefined) return undefined;
    const age = this.#options.monotonic() - last.idleSince;
    return age < (reuse === "recent" ? freshIdleMs : upstreamIdleMs) ? last : undefined;
  }

  /** It is {@link kept}, and is to carry one. */
  use(kept: Upstream): void {
    if (this.#idle.at(-1) === kept) this.#idle.pop();
    else this.#idle.splice(this.#idle.indexOf(kept), 1);
  }

  /** The waiter gave up. */
  forget(waiter: Waiter): void {
    this.#waiters.delete(waiter);
  }

  /** Ends the connections that nobody used for a while. */
  sweep(now: number): void {
    while (this.#idle.length > 0 && now - (this.#idle[0] as Upstream).idleSince >= upstreamIdleMs)
      this.#idle.shift()?.destroy();
  }

  close(): void {
    this.#waiters.clear();
    for (const upstream of this.#open) upstream.destroy();
  }

  onIdle(upstream: Upstream): void {
    upstream.idleSince = this.#options.monotonic();
    const [waiter] = this.#waiters;
    if (waiter !== undefined && waiter.reuse !== "never" && waiter.visitor === upstream.visitor) {
      this.#waiters.delete(waiter);
      waiter.onConnection(upstream);
      return;
    }
    this.#idle.push(upstream);
    if (waiter !== undefined) upstream.destroy();
  }

  onClosed(upstream: Upstream): void {
    this.#open.delete(upstream);
    const index = this.#idle.indexOf(upstream);
    if (index >= 0) this.#idle.splice(index, 1);
    const [waiter] = this.#waiters;
    if (waiter === undefined) return;
    this.#waiters.delete(waiter);
    waiter.onConnection(this.#connect(waiter));
  }

  #connect({ visitor }: Waiter): Upstream {
    const { memory } = this.#options;
    const upstream = new Upstream({
      ...{ path: this.replica.socket, name: this.#options.nextName() },
      ...{ visitor, owner: this, memory },
    });
    this.#open.add(upstream);
    return upstream;
  }
}
