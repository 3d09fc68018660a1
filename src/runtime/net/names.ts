/** Names for a sandbox: its resolver is 127.0.0.1 (and ::1), and every question goes to the gateway over one kept connection. */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { dnsMessageMaxBytes } from "../../contract/egress.ts";
import { reachGateway } from "./gateway-link.ts";
import type { Notes } from "./notes.ts";

export interface Names {
  close(): Promise<void>;
}

/** Questions that wait for the gateway at once; a resolver asks again by itself. */
const waitingMax = 256;
/** A question lives so long; resolvers give up after five seconds. */
const answerWithinMs = 4_500;
/** Between two connections to the gateway, where it takes them and does not answer. */
const reconnectMs = 100;
/** What may wait in a connection to a gateway that does not read. */
const unreadMaxBytes = 1 << 20;
const tcpConnectionsMax = 64;
const tcpIdleMs = 10_000;
const headerBytes = 12;
/** RFC 1035 §4.1.1, in the second half of the header's flags; QR is the first half's highest bit. */
const serverFailure = 2;
/** A kernel without IPv6 has no ::1. */
const withoutIpv6 = ["EADDRNOTAVAIL", "EAFNOSUPPORT"];

export async function openNames(options: {
  readonly gateway: string;
  readonly port: number;
  readonly notes: Notes;
}): Promise<Names> {
  const { gateway, port, notes } = options;
  const questions = new Questions(gateway, notes);
  const opened: (UdpSocket | Server | undefined)[] = [];
  const connections = new Set<Socket>();
  for (const [type, address] of [
    ["udp4", "127.0.0.1"],
    ["udp6", "::1"],
  ] as const)
    opened.push(await udp(type, address, port, questions));
  opened.push(await tcp(port, questions, connections));
  return {
    async close() {
      questions.close();
      for (const connection of connections) connection.destroy();
      await Promise.all(
        opened.map(async (one) => {
          if (one === undefined) return;
          const closed = once(one, "close");
          one.close();
          await closed;
        }),
      );
    },
  };
}

async function udp(
  type: "udp4" | "udp6",
  address: string,
  port: number,
  questions: Questions,
): Promise<UdpSocket | undefined> {
  // An address as it is: to know that it is one, Node compiles a pattern for nine milliseconds, in each shim's start.
  const lookup = (host: string, _: unknown, found: (error: null, address: string, family: number) => void): void =>
    process.nextTick(found, null, host, type === "udp4" ? 4 : 6);
  const socket = createSocket({ type, lookup });
  socket.on("message", (message: Buffer, from: RemoteInfo) => {
    // An answer that cannot be sent is for a port that has gone: nobody waits for it.
    questions.ask(message, (answer) => socket.send(answer, from.port, from.address, () => undefined));
  });
  socket.bind(port, address);
  if (!(await isListening(socket, address))) return undefined;
  socket.on("error", () => undefined); // what the kernel says of an earlier answer's port, likewise
  return socket;
}

async function tcp(port: number, questions: Questions, connections: Set<Socket>): Promise<Server> {
  const server = createServer((socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.setTimeout(tcpIdleMs, () => socket.destroy());
    const frames = new Frames();
    socket.on("data", (bytes: Buffer) => {
      const messages = frames.take(bytes);
      if (messages === undefined) return void socket.destroy();
      for (const message of messages)
        questions.ask(message, (answer) => socket.writable && socket.write(framed(answer)));
    });
  });
  server.maxConnections = tcpConnectionsMax;
  server.listen(port);
  await once(server, "listening");
  return server;
}

async function isListening(one: UdpSocket, address: string): Promise<boolean> {
  try {
    await once(one, "listening");
    return true;
  } catch (error) {
    if (address === "::1" && withoutIpv6.includes(String((error as NodeJS.ErrnoException).code))) return false;
    throw error;
  }
}

interface Waiting {
  readonly message: Buffer;
  readonly answer: (message: Buffer) => void;
  readonly late: NodeJS.Timeout;
}

/** Questions to the gateway and their answers, matched by an id of ours, since the app chooses its own. */
class Questions {
  readonly #gateway: string;
  readonly #notes: Notes;
  readonly #waiting = new Map<number, Waiting>();
  readonly #stop = new AbortController();
  #socket: Socket | undefined;
  #connecting = false;
  #lastId = 0;

