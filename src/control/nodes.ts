/**
 * The server's end of each agent's connection. Reports of one replica are taken in order and acknowledged when they are durable;
 * what a node says of itself is believed, what an app says is not known here.
 */
import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import type { Outbound } from "../contract/egress.ts";
import type { Isolation } from "../contract/isolation.ts";
import type {
  CardTrouble,
  CardUse,
  DeviceFacts,
  EvidenceBatch,
  ReplicaStatus,
  SpaceOnDisk,
  ToAgent,
  ToServer,
} from "../contract/agent.ts";
import type { Link } from "../contract/agent.ts";
import type { CardTrouble as LedgerTrouble, Command } from "../core/model.ts";
import { durationMs } from "../stdx/time.ts";
import type { Calls } from "./calls.ts";
import { nodesOfReplicas } from "../core/views.ts";
import type { Code } from "../evidence/codes.ts";
import type { Engine } from "./engine.ts";
import { EngineBusy } from "./engine.ts";
import { NodeWords, ofDeletedSpace } from "./node-words.ts";
import { lastSeqOf } from "../record/lines.ts";
import { isLiving } from "./replicas.ts";
import type { Replicas } from "./replicas.ts";
import { Turns } from "../stdx/turns.ts";

export interface NodeFacts {
  readonly node: string;
  readonly pool: string;
  readonly sdks: readonly string[];
  /** Of the agent's process. */
  readonly epoch: number;
  readonly buildsAtOnce: number;
  readonly isolation: Isolation;
  /** Absent where nothing closes its apps off. */
  readonly outbound?: Outbound | undefined;
  readonly devices: readonly DeviceFacts[];
  /** Who uses them beside its replicas; absent until it has said so. */
  readonly use?: CardUse;
}

/** What a node's messages mean to the rest of the server. */
export interface NodesPorts {
  readonly engine: Engine;
  readonly replicas: Replicas;
  calls(): Calls;
  onNode(facts: NodeFacts): Promise<void>;
  onReplica(status: ReplicaStatus): Promise<void>;
  /** A node is heard of, with all the builds that it has. */
  onHeartbeat(node: string, builds: readonly { readonly build: string; readonly fence: number }[]): Promise<void>;
  /** The connection of a node is lost, and there is no newer one. */
  onAway(node: string): Promise<void>;
  onBuild(
    node: string,
    message: Extract<ToServer, { type: "build-claimed" | "build-log" | "build-limits" | "build-step" | "build-done" }>,
  ): Promise<void>;
  /** What a node has on its disk. */
  onReleases(node: string, releases: Extract<ToServer, { type: "releases" }>["releases"]): Promise<void>;
  /** What Spaces keep on a node's disk. */
  onSpaces(node: string, spaces: readonly SpaceOnDisk[]): Promise<void>;
  /** Whether the Space of that name that was there at that time is deleted. */
  wasDeleted(space: string, at: number): Promise<boolean>;
  /** Stores a node's batch; what may be acknowledged to its emitter. `owner`: another node, whose emitter it is: nothing is stored. */
  ingest(
    batch: EvidenceBatch,
    node: string,
  ): Promise<{ readonly emitter: string; readonly epoch: number; readonly seq: number; readonly owner?: string }>;
  /** Where a release was built; undefined where there is none. */
  release(id: string): Promise<{ readonly node: string; readonly space: string } | undefined>;
  /** The builder that has a build, unless this fence is an older one. */
  builder(build: string, fence: number): string | undefined;
  /** Counts what is refused to a node; the id under which that is found. */
  count(refused: { readonly code: Code; readonly node: string; readonly sample: string }): string;
  onFailure(what: string, error: unknown): void;
  readonly serverEpoch: number;
}

export type LogPage = Omit<Extract<ToServer, { type: "log" }>, "type" | "read">;
type LogAsked = Omit<Extract<ToAgent, { type: "read-log" }>, "type" | "read"> & { readonly node: string };

