/**
 * The server's end of each agent's connection. Reports of one replica are taken in order and acknowledged when they are durable;
 * what a node says of itself is believed, what an app says is not known here.
 */
import type { DeviceFacts, EvidenceBatch, LogLine, ReplicaStatus, ToAgent, ToServer } from "../contract/agent.ts";
import type { Link } from "../contract/agent.ts";
import type { Calls } from "./calls.ts";
import type { Engine } from "./engine.ts";
import type { Replicas } from "./replicas.ts";

export interface NodeFacts {
  readonly node: string;
  readonly pool: string;
  readonly sdks: readonly string[];
  readonly isolation: { readonly driver: string; readonly says: string };
  readonly devices: readonly DeviceFacts[];
}

/** What a node's messages mean to the rest of the server. */
export interface NodesPorts {
  readonly engine: Engine;
  readonly replicas: Replicas;
  calls(): Calls;
  onNode(facts: NodeFacts): Promise<void>;
  onReplica(status: ReplicaStatus): Promise<void>;
  onBuild(message: Extract<ToServer, { type: "build-claimed" | "build-log" | "build-step" | "build-done" }>): Promise<void>;
  /** Stores a batch; what may be acknowledged to its emitter. */
  ingest(batch: EvidenceBatch): Promise<{ readonly emitter: string; readonly epoch: number; readonly seq: number }>;
  onFailure(what: string, error: unknown): void;
  readonly serverEpoch: number;
}

export interface LogPage {
  readonly lines: readonly LogLine[];
  readonly next: number;
  readonly complete: boolean;
}

/** Messages that cause no others are dealt with in one round. */
const drainRounds = 100;
/** How long a node may take to answer for a page of a log. */
const logAnswerMs = 5_000;

interface Connection {
  readonly link: Link<ToAgent, ToServer>;
  facts: NodeFacts | undefined;
  /** Messages of one node are handled in order, by subject: a slow build message delays no meter report. */
  readonly queues: Map<string, Promise<void>>;
  readonly reads: Map<string, (page: LogPage) => void>;
}

export class Nodes {
  readonly #ports: NodesPorts;
  readonly #byName = new Map<string, Connection>();
  /** Also those that are closed and still have messages to be dealt with. */
  readonly #connections = new Set<Connection>();
  #reads = 0;

  constructor(ports: NodesPorts) {
    this.#ports = ports;
  }

