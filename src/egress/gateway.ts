/**
 * The node's gateway: everything that an app or a build reaches goes through it, and it says what it decided.
 *
 *   address → name (its own synthetic ones only) → policy → resolve → policy of the address → dial that address → bytes
 *
 * A connection is a work, `x_…`: one packed record when it went well; entries, written before the answer, when it was refused or failed.
 */
import { once } from "node:events";
import { chmodSync, chownSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import {
  dnsMessageMaxBytes,
  egressLineMaxBytes,
  type ConnectRequest,
  type GatewayRequest,
} from "../contract/egress.ts";
import type { NameRule } from "../contract/reach.ts";
import type { Emitter } from "../evidence/entry.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import type { Clock } from "../stdx/time.ts";
import { carry, type Carrier } from "./connection.ts";
import type { Dialler } from "./dial.ts";
import { answerOf, formatError, outcome, parseQuestion, types } from "./dns.ts";
import { Pace } from "./pace.ts";
import { decideReach, type EgressPolicy } from "./policy.ts";
import { Refusals } from "./refusals.ts";
import { SyntheticNames } from "./synthetic-names.ts";

/** Who calls: the channel, a unix socket of the sandbox's own, says so. */
export interface GatewayCaller {
  /** `p_…` or `b_…`. */
  readonly id: string;
  readonly space: string;
  /** Where the gateway listens for it; removed by `close`. */
  readonly socket: string;
  /** The user who may connect; null: the gateway's own. */
  readonly uid: number | null;
  readonly profile: "app" | "build";
}

export interface Gateway extends AsyncDisposable {
  /** Serves a sandbox, also one that was found again after a restart of the agent. Rejects where the socket cannot be made. */
  open(caller: GatewayCaller): Promise<void>;
  /** Ends its connections and forgets its names. */
  close(id: string): Promise<void>;
  /** What the apps of a Space keep to from now on, within the policy; null: to all of that. What is open and not among it ends. */
  keepTo(space: string, reach: readonly NameRule[] | null): void;
}

/** Where names that the edge gave out are dialled: at the edge, with the calling replica named. */
export interface OwnEdge {
  /** Whether the edge gave this name out. */
  isOurs(name: string): boolean;
  /** Whether it listens there, as apps see it. */
  servesPort(port: number): boolean;
  /** The edge's socket for callers from inside. */
  readonly path: string;
}

export interface GatewayOptions {
  readonly emitter: Emitter;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly policies: Readonly<Record<GatewayCaller["profile"], EgressPolicy>>;
  readonly dialler: Dialler;
  readonly edge: OwnEdge | null;
  /** A listener that could not accept, for the operator. */
  onFailure(error: Error): void;
}

/** Open connections of one sandbox; its own side allows fewer than this, its questions included. */
const connectionsMax = 1_100;
/** Open connections of all sandboxes: two descriptors each, and a node has many more. */
const connectionsInAllMax = 16_384;
/** New connections and questions of one sandbox. No app of one machine's worth needs more; what comes faster waits. */
const connectPace = { perSecond: 500, burst: 1_000 } as const;
const questionPace = { perSecond: 1_000, burst: 2_000 } as const;
/** What connects says what it wants with its first packet. */
const lineWithinMs = 5_000;
/** RFC 6761 §6.3: never asked of anyone. */
const localhost = { name: "localhost", address: "127.0.0.1" } as const;
const newline = 10;

export function openGateway(options: GatewayOptions): Gateway {
  return new NodeGateway(options);
}

interface Served {
  readonly caller: GatewayCaller;
  readonly server: Server;
  readonly names: SyntheticNames;
  readonly sockets: Set<Socket>;
  /** Connections whose end is not written down yet. */
  readonly carried: Set<Carried>;
  readonly connects: Pace;
  readonly questions: Pace;
}

interface Carried {
  /** As it was when the connection came: what a sandbox has asked for since may have made room of it among its names. */
  readonly name: string | null;
  readonly port: number;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

class NodeGateway implements Gateway {
  readonly #options: GatewayOptions;
  readonly #served = new Map<string, Served>();
  readonly #refusals: Refusals;
  /** Of those Spaces that keep to less than the policy. */
  readonly #reach = new Map<string, readonly NameRule[]>();
  #connections = 0;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#refusals = new Refusals(options.clock);
  }

  async open(caller: GatewayCaller): Promise<void> {
    await this.close(caller.id);
    const { clock } = this.#options;
    const served: Served = {
      caller,
      server: createServer({ allowHalfOpen: true, pauseOnConnect: false }, (socket) => this.#take(served, socket)),
      names: new SyntheticNames(),
      sockets: new Set(),
      carried: new Set(),
      connects: new Pace(clock, connectPace),
      questions: new Pace(clock, questionPace),
    };
    served.server.maxConnections = connectionsMax;
    this.#served.set(caller.id, served);
    try {
      await listenFor(caller, served.server);
    } catch (error) {
      await this.close(caller.id);
      throw error;
    }
    served.server.on("error", (error) => this.#options.onFailure(error));
  }

  async close(id: string): Promise<void> {
    const served = this.#served.get(id);
    if (!served) return;
    this.#served.delete(id);
    this.#refusals.forget(id);
    const closed = served.server.listening ? once(served.server, "close") : undefined;
    served.server.close();
    for (const { stop } of served.carried) stop.abort();
    for (const socket of served.sockets) socket.destroy();
    await closed;
    await Promise.all([...served.carried].map(({ ended }) => ended));
  }

  keepTo(space: string, reach: readonly NameRule[] | null): void {
    if (reach === null) this.#reach.delete(space);
    else this.#reach.set(space, reach);
    for (const { caller, carried } of this.#served.values()) {
      if (caller.space !== space) continue;
      for (const { name, port, stop } of carried)
        if (name !== null && !decideReach(this.#reachOf(caller), name, port).ok) stop.abort();
    }
  }

  /** A build keeps to the operator's policy: what its packages need, its owner did not choose. */
  #reachOf({ space, profile }: GatewayCaller): readonly NameRule[] | null {
    return profile === "app" ? (this.#reach.get(space) ?? null) : null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#served.keys()].map((id) => this.close(id)));
  }

  #take(served: Served, socket: Socket): void {
    served.sockets.add(socket);
    this.#connections += 1;
    socket.once("close", () => {
      served.sockets.delete(socket);
      this.#connections -= 1;
    });
    socket.on("error", () => socket.destroy());
    readLine(socket, (line, rest) => {
      const request = parseRequest(line);
      if (request === undefined) socket.destroy();
      else if ("dns" in request) this.#answerNames(served, socket, rest);
      else this.#carry(served, socket, request.connect, rest);
    });
  }

  #carry(served: Served, socket: Socket, to: ConnectRequest, rest: Buffer): void {
    const { caller, names, connects } = served;
    const name = names.nameOf(to.address) ?? null;
    const stop = new AbortController();
    const carrier: Carrier = {
      options: this.#options,
      policy: this.#options.policies[caller.profile],
      reach: () => this.#reachOf(caller),
      caller,
      name,
      refusals: this.#refusals,
      pace: connects,
      signal: stop.signal,
      full: this.#connections > connectionsInAllMax,
    };
    const carried: Carried = { name, port: to.port, stop, ended: carry(carrier, socket, to, rest) };
    served.carried.add(carried);
    void carried.ended.finally(() => served.carried.delete(carried));
  }

  #answerNames(served: Served, socket: Socket, first: Buffer): void {
    let rest = first;
    const take = (bytes: Buffer): void => {
      rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      let waitMs = 0;
      let hasRoom = true;
      while (rest.length >= 2) {
        const length = rest.readUInt16BE(0);
        if (length > dnsMessageMaxBytes) return void socket.destroy();
        if (rest.length < 2 + length) break;
        const answer = this.#nameAnswer(served, rest.subarray(2, 2 + length));
        rest = rest.subarray(2 + length);
        waitMs = served.questions.take();
        if (answer !== null) hasRoom = socket.write(framed(answer));
      }
      if (waitMs > 0) {
        socket.pause();
        setTimeout(() => socket.resume(), waitMs).unref();
      } else if (!hasRoom) {
        socket.pause();
        socket.once("drain", () => socket.resume());
      }
    };
    socket.on("data", take);
    socket.on("end", () => socket.end());
    take(Buffer.alloc(0));
  }

  /**
   * Names are not looked up here, and a denied one gets an address too: the connection that follows is refused or fails with its
   * name, its port, its rule and a record.
   */
  #nameAnswer({ names }: Served, message: Buffer): Uint8Array | null {
    const question = parseQuestion(message);
    if (question === null) return formatError(message);
    const { name, type } = question;
    if (name === null) return answerOf(question, outcome.noSuchName);
    const isKnown = type === types.a || type === types.aaaa || type === types.https || type === types.svcb;
    if (!isKnown) return answerOf(question, outcome.notImplemented);
    if (type !== types.a) return answerOf(question, outcome.ok);
    return answerOf(question, outcome.ok, name === localhost.name ? localhost.address : names.addressOf(name));
  }
}

/** Rejects where the socket cannot be made; the caller closes the server then. */
async function listenFor({ socket, uid }: GatewayCaller, server: Server): Promise<void> {
  // What lies there is an earlier agent's: the folder belongs to one sandbox.
  rmSync(socket, { force: true });
  server.listen(socket);
  await once(server, "listening");
  chmodSync(socket, 0o600);
  if (uid !== null) chownSync(socket, uid, uid);
}

function framed(answer: Uint8Array): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(answer.length, 0);
  return Buffer.concat([head, answer]);
}