/** Messages that cause no others are dealt with in one round. */
const drainRounds = 100;
/** How long a node may take to answer for a page of a log. */
const logAnswerMs = 5_000;
/** A message that the full engine did not take is tried again: a slow disk is through with ten thousand records in this time. */
const busyTries = 300;
const busyPauseMs = 100;
/** What an app that the platform knows nothing of may take to end by itself. */
const unknownGraceMs = durationMs(5_000);
/** What a node may say of others' on one connection: an honest one says nothing of it, and one that goes on begins anew each time. */
export const foreignMax = 100;

interface Connection {
  readonly link: Link<ToAgent, ToServer>;
  /** The node that the connection's token is of; undefined for one within this process. */
  readonly as: string | undefined;
  facts: NodeFacts | undefined;
  /** Replicas that its hello named, also those that have ended and may have something to say still. */
  named: ReadonlySet<string>;
  /** Settles when it is known which of those are its own: what it says meanwhile waits for that. */
  naming: Promise<void>;
  /** Messages of one node are handled in order, by subject: a slow build message delays no meter report. */
  readonly turns: Turns;
  /** Replicas with a meter report that could not be taken: later ones are not acknowledged, so that their shims repeat all of them. */
  readonly owed: Set<string>;
  readonly reads: Map<string, (page: LogPage) => void>;
  /** How often it spoke of what is another's, and the counter that its log named last. */
  foreign: number;
  counter: string;
  isClosed: boolean;
}

export class Nodes {
  readonly #ports: NodesPorts;
  readonly #words: NodeWords;
  readonly #byName = new Map<string, Connection>();
  /** Also those that are closed and still have messages to be dealt with. */
  readonly #connections = new Set<Connection>();
  #reads = 0;

