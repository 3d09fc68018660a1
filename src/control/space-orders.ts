/** Carries out what a Space's machine has decided: replicas are started, stopped once nothing is under way there, frozen, thawed. */
import type { ReplicaStatus, ToAgent } from "../contract/agent.ts";
import type { ReleaseRow } from "../catalog/builds.ts";
import type { NumberedChange } from "../catalog/environments.ts";
import type { SpaceRow } from "../catalog/spaces.ts";
import type { Effect } from "../core/spaces/draft.ts";
import { newId } from "../stdx/ids.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { durationMs } from "../stdx/time.ts";
import type { Clock, DurationMs } from "../stdx/time.ts";
import type { Replicas } from "./replicas.ts";
import { isLiving } from "./replicas.ts";
import { setupOf } from "./setup.ts";

export interface OrdersPorts {
  readonly replicas: Replicas;
  readonly clock: Clock;
  readonly random: RandomBytes;
  send(node: string, message: ToAgent): boolean;
  /** The node that runs releases built there. */
  connected(node: string): boolean;
  /** Environment that a replica of this Space gets. */
  environment(space: SpaceRow, release: ReleaseRow): Readonly<Record<string, string>>;
  /** The last change of a Space's variables and secrets. */
  lastChange(space: string): NumberedChange | undefined;
  /** How long a replica of this release may take from its start to listening. */
  startMs(release: ReleaseRow): DurationMs;
  /** How often an app is looked at once it is ready. */
  readonly healthEveryMs: DurationMs;
  /** Requests that are under way at a replica. */
  busy(replica: string): number;
}

/** How long an app may take to end when its successor is ready. */
const graceMs = durationMs(5_000);
/** How long what is under way at a replica may go on after it was told to end: longer answers are event streams, mostly. */
const drainMs = 10_000;
const drainLookEveryMs = 50;

export class SpaceOrders {
  readonly #ports: OrdersPorts;
  /** Replicas that are to be stopped: new requests go elsewhere. */
  readonly #retiring = new Set<string>();
  /** Replicas that are to be frozen when nothing is under way there. */
  readonly #freezing = new Set<string>();

  constructor(ports: OrdersPorts) {
    this.#ports = ports;
  }

  isRetiring(replica: string): boolean {
    return this.#retiring.has(replica);
  }

  /** It has ended, or its node is connected anew and may not have heard the last order. */
  forget(replica: string): void {
    this.#retiring.delete(replica);
    this.#freezing.delete(replica);
  }

  /** `release` has the rows of those that are to be started. Gives the ids of what was started. */
  carryOut(
    effects: readonly Effect[],
    { row, build, release }: { row: SpaceRow; build: string | null; release: (id: string) => ReleaseRow | undefined },
  ): readonly string[] {
    const started: string[] = [];
    for (const effect of effects) {
      if (effect.type === "start") {
        const found = release(effect.release);
        for (let n = 0; found && n < effect.count; n += 1) started.push(...this.#start(row, found, build));
      } else if (effect.type === "retire") {
        for (const replica of effect.replicas) {
          if (effect.gaveUp) this.#ports.replicas.giveUp(replica);
          this.retire(replica, effect.why);
        }
      } else if (effect.type === "freeze") {
        for (const replica of effect.replicas) this.#freeze(replica);
      } else {
        for (const replica of effect.replicas) this.#thaw(replica);
      }
    }
    return started;
  }

  /** Stops a replica that gets no more requests, once those that it has are answered or the time for that is over. */
  retire(replica: string, why: string): void {
    if (this.#retiring.has(replica)) return;
    this.#retiring.add(replica);
    this.#freezing.delete(replica);
    this.#whenIdle(replica, () => this.#tell(replica, { type: "stop-replica", replica, graceMs, why }));
  }

  #start(row: SpaceRow, release: ReleaseRow, build: string | null): readonly string[] {
    if (!this.#ports.connected(release.node)) return [];
    const replica = newId("p", this.#ports.random);
    const setup = setupOf(row, this.#ports.lastChange(release.space));
    const spec = {
      replica,
      space: release.space,
      release: release.id,
      madeAt: row.createdAt,
      build,
      sdk: release.manifest.sdk,
      env: this.#ports.environment(row, release),
      readyWithinMs: this.#ports.startMs(release),
      ...(setup.gpu ? {} : { gpu: false as const }),
      setup,
      health: { path: row.settings["health-path"] || null, everyMs: this.#ports.healthEveryMs },
    };
    const status: ReplicaStatus = {
      replica,
      space: release.space,
      release: release.id,
      phase: "starting",
      socket: null,
      startedAt: this.#ports.clock.wall(),
      setup,
    };
    this.#ports.replicas.set({ node: release.node, pool: "main", status });
    this.#ports.send(release.node, { type: "reach", space: release.space, reach: row.settings.reach });
    this.#ports.send(release.node, { type: "start-replica", spec });
    return [replica];
  }

  /** One that is never idle is not frozen: its Space's time for going to sleep ends then. */
  #freeze(replica: string): void {
    if (this.#freezing.has(replica) || this.#retiring.has(replica)) return;
    this.#freezing.add(replica);
    this.#whenIdle(replica, (idle) => {
      const isWanted = this.#freezing.delete(replica);
      if (idle && isWanted) this.#tell(replica, { type: "freeze-replica", replica, frozen: true });
    });
  }

  #thaw(replica: string): void {
    this.#freezing.delete(replica);
    this.#tell(replica, { type: "freeze-replica", replica, frozen: false });
  }

  #whenIdle(replica: string, then: (idle: boolean) => void, since = this.#ports.clock.monotonic()): void {
    const idle = this.#ports.busy(replica) === 0;
    const isLate = this.#ports.clock.monotonic() - since >= drainMs;
    if (idle || isLate) return then(idle);
    setTimeout(() => this.#whenIdle(replica, then, since), drainLookEveryMs).unref();
  }

  #tell(replica: string, message: ToAgent): void {
    const known = this.#ports.replicas.get(replica);
    if (known && isLiving(known.status)) this.#ports.send(known.node, message);
  }
}