  /** Takes a new connection; the node names itself with its `hello`. */
  connect(link: Link<ToAgent, ToServer>): void {
    const connection: Connection = { link, facts: undefined, queues: new Map(), reads: new Map() };
    this.#connections.add(connection);
    link.onMessage((message) => this.#enqueue(connection, message));
    link.onClose(() => {
      const name = connection.facts?.node;
      if (name !== undefined && this.#byName.get(name) === connection) this.#byName.delete(name);
      void Promise.all(connection.queues.values()).then(() => this.#connections.delete(connection));
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

  isConnected(node: string): boolean {
    return this.#byName.has(node);
  }

  /** A connected node that builds this SDK. */
  builderFor(sdk: string): NodeFacts | undefined {
    return this.all.find(({ sdks }) => sdks.includes(sdk));
  }

  /** Resolves when every message that has arrived is dealt with; bounded, since a node may go on talking. */
  async drained(): Promise<void> {
    for (let round = 0; round < drainRounds; round++) {
      const queues = [...this.#connections].flatMap(({ queues }) => [...queues.values()]);
      if (queues.length === 0) return;
      await Promise.all(queues);
    }
  }

  /** A page of a replica's log, from its node; undefined when the node is away or does not answer in time. */
  async readLog({ node, replica, from, limit }: { node: string; replica: string; from: number; limit: number }): Promise<LogPage | undefined> {
    const connection = this.#byName.get(node);
    if (!connection) return undefined;
    this.#reads += 1;
    const read = `log-${this.#reads}`;
    const answer = Promise.withResolvers<LogPage | undefined>();
    connection.reads.set(read, answer.resolve);
    const timer = setTimeout(() => answer.resolve(undefined), logAnswerMs);
    try {
      connection.link.send({ type: "read-log", read, replica, from, limit });
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      connection.reads.delete(read);
    }
  }

  #enqueue(connection: Connection, message: ToServer): void {
    const subject = subjectOf(message);
    const before = connection.queues.get(subject) ?? Promise.resolve();
    const mine = before
      .then(() => this.#handle(connection, message))
      .catch((error: unknown) => this.#ports.onFailure(`a message of type ${message.type} from ${connection.facts?.node ?? "a new node"}`, error));
    connection.queues.set(subject, mine);
    void mine.then(() => {
      if (connection.queues.get(subject) === mine) connection.queues.delete(subject);
    });
  }

  async #handle(connection: Connection, message: ToServer): Promise<void> {
    const { engine } = this.#ports;
    const calls = this.#ports.calls();
    const node = connection.facts?.node;
    if (message.type === "hello") return this.#hello(connection, message);
    if (node === undefined) throw new Error(`a node said ${message.type} before hello`);
    switch (message.type) {
      case "heartbeat": {
        const heard = await engine.submit({ type: "hear-node", node });
        // The ledger gave this node up while its connection lived, as after a machine's sleep: it joins again.
        if (!heard.ok && connection.facts) await this.#join(connection.facts);
        return;
      }
      case "replica":
        return this.#replica(message.status, connection.facts?.pool ?? "main", node);
      case "schedule":
        return calls.schedule(node, message.request);
      case "left":
        return calls.left(message.call);
      case "meter":
        await calls.meter(message.report);
        connection.link.send({ type: "ack-meter", replica: message.replica, seq: message.report.seq });
        return;
      case "cleared":
        return calls.cleared(message.slot, message.fence);
      case "build-claimed":
      case "build-log":
      case "build-step":
      case "build-done":
        return this.#ports.onBuild(message);
      case "evidence": {
        const { emitter, epoch, seq } = await this.#ports.ingest(message.batch);
        connection.link.send({ type: "ack-evidence", emitter, epoch, seq });
        return;
      }
      case "log":
        connection.reads.get(message.read)?.(message);
        return;
    }
  }

  async #hello(connection: Connection, hello: Extract<ToServer, { type: "hello" }>): Promise<void> {
    const { replicas, serverEpoch } = this.#ports;
    const { node, pool } = hello;
    connection.facts = { node, pool, sdks: hello.sdks, isolation: hello.isolation, devices: hello.devices };
    this.#byName.get(node)?.link.close();
    this.#byName.set(node, connection);
    connection.link.send({ type: "welcome", server: "waybill", epoch: serverEpoch });
    const named = new Set(hello.replicas.map(({ replica }) => replica));
    const missing = replicas.livingOn(node).filter(({ status }) => !named.has(status.replica));
    for (const status of hello.replicas) replicas.set({ node, pool, status });
    for (const { status } of missing) await this.#replica(lostStatus(status), pool, node);
    await this.#join(connection.facts);
    for (const status of hello.replicas) await this.#ports.onReplica(status);
    await this.#ports.onNode(connection.facts);
  }

  /** Tells the ledger that the node is there. Replicas that have ended are lost one by one, after their last reports. */
  async #join({ node, pool, devices }: NodeFacts): Promise<void> {
    const { engine, replicas } = this.#ports;
    const answer = await engine.submit({ type: "join-node", node, pool, devices, replicas: replicas.on(node) });
    if (!answer.ok) throw new Error(`the ledger refused node ${node}: ${answer.why}`);
  }

  async #replica(status: ReplicaStatus, pool: string, node: string): Promise<void> {
    const { engine, replicas } = this.#ports;
    const { end, phase, replica } = status;
    if (status.space !== "") replicas.set({ node, pool, status });
    if (phase === "exited" || phase === "lost" || phase === "stopped") {
      const cause = phase === "lost" ? "shim-lost" : phase === "stopped" ? "operator-stop" : end?.signal ? "app-killed" : "app-exit";
      await engine.submit({ type: "lose-replica", replica, cause });
    }
    if (status.space !== "") await this.#ports.onReplica(status);
  }
}

/** A replica that its own node does not know any more. */
function lostStatus(status: ReplicaStatus): ReplicaStatus {
  const end = { code: "runtime/shim-lost", exitCode: null, signal: null, says: "its node does not know it any more" };
  return { ...status, phase: "lost", socket: null, end };
}

/** Messages with the same subject are handled one after another. */
function subjectOf(message: ToServer): string {
  switch (message.type) {
    case "hello":
    case "heartbeat":
      return "node";
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
    case "build-step":
    case "build-done":
      return `build ${message.build}`;
    case "evidence":
      return `evidence ${message.batch.emitter}`;
    case "log":
      return `log ${message.read}`;
  }
}
