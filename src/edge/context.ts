/** What every request of one edge shares: its ports, names and pools. */
import type { ConnectionName } from "../contract/preamble.ts";
import type { Emitter } from "../evidence/entry.ts";
import { receivedStatusValues } from "../http/proxy-status.ts";
import { SocketMemory } from "../http/socket-memory.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import type { Clock } from "../stdx/time.ts";
import { Drawn } from "./drawn.ts";
import { Elsewhere } from "./gradio/elsewhere.ts";
import { GradioEvents } from "./gradio/events.ts";
import { Guard } from "./guard.ts";
import type { GuardLimits } from "./guard.ts";
import { passesMax, shunnedForMs, strangersToldPerMinute } from "./limits.ts";
import type { EdgeLimits } from "./limits.ts";
import { Pool } from "./pool.ts";
import { Packet } from "./packet.ts";
import type { Replica, SpaceDirectory, VisitorIdentity } from "./ports.ts";
import type { Shared } from "./shared.ts";
import { Sticky } from "./sticky.ts";
import { ToldOneByOne } from "./told.ts";
import { UnderWay } from "./under-way.ts";

export interface ContextOptions {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly identity: VisitorIdentity;
  readonly directory: SpaceDirectory;
  readonly emitter: Emitter;
  readonly limits: EdgeLimits;
  readonly guard: GuardLimits;
  readonly deploymentName: string;
  readonly explainUrl: (id: string) => string;
  readonly onVisitorGone: (request: string) => void;
  readonly onError: (error: unknown) => void;
  /** As {@link EdgeOptions.share}. */
  readonly share?: (told: Shared) => void;
  /** The number of the line to a replica's node; undefined while it is lost, 0 where there is none. Absent: all are on this machine. */
  readonly line?: (replica: string) => number | undefined;
  /** As {@link EdgeOptions.lineSettled}. */
  readonly lineSettled?: (replica: string) => Promise<void> | undefined;
}

export class EdgeContext {
  readonly clock: Clock;
  readonly identity: VisitorIdentity;
  readonly directory: SpaceDirectory;
  readonly emitter: Emitter;
  readonly limits: EdgeLimits;
  readonly deploymentName: string;
  /** The deployment's name as `Via` can bear it (RFC 9110 §7.6.3: a token). */
  readonly via: string;
  readonly explainUrl: (id: string) => string;
  readonly onVisitorGone: (request: string) => void;
  readonly onError: (error: unknown) => void;
  readonly line: (replica: string) => number | undefined;
  readonly lineSettled: (replica: string) => Promise<void> | undefined;
  readonly receivedStatus: (status: number) => string;
  readonly active = new UnderWay();
  readonly drawn: Drawn;
  readonly gradio: GradioEvents;
  readonly sticky: Sticky;
  readonly #elsewhere: Elsewhere;
  readonly guard: Guard;
  /** Of strangers' refusals. */
  readonly told: ToldOneByOne;
  /** Requests' bodies that are held until it is known where they go. */
  bodiesHeld = 0;
  /** It takes no more connections, and closes each with its next answer. */
  isDraining = false;
  /** What sockets are read into. */
  readonly memory = new SocketMemory();
  readonly packet = new Packet();
  readonly #pools = new Map<string, Pool>();
  /** Replicas that could not be reached, and when. */
  readonly #shunned = new Map<string, number>();
  #connections = 0;

  constructor(options: ContextOptions) {
    this.clock = options.clock;
    this.identity = options.identity;
    this.directory = options.directory;
    this.emitter = options.emitter;
    this.limits = options.limits;
    this.deploymentName = options.deploymentName;
    this.via = options.deploymentName.replaceAll(/[^A-Za-z0-9.-]/g, "-");
    this.explainUrl = options.explainUrl;
    this.onVisitorGone = options.onVisitorGone;
    this.onError = options.onError;
    this.line = options.line ?? (() => 0);
    this.lineSettled = options.lineSettled ?? (() => undefined);
    this.receivedStatus = receivedStatusValues(options.deploymentName);
    this.drawn = new Drawn(options.random);
    this.gradio = new GradioEvents({
      emitter: options.emitter,
      monotonic: () => options.clock.monotonic(),
      onVisitorGone: options.onVisitorGone,
      share: options.share,
    });
    this.told = new ToldOneByOne(strangersToldPerMinute, () => options.clock.monotonic());
    this.#elsewhere = new Elsewhere(this.gradio);
    const { share } = options;
    this.guard = new Guard(
      options.guard,
      () => options.clock.monotonic(),
      share && ((uses) => share({ type: "uses", uses })),
    );
    this.sticky = new Sticky({
      busy: (replica) => this.busy(replica),
      isShunned: (replica) => this.#shunned.has(replica),
      monotonic: () => options.clock.monotonic(),
      share: options.share,
    });
  }

  /** As {@link Edge.learn}. */
  learn(worker: string, told: Shared | "ended"): void {
    if (told === "ended") {
      this.guard.forget(worker);
      return this.#elsewhere.workerEnded(worker);
    }
    if (told.type === "session") return this.sticky.learn(told);
    if (told.type === "uses") return this.guard.learn(worker, told.uses);
    this.#elsewhere.take(worker, told);
  }

  /** Whether `CDN-Loop` (RFC 8586) names this deployment as often as it may. */
  isLoop(cdnLoop: string | undefined): boolean {
    if (cdnLoop === undefined) return false;
    const names = cdnLoop.split(",").map((info) => info.split(";")[0]?.trim());
    return names.filter((name) => name === this.via).length >= passesMax;
  }

  channelTo(replica: string): string {
    return `${this.emitter.name}/${this.emitter.epoch}→${replica}`;
  }

  /** The pool of a replica. A replica that came back at another socket is another one. */
  poolOf(replica: Replica): Pool {
    const kept = this.#pools.get(replica.id);
    if (kept !== undefined && kept.replica.socket === replica.socket) return kept;
    const pool = new Pool({
      replica,
      connectionsMax: this.limits.connectionsPerReplica,
      nextName: () => this.#nextName(),
      monotonic: () => this.clock.monotonic(),
      memory: this.memory,
    });
    this.#pools.set(replica.id, pool);
    return pool;
  }

  busy(replica: string): number {
    return this.#pools.get(replica)?.busy ?? 0;
  }

  allBusy(): Record<string, number> {
    return Object.fromEntries([...this.#pools].flatMap(([id, { busy }]) => (busy > 0 ? [[id, busy] as const] : [])));
  }

  /** It could not be reached: others of its Space are tried first for a moment. */
  shun(replica: string): void {
    this.#shunned.set(replica, this.clock.monotonic());
  }

  sweep(): void {
    const now = this.clock.monotonic();
    for (const [replica, since] of this.#shunned) if (now - since > shunnedForMs) this.#shunned.delete(replica);
    this.sticky.sweep();
    this.guard.sweep();
    for (const carried of this.active) carried.sweep(now);
    this.gradio.sweep(now);
    for (const [replica, pool] of this.#pools) {
      pool.sweep(now);
      if (pool.empty) this.#pools.delete(replica);
    }
  }

  close(): void {
    this.gradio.close();
    for (const pool of this.#pools.values()) pool.close();
    this.#pools.clear();
  }

  #nextName(): ConnectionName {
    this.#connections += 1;
    return { emitter: this.emitter.name, epoch: this.emitter.epoch, connection: this.#connections };
  }
}