  constructor(ports: NodesPorts) {
    this.#ports = ports;
    const { engine, replicas, release, builder, wasDeleted } = ports;
    this.#words = new NodeWords({
      ...{ release, builder, wasDeleted },
      replica: (id) => replicas.get(id)?.node,
      nodesOf: (unknown) => engine.read((state) => nodesOfReplicas(state, unknown)),
      openCall: (id) => ports.calls().openCall(id),
      callNode: (id) => engine.read((state) => state.calls.get(id)?.terms.node),
    });
  }

  /** Takes a new connection; the node names itself with its `hello`, as `as` where its token says who it is. */
  connect(link: Link<ToAgent, ToServer>, as?: string): void {
    const connection: Connection = {
      link,
      as,
      facts: undefined,
      named: new Set(),
      naming: Promise.resolve(),
      turns: new Turns(),
      owed: new Set(),
      reads: new Map(),
      foreign: 0,
      counter: "",
      isClosed: false,
    };
    this.#connections.add(connection);
    link.onMessage((message) => this.#enqueue(connection, message));
    link.onClose(() => {
      connection.isClosed = true;
      const name = connection.facts?.node;
      if (name !== undefined && this.#byName.get(name) === connection) {
        this.#byName.delete(name);
        void connection.turns
          .take("node", () => this.#ports.onAway(name))
          .catch((error: unknown) => this.#ports.onFailure(`the leave of node ${name}`, error));
      }
      void connection.turns.idle().then(() => this.#connections.delete(connection));
    });
  }

  /** Sends to a node if it is connected; a node that is away is told again after its next hello. Says whether it was sent. */
  send(node: string, message: ToAgent): boolean {
    const connection = this.#byName.get(node);
    if (!connection) return false;
    connection.link.send(message);
    return true;
  }

  get all(): readonly NodeFacts[] {
    return [...this.#byName.values()].flatMap(({ facts }) => facts ?? []);
  }

  /** The card of a slot `<node>/<card>/<n>`. */
  device(slot: string): { readonly index: number; readonly uuid: string } {
    const [node = "", card] = slot.split("/");
    const found = this.#byName.get(node)?.facts?.devices.find(({ index }) => index === Number(card));
    return found ?? { index: Number(card ?? 0), uuid: "" };
  }

  /** The cards of a node that is there. */
  cards(node: string): readonly DeviceFacts[] {
    return this.#byName.get(node)?.facts?.devices ?? [];
  }

  /** Who uses its cards beside its replicas; undefined where that is not known. */
  cardUse(node: string): CardUse | undefined {
    return this.#byName.get(node)?.facts?.use;
  }

  isConnected(node: string): boolean {
    return this.#byName.has(node);
  }

  /** Resolves when all connections are closed, or silent, and every message is dealt with; bounded, since a node may go on talking. */
  async drained(): Promise<void> {
    for (let round = 0; round < drainRounds && this.#connections.size > 0; round++) {
      await nextTurn(); // what was sent in this turn of the loop arrives in the next
      await Promise.all([...this.#connections].map(({ turns }) => turns.idle()));
    }
  }

  /** A page of a replica's log, from its node; undefined when the node is away or does not answer in time. */
  async readLog({ node, ...asked }: LogAsked): Promise<LogPage | undefined> {
    const connection = this.#byName.get(node);
    if (!connection) return undefined;
    this.#reads += 1;
    const read = `log-${this.#reads}`;
    const answer = Promise.withResolvers<LogPage | undefined>();
    connection.reads.set(read, answer.resolve);
    const timer = setTimeout(() => answer.resolve(undefined), logAnswerMs);
    try {
      connection.link.send({ type: "read-log", read, ...asked });
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      connection.reads.delete(read);
    }
  }

  #enqueue(connection: Connection, message: ToServer): void {
    connection.turns
      .take(subjectOf(message), () => this.#handlePatiently(connection, message))
      .catch((error: unknown) => {
        if (message.type === "meter") connection.owed.add(message.replica);
        this.#ports.onFailure(
          `a message of type ${message.type} from ${connection.facts?.node ?? "a new node"}`,
          error,
        );
      });
  }

  /** No message is said twice unless it is asked for, so a full engine is waited for. A repeat of what was half done is harmless. */
  async #handlePatiently(connection: Connection, message: ToServer): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#handle(connection, message);
      } catch (error) {
        if (!(error instanceof EngineBusy) || tries >= busyTries) throw error;
        await delay(busyPauseMs);
      }
    }
  }

  async #handle(connection: Connection, message: ToServer): Promise<void> {
    const calls = this.#ports.calls();
    const node = connection.facts?.node;
    if (message.type === "hello") return this.#hello(connection, message);
    if (node === undefined) throw new Error(`a node said ${message.type} before hello`);
    await connection.naming;
    const foreign = await this.#words.foreignIn(node, message);
    if (foreign !== undefined) {
      if (message.type === "replica") stopUnknown(connection, message.status);
      // The server was killed before it could tell it to end: an honest node has it still.
      if (foreign === ofDeletedSpace) return;
      return this.#refuse(connection, node, message, foreign);
    }
    switch (message.type) {
      case "heartbeat":
        await this.#ports.onHeartbeat(node, message.builds);
        return this.#tell(connection, { type: "hear-node", node });
      case "isolation":
        if (connection.facts) connection.facts = { ...connection.facts, isolation: message.isolation };
        return;
      case "cards":
        if (connection.facts && message.use) connection.facts = { ...connection.facts, use: message.use };
        return this.#tell(connection, {
          type: "report-cards",
          node,
          trouble: troubleOf(message.trouble, connection.facts),
        });
      case "replica":
        return this.#replica(message.status, connection.facts?.pool ?? "main", node);
      case "schedule":
        return calls.schedule(node, message.request);
      case "left":
        return calls.left(message.call);
      case "meter":
        await calls.meter(message.report);
        if (connection.owed.has(message.replica)) return;
        connection.link.send({ type: "ack-meter", replica: message.replica, seq: message.report.seq });
        return;
      case "cleared":
        return calls.cleared(message.slot, message.fence);
      case "build-claimed":
      case "build-log":
      case "build-limits":
      case "build-step":
      case "build-done":
        return this.#ports.onBuild(node, message);
      case "releases":
        return this.#ports.onReleases(node, message.releases);
      case "spaces":
        return this.#ports.onSpaces(node, message.spaces);
      case "evidence": {
        const { emitter, epoch, seq, owner } = await this.#ports.ingest(message.batch, node);
        if (owner !== undefined) return this.#refuse(connection, node, message, `emitter ${emitter} of node ${owner}`);
        connection.link.send({ type: "ack-evidence", emitter, epoch, seq });
        return;
      }
      case "log":
        connection.reads.get(message.read)?.(message);
        return;
    }
  }

  /** Nothing follows from what a node says of others', but that it is counted; what it goes on to say of its own is heard. */
  #refuse(connection: Connection, node: string, message: ToServer, foreign: string): void {
    this.#count(connection, node, message, foreign);
    brake(connection);
    // Refused for good: its emitter need not say it again, and what waits behind it comes.
    if (message.type === "evidence") {
      const { emitter, epoch } = message.batch;
      connection.link.send({ type: "ack-evidence", emitter, epoch, seq: lastSeqOf(message.batch) });
    }
  }

  #count(connection: Connection, node: string, message: ToServer, foreign: string): void {
    const sample = `${message.type} of ${foreign}`;
    const counter = this.#ports.count({ code: "control/not-its-own", node, sample });
    // Once a minute: the counter has the rest.
    if (counter !== connection.counter)
      this.#ports.onFailure(`node ${node} spoke of what is not its own, as ${counter} tells`, new Error(sample));
    connection.counter = counter;
  }

  async #hello(connection: Connection, hello: Extract<ToServer, { type: "hello" }>): Promise<void> {
    const { engine, replicas, serverEpoch } = this.#ports;
    const { node, pool, sdks, epoch, buildsAtOnce, isolation, outbound, devices } = hello;
    if (connection.as !== undefined && node !== connection.as) {
      connection.link.close();
      throw new Error(`a node with the token of ${connection.as} says that it is ${node}`);
    }
    connection.facts = { node, pool, sdks, epoch, buildsAtOnce, isolation, outbound, devices };
    // Until its replicas are known it is not there: a slot of theirs would be taken for one whose replica is gone (L22).
    const naming = this.#ownReplicas(connection, hello);
    const settled = (): void => undefined; // How it ended is told where the hello is.
    connection.naming = naming.then(settled, settled);
    const own = await naming;
    if (connection.isClosed) return;
    const older = this.#byName.get(node);
    this.#byName.set(node, connection);
    if (older !== connection) older?.link.close();
    connection.link.send({ type: "welcome", server: "waybill", epoch: serverEpoch });
    const named = new Set(own.map(({ replica }) => replica));
    connection.named = named;
    const missing = replicas.livingOn(node).filter(({ status }) => !named.has(status.replica));
    const ended = replicas.on(node).filter((replica) => !named.has(replica));
    // Oldest first, as they are kept; a node reads them from its disk in no order.
    for (const status of own.toSorted((a, b) => a.startedAt - b.startedAt)) replicas.set({ node, pool, status });
    for (const { status } of missing) await this.#replica(lostStatus(status), pool, node);
    // A node names an end until it was welcomed. The word of it that follows may be lost with a connection: nothing of these is left.
    for (const replica of ended) await engine.submit({ type: "lose-replica", replica, cause: "shim-lost" });
    await this.#join(connection.facts, named);
    for (const status of own) await this.#ports.onReplica(status);
    await this.#ports.onNode(connection.facts);
  }

  async #ownReplicas(connection: Connection, hello: Extract<ToServer, { type: "hello" }>): Promise<ReplicaStatus[]> {
    const { node, replicas } = hello;
    const foreign = await this.#words.replicas(node, replicas);
    const own = replicas.filter((status, at) => {
      const of = foreign[at];
      if (of === undefined) return true;
      stopUnknown(connection, status);
      if (of !== ofDeletedSpace) this.#count(connection, node, hello, of);
      return false;
    });
    // Once for all of them: after a restore from a backup an honest node may have any number.
    if (foreign.some((of) => of !== undefined && of !== ofDeletedSpace)) brake(connection);
    return own;
  }

  /** Tells the ledger what a node said. One that it gave up while the connection lived, as after a machine's sleep, joins again. */
  async #tell(
    { facts, named }: Connection,
    command: Extract<Command, { type: "hear-node" | "report-cards" }>,
  ): Promise<void> {
    const { engine } = this.#ports;
    const heard = await engine.submit(command);
    if (heard.ok || facts === undefined) return;
    await this.#join(facts, named);
    if (command.type === "report-cards") await engine.submit(command);
  }

  /** Tells the ledger that the node is there. Replicas that have ended, also more than are remembered, are lost one by one, after their last reports. */
  async #join({ node, pool, devices }: NodeFacts, named: ReadonlySet<string>): Promise<void> {
    const { engine, replicas } = this.#ports;
    const cards = devices.map(({ index, uuid, name, slots, simulated }) => ({ index, uuid, name, slots, simulated }));
    const there = [...named.union(new Set(replicas.on(node)))];
    const answer = await engine.submit({ type: "join-node", node, pool, devices: cards, replicas: there });
    if (!answer.ok) throw new Error(`the ledger refused node ${node}: ${answer.why}`);
  }

  async #replica(told: ReplicaStatus, pool: string, node: string): Promise<void> {
    const { engine, replicas } = this.#ports;
    const known = replicas.get(told.replica);
    // A node that knows nothing of a replica names no Space: it is lost as the one that was known.
    const status =
      told.space === "" && known && isLiving(known.status)
        ? { ...known.status, phase: told.phase, socket: null, ...(told.end && { end: told.end }) }
        : told;
    const { end, phase, replica } = status;
    if (status.space !== "") replicas.set({ node, pool, status });
    if (phase === "exited" || phase === "lost" || phase === "stopped") {
      const cause =
        phase === "lost"
          ? "shim-lost"
          : phase === "stopped"
            ? "operator-stop"
            : end?.signal
              ? "app-killed"
              : "app-exit";
      await engine.submit({ type: "lose-replica", replica, cause });
    }
    if (status.space !== "") await this.#ports.onReplica(status);
  }
}

