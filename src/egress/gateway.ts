/**
 * The node's gateway: everything that an app or a build reaches goes through it, and it says what it decided.
 *
 *   address → name (its own synthetic ones only) → policy → resolve → policy of the address → dial that address → bytes
 *
 * A connection is a work, `x_…`: one packed record when it went well; entries, written before the answer, when it was refused or failed.
 */
import { chmodSync, chownSync, rmSync } from "node:fs";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import {
  dnsMessageMaxBytes,
  egressLineMaxBytes,
  type ConnectRequest,
  type GatewayRequest,
} from "../contract/egress.ts";
import type { Emitter } from "../evidence/entry.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import type { Clock } from "../stdx/time.ts";
import { answerOf, formatError, outcome, parseQuestion, types } from "./dns.ts";
import { carry, type Carrier } from "./connection.ts";
import type { EgressPolicy } from "./policy.ts";
import { Refusals } from "./refusals.ts";
import { SyntheticNames } from "./synthetic-names.ts";
import type { Dialler } from "./dial.ts";

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
}

/** Open connections of one sandbox; its own side allows fewer than this and its questions. */
const connectionsMax = 1_100;
/** What connects says what it wants with its first packet. */
const lineWithinMs = 5_000;
const newline = 10;

export function openGateway(options: GatewayOptions): Gateway {
  return new NodeGateway(options);
}

interface Served {
  readonly caller: GatewayCaller;
  readonly server: Server;
  readonly names: SyntheticNames;
  readonly sockets: Set<Socket>;
}

class NodeGateway implements Gateway {
  readonly #options: GatewayOptions;
  readonly #served = new Map<string, Served>();
  readonly #refusals: Refusals;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#refusals = new Refusals(options.clock);
  }

  async open(caller: GatewayCaller): Promise<void> {
    await this.close(caller.id);
    const served: Served = {
      caller,
      server: createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: false }, (socket) =>
        this.#take(served, socket),
      ),
      names: new SyntheticNames(),
      sockets: new Set(),
    };
    served.server.maxConnections = connectionsMax;
    // What lies there is an earlier agent's: the folder belongs to one sandbox.
    rmSync(caller.socket, { force: true });
    served.server.listen(caller.socket);
    await once(served.server, "listening");
    chmodSync(caller.socket, 0o600);
    if (caller.uid !== null) chownSync(caller.socket, caller.uid, caller.uid);
    this.#served.set(caller.id, served);
  }

  async close(id: string): Promise<void> {
    const served = this.#served.get(id);
    if (!served) return;
    this.#served.delete(id);
    this.#refusals.forget(id);
    const closed = once(served.server, "close");
    served.server.close();
    for (const socket of served.sockets) socket.destroy();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#served.keys()].map((id) => this.close(id)));
  }

  #take(served: Served, socket: Socket): void {
    served.sockets.add(socket);
    socket.once("close", () => served.sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    readLine(socket, (line, rest) => {
      const request = parseRequest(line);
      if (request === undefined) return void socket.destroy();
      if ("dns" in request) return this.#answerNames(served, socket, rest);
      const carrier: Carrier = {
        ...this.#options,
        policy: this.#options.policies[served.caller.profile],
        caller: served.caller,
        names: served.names,
        refusals: this.#refusals,
      };
      void carry(carrier, socket, request.connect, rest);
    });
  }

  #answerNames(served: Served, socket: Socket, first: Buffer): void {
    let rest = first;
    const take = (bytes: Buffer): void => {
      rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      while (rest.length >= 2) {
        const length = rest.readUInt16BE(0);
        if (length > dnsMessageMaxBytes) return void socket.destroy();
        if (rest.length < 2 + length) return;
        const answer = this.#nameAnswer(served, rest.subarray(2, 2 + length));
        rest = rest.subarray(2 + length);
        if (answer === null) continue;
        const head = Buffer.alloc(2);
        head.writeUInt16BE(answer.length, 0);
        socket.write(Buffer.concat([head, answer]));
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
    const asksAddress = question.type === types.a;
    const known = asksAddress || [types.aaaa, types.https, types.svcb].includes(question.type as 28);
    if (question.name === "") return answerOf(question, outcome.noSuchName);
    if (!known) return answerOf(question, outcome.notImplemented);
    if (!asksAddress) return answerOf(question, outcome.ok);
    return answerOf(question, outcome.ok, names.addressOf(question.name));
  }
}

function parseRequest(line: Buffer): GatewayRequest | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line.toString("utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { dns, connect } = value as { dns?: unknown; connect?: Partial<ConnectRequest> };
  if (dns === true) return { dns };
  if (typeof connect?.address !== "string" || connect.address.length > 64) return undefined;
  if (typeof connect.port !== "number" || !Number.isInteger(connect.port) || connect.port < 0 || connect.port > 65_535)
    return undefined;
  return { connect: { address: connect.address, port: connect.port } };
}

function readLine(socket: Socket, then: (line: Buffer, rest: Buffer) => void): void {
  let read = Buffer.alloc(0);
  const late = setTimeout(() => socket.destroy(), lineWithinMs);
  socket.once("close", () => clearTimeout(late));
  const take = (bytes: Buffer): void => {
    read = Buffer.concat([read, bytes]);
    const end = read.indexOf(newline);
    if (end === -1) {
      if (read.length > egressLineMaxBytes) socket.destroy();
      return;
    }
    clearTimeout(late);
    socket.off("data", take);
    socket.pause();
    then(read.subarray(0, end), read.subarray(end + 1));
    if (socket.listenerCount("data") > 0) socket.resume();
  };
  socket.on("data", take);
}