  constructor(gateway: string, notes: Notes) {
    this.#gateway = gateway;
    this.#notes = notes;
  }

  ask(message: Buffer, answer: (message: Buffer) => void): void {
    // What is shorter than a header has no id that an answer could name (RFC 1035 §4.1.1).
    if (this.#stop.signal.aborted || message.length < headerBytes || message.length > dnsMessageMaxBytes) return;
    const unread = this.#socket?.writableLength ?? 0;
    if (this.#waiting.size >= waitingMax || unread > unreadMaxBytes) return answer(failed(message));
    do this.#lastId = (this.#lastId + 1) & 0xffff;
    while (this.#waiting.has(this.#lastId));
    const id = this.#lastId;
    const late = setTimeout(() => this.#giveUp(id), answerWithinMs).unref();
    this.#waiting.set(id, { message, answer, late });
    if (this.#socket) this.#socket.write(framed(withId(message, id)));
    else if (!this.#connecting) void this.#connect();
  }

  close(): void {
    this.#stop.abort();
    this.#socket?.destroy();
    for (const { late } of this.#waiting.values()) clearTimeout(late);
    this.#waiting.clear();
  }

  /** Asks again on a fresh connection what was not answered on the last one. Never rejects: who waits is told. */
  async #connect(): Promise<void> {
    this.#connecting = true;
    try {
      const socket = await reachGateway(this.#gateway, this.#stop.signal);
      const frames = new Frames();
      socket.on("error", () => socket.destroy());
      socket.once("end", () => socket.destroy());
      socket.once("close", () => void this.#disconnected());
      socket.on("data", (bytes: Buffer) => {
        const messages = frames.take(bytes);
        if (messages === undefined) return void socket.destroy();
        for (const message of messages) this.#answered(message);
      });
      socket.write(`${JSON.stringify({ dns: true })}\n`);
      for (const [id, { message }] of this.#waiting) socket.write(framed(withId(message, id)));
      this.#socket = socket;
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#notes.tell(
        "gateway",
        `egress/gateway-down: no names are resolved: the node's gateway does not answer (${(error as Error).message})`,
      );
      for (const id of this.#waiting.keys()) this.#giveUp(id);
    } finally {
      this.#connecting = false;
    }
  }

  async #disconnected(): Promise<void> {
    this.#socket = undefined;
    if (this.#waiting.size === 0 || this.#stop.signal.aborted) return;
    this.#connecting = true;
    await delay(reconnectMs);
    if (!this.#stop.signal.aborted) await this.#connect();
  }

  #answered(message: Buffer): void {
    if (message.length < headerBytes) return;
    const waiting = this.#taken(message.readUInt16BE(0));
    waiting?.answer(withId(message, waiting.message.readUInt16BE(0)));
  }

  #giveUp(id: number): void {
    const waiting = this.#taken(id);
    waiting?.answer(failed(waiting.message));
  }

  #taken(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    clearTimeout(waiting?.late);
    return waiting;
  }
}

/** Messages of DNS over a stream: two bytes of length before each (RFC 1035 §4.2.2). */
export class Frames {
  #rest = Buffer.alloc(0);

  /** Whole messages; undefined where one is longer than any of ours. */
  take(bytes: Buffer): readonly Buffer[] | undefined {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const found: Buffer[] = [];
    while (this.#rest.length >= 2) {
      const length = this.#rest.readUInt16BE(0);
      if (length > dnsMessageMaxBytes) return undefined;
      if (this.#rest.length < 2 + length) break;
      found.push(Buffer.from(this.#rest.subarray(2, 2 + length)));
      this.#rest = this.#rest.subarray(2 + length);
    }
    return found;
  }
}

function framed(message: Buffer): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(message.length, 0);
  return Buffer.concat([head, message]);
}

function withId(message: Buffer, id: number): Buffer {
  const copy = Buffer.from(message);
  copy.writeUInt16BE(id, 0);
  return copy;
}

/** The question as its own answer, which says that the server failed. */
function failed(message: Buffer): Buffer {
  const copy = Buffer.from(message);
  copy.writeUInt8(copy.readUInt8(2) | 0x80, 2);
  copy.writeUInt8(serverFailure, 3);
  return copy;
}
