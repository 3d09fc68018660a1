/**
 * What a node may speak of: itself, and what is its own. Whatever a message names is looked up in what the server knows by itself; where
 * that is another node's, nothing follows from the message.
 */
import type { EvidenceBatch, MeterReport, ReplicaStatus, ScheduleRequest, ToServer } from "../contract/agent.ts";
import { nodeOfSlot } from "../core/slots.ts";
import { namesOfEmitter } from "../evidence/entry.ts";

/** Whose things are. Undefined, or an empty list: the server knows of nobody whose it is. */
export interface Owners {
  /** The node that has told of this replica. */
  replica(id: string): string | undefined;
  /** Nodes on which the ledger has something of these replicas, by replica. */
  nodesOf(replicas: ReadonlySet<string>): Promise<ReadonlyMap<string, ReadonlySet<string>>>;
  /** A call that is open. */
  openCall(id: string): { readonly node: string; readonly replica: string } | undefined;
  /** The node of any call that the ledger still has. */
  callNode(id: string): Promise<string | undefined>;
  /** Where a release was built, and runs. */
  release(id: string): Promise<{ readonly node: string; readonly space: string } | undefined>;
  /** Whether the Space of that name that was there at that time is deleted. */
  wasDeleted(space: string, at: number): Promise<boolean>;
  /** The builder that has this build, unless this fence is an older one than it was given by: a word that comes late is honest. */
  builder(build: string, fence: number): string | undefined;
}

/** The node's own, and of a Space that was deleted meanwhile: it is to end, and nothing more is made of what is said of it. */
export const ofDeletedSpace = Symbol("of a deleted Space");

/** What a message names that is another's, in words; undefined where all of it is the node's own. */
type Foreign = string | typeof ofDeletedSpace | undefined;

const callPrefix = "c_";
/** The shim of a replica is called so. */
const shimPrefix = "shim.";

export class NodeWords {
  readonly #owners: Owners;

  constructor(owners: Owners) {
    this.#owners = owners;
  }

  /** Of a call's messages it is said at once: they come with each use of a GPU. */
  foreignIn(node: string, message: Exclude<ToServer, { type: "hello" }>): Foreign | Promise<Foreign> {
    switch (message.type) {
      case "heartbeat":
      case "isolation":
      case "cards":
      case "releases":
      case "spaces":
        return message.node === node ? undefined : `node ${message.node}`;
      case "replica":
        return this.#replica(node, message.status);
      case "schedule":
        return this.#schedule(node, message.request);
      case "left":
        return this.#call(node, message.call, message.replica);
      case "meter":
        return this.#report(node, message.replica, message.report);
      case "cleared":
        return this.#others(node, message.replica) ?? slot(node, message.slot);
      case "build-claimed":
      case "build-log":
      case "build-limits":
      case "build-step":
      case "build-done": {
        const builder = this.#owners.builder(message.build, message.fence);
        return builder === undefined || builder === node ? undefined : `build ${message.build} of node ${builder}`;
      }
      case "evidence":
        return this.#emitter(node, message.batch);
      case "log":
        return undefined; // the answer to a question that this connection was asked
    }
  }

  /** Of each of the replicas in a hello; the ledger is asked once for all that nobody has told of. */
  async replicas(node: string, told: readonly ReplicaStatus[]): Promise<Foreign[]> {
    const known = told.map(({ replica }) => this.#owners.replica(replica));
    const unknown = new Set(told.filter((_, at) => known[at] === undefined).map(({ replica }) => replica));
    const nodesOf = unknown.size === 0 ? undefined : await this.#owners.nodesOf(unknown);
    return Promise.all(
      told.map(async (status, at) => {
        const { replica } = status;
        if (known[at] !== undefined) return known[at] === node ? undefined : `replica ${replica} of node ${known[at]}`;
        return this.#unknown(node, status, nodesOf?.get(replica) ?? new Set());
      }),
    );
  }

  #replica(node: string, status: ReplicaStatus): Foreign | Promise<Foreign> {
    // Nearly always: its own word of what it told of before waits for nothing.
    if (this.#owners.replica(status.replica) === node) return undefined;
    return this.replicas(node, [status]).then(([foreign]) => foreign);
  }

  /** A replica is where its release is; one that names no Space is a word about one that the node does not have. */
  async #unknown(
    node: string,
    { replica, space, release, startedAt }: Pick<ReplicaStatus, "replica" | "space" | "release" | "startedAt">,
    nodes: ReadonlySet<string>,
  ): Promise<Foreign> {
    const other = [...nodes].find((one) => one !== node);
    if (other !== undefined) return `replica ${replica} of node ${other}`;
    if (space === "") return undefined;
    const found = await this.#owners.release(release);
    if (found?.node === node && found.space === space) return undefined;
    if (found === undefined && (await this.#owners.wasDeleted(space, startedAt))) return ofDeletedSpace;
    return `replica ${replica} of ${space}, whose release ${release} ${found ? `is ${found.space}'s on node ${found.node}` : "is not there"}`;
  }

  #schedule(node: string, { call, replica }: ScheduleRequest): Foreign | Promise<Foreign> {
    // What the server signs for in a call's name is to stand in no other work's waybill.
    if (!call.startsWith(callPrefix)) return `${call}, which is no call`;
    if (this.#owners.openCall(call)) return this.#call(node, call, replica);
    // A replica that is the node's own makes ids of its own; the ledger says no where it does not.
    return this.#owners.replica(replica) === node
      ? undefined
      : (this.#others(node, replica) ?? this.#ended(node, call));
  }

  async #ended(node: string, call: string): Promise<Foreign> {
    const of = await this.#owners.callNode(call);
    return of === undefined || of === node ? undefined : `call ${call} of node ${of}`;
  }

  #call(node: string, call: string, replica: string): Foreign {
    const known = this.#owners.openCall(call);
    if (known === undefined || (known.node === node && known.replica === replica)) return this.#others(node, replica);
    return `call ${call} of ${known.node === node ? `replica ${known.replica}` : `node ${known.node}`}`;
  }

  #report(node: string, replica: string, report: MeterReport): Foreign {
    if (report.kind !== "worker-gone") return this.#call(node, report.call, replica);
    return this.#others(node, replica) ?? slot(node, report.slot);
  }

  #others(node: string, replica: string): Foreign {
    const known = this.#owners.replica(replica);
    return known === undefined || known === node ? undefined : `replica ${replica} of node ${known}`;
  }

  /** Of which node a shim was that nobody has told of lately, the evidence store knows. */
  #emitter(node: string, { emitter }: Pick<EvidenceBatch, "emitter">): Foreign {
    const names = namesOfEmitter(emitter);
    if (names.some((name) => name === `agent-${node}` || name === `gateway-${node}`)) return undefined;
    const replica = names.at(-1)?.startsWith(shimPrefix) ? names.at(-1)?.slice(shimPrefix.length) : undefined;
    return replica === undefined ? `emitter ${emitter}` : this.#others(node, replica);
  }
}

function slot(node: string, id: string): Foreign {
  return nodeOfSlot(id) === node ? undefined : `slot ${id}`;
}