/** By card, as the ledger knows them; `*` is all of them. */
function troubleOf(told: Readonly<Record<string, CardTrouble>>, facts: NodeFacts | undefined): LedgerTrouble[] {
  return (facts?.devices ?? []).flatMap(({ index, uuid }) => {
    const found = told[uuid] ?? told["*"];
    if (found === undefined) return [];
    return {
      device: index,
      cause: found.code === "runtime/nvml-lost" ? "nvml-lost" : "device-fault",
      says: found.says,
    };
  });
}

/** A replica that its own node does not know any more. */
function lostStatus(status: ReplicaStatus): ReplicaStatus {
  const end = { code: "runtime/shim-lost", exitCode: null, signal: null, says: "its node does not know it any more" };
  return { ...status, phase: "lost", socket: null, end };
}

/** What the server knows nothing of, as after its restore from a backup, is not to run on. */
function stopUnknown({ link }: Connection, { replica, phase }: ReplicaStatus): void {
  if (phase !== "starting" && phase !== "ready") return;
  link.send({ type: "stop-replica", replica, graceMs: unknownGraceMs, why: "the platform knows nothing of it" });
}

function brake(connection: Connection): void {
  connection.foreign += 1;
  if (connection.foreign >= foreignMax) connection.link.close();
}

/** Messages with the same subject are handled one after another. */
function subjectOf(message: ToServer): string {
  switch (message.type) {
    case "hello":
    case "heartbeat":
    case "isolation":
    case "releases":
    case "spaces":
      return "node";
    case "cards":
      return "cards"; // before the end of a call that it explains: no other message of a node is waited for
    case "replica":
      return `replica ${message.status.replica}`; // after the last report of its meter
    case "schedule":
      return `call ${message.request.call}`;
    case "left":
      return `call ${message.call}`;
    case "meter":
    case "cleared":
      return `replica ${message.replica}`;
    case "build-claimed":
    case "build-log":
    case "build-limits":
    case "build-step":
    case "build-done":
      return `build ${message.build}`;
    case "evidence":
      return `evidence ${message.batch.emitter}`;
    case "log":
      return `log ${message.read}`;
  }
}