function parseRequest(line: Buffer): GatewayRequest | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line.toString("utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined; // the caller closes the connection: only a broken shim says such
    throw error;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { dns, connect } = value as { dns?: unknown; connect?: Partial<ConnectRequest> | null };
  if (dns === true) return { dns };
  if (typeof connect?.address !== "string" || connect.address.length > 64) return undefined;
  if (typeof connect.port !== "number" || !Number.isInteger(connect.port) || connect.port < 0 || connect.port > 65_535)
    return undefined;
  return { connect: { address: connect.address, port: connect.port } };
}

function readLine(socket: Socket, then: (line: Buffer, rest: Buffer) => void): void {
  let read = Buffer.alloc(0);
  const late = setTimeout(() => socket.destroy(), lineWithinMs);
  const left = (): void => void socket.destroy();
  socket.once("close", () => clearTimeout(late));
  socket.once("end", left);
  const take = (bytes: Buffer): void => {
    read = Buffer.concat([read, bytes]);
    const end = read.indexOf(newline);
    if (end === -1 ? read.length >= egressLineMaxBytes : end >= egressLineMaxBytes) return void socket.destroy();
    if (end === -1) return;
    clearTimeout(late);
    socket.off("data", take);
    socket.off("end", left);
    socket.pause();
    then(read.subarray(0, end), read.subarray(end + 1));
    if (socket.listenerCount("data") > 0) socket.resume();
  };
  socket.on("data", take);
}
