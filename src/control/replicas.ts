/**
 * What the server knows of replicas: which one runs which release of which Space, on which node, in which phase.
 * The agents report it; nothing here is stored, since a node's `hello` brings all of it again.
 */
import type { ReplicaStatus } from "../contract/agent.ts";

export interface KnownReplica {
  readonly node: string;
  readonly pool: string;
  readonly status: ReplicaStatus;
}

/** Ended replicas that are remembered for a Space, so that it can say why it is down. */
const endedKept = 5;

export class Replicas {
  readonly #byId = new Map<string, KnownReplica>();
  readonly #bySpace = new Map<string, Set<string>>();
  readonly #givenUp = new Set<string>();

  get(id: string): KnownReplica | undefined {
    return this.#byId.get(id);
  }

  /** All of one Space, oldest first. */
  of(space: string): readonly KnownReplica[] {
    return [...(this.#bySpace.get(space) ?? [])].flatMap((id) => this.#byId.get(id) ?? []);
  }

  livingOf(space: string): readonly KnownReplica[] {
    return this.of(space).filter(({ status }) => isLiving(status));
  }

  /** Those that the node told of as starting or ready. */
  livingOn(node: string): readonly KnownReplica[] {
    return [...this.#byId.values()].filter((known) => known.node === node && isLiving(known.status));
  }

  set(replica: KnownReplica): void {
    const { status } = replica;
    this.#byId.set(status.replica, replica);
    const ids = this.#bySpace.get(status.space) ?? new Set<string>();
    ids.add(status.replica);
    this.#bySpace.set(status.space, ids);
    if (!isLiving(status)) this.#forgetOldest(ids);
  }

  /** No word of it came in time. */
  giveUp(id: string): void {
    if (this.#byId.has(id)) this.#givenUp.add(id);
  }

  isGivenUp(id: string): boolean {
    return this.#givenUp.has(id);
  }

  /** Ids of all that this node has told of and that are remembered. */
  on(node: string): readonly string[] {
    return [...this.#byId.values()].filter((known) => known.node === node).map(({ status }) => status.replica);
  }

  #forgetOldest(ids: Set<string>): void {
    const ended = [...ids].filter((id) => {
      const known = this.#byId.get(id);
      return known !== undefined && !isLiving(known.status);
    });
    for (const id of ended.slice(0, Math.max(0, ended.length - endedKept))) {
      ids.delete(id);
      this.#byId.delete(id);
      this.#givenUp.delete(id);
    }
  }
}

export function isLiving(status: ReplicaStatus): boolean {
  return status.phase === "starting" || status.phase === "ready";
}
