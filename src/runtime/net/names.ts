/** Names for a sandbox: its resolver is 127.0.0.1 (and ::1), and every question goes to the gateway over one kept connection. */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dnsMessageMaxBytes } from "../../contract/egress.ts";
import type { Notes } from "./notes.ts";

export interface Names {
  close(): void;
}

/** Questions that wait for the gateway at once; a resolver asks again by itself. */
const waitingMax = 256;
const answerWithinMs = 10_000;
const tcpConnectionsMax = 64;
const headerBytes = 12;

export async function openNames(options: {
  readonly gateway: string;
  readonly port: number;
  readonly notes: Notes;
}): Promise<Names> {
  const upstream = new Upstream(options.gateway, options.notes);
  const sockets: UdpSocket[] = [];
  for (const [type, address] of [
    ["udp4", "127.0.0.1"],
    ["udp6", "::1"],
  ] as const) {
    const socket = await udp(type, address, options.port, upstream);
    if (socket) sockets.push(socket);
  }
  const server = createServer((socket) => tcp(socket, upstream));
  server.maxConnections = tcpConnectionsMax;
  await listening(server, options.port);
  return {
    close: () => {
      for (const socket of sockets) socket.close();
      server.close();
      upstream.close();
    },
  };
}

async function udp(
  type: "udp4" | "udp6",
  address: string,
  port: number,
  upstream: Upstream,
): Promise<UdpSocket | undefined> {
  const socket = createSocket(type);
  socket.on("message", (message: Buffer, from: RemoteInfo) => {
    upstream.ask(message, (answer) => socket.send(answer, from.port, from.address, () => undefined));
  });
  socket.bind(port, address);
  try {
    await once(socket, "listening");
  } catch (error) {
    // A kernel without IPv6 has no ::1.
    if (type === "udp6" && ["EADDRNOTAVAIL", "EAFNOSUPPORT"].includes(String((error as NodeJS.ErrnoException).code)))
      return undefined;
    throw error;
  }
  socket.on("error", () => undefined); // A question from a port that has gone: nobody waits for the answer.
  return socket;
}

function tcp(socket: Socket, upstream: Upstream): void {
  const frames = new Frames();
  socket.setTimeout(answerWithinMs, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.on("data", (bytes: Buffer) => {
    const messages = frames.take(bytes);
    if (messages === undefined) return void socket.destroy();
    for (const message of messages) upstream.ask(message, (answer) => socket.write(framed(answer)));
  });
}

async function listening(server: Server, port: number): Promise<void> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
}

/** The connection to the gateway: answers are matched by an id of ours, since the app chooses its own. */
class Upstream {
  readonly #gateway: string;
  readonly #notes: Notes;
  readonly #waiting = new Map<
    number,
    { readonly id: number; readonly answer: (message: Buffer) => void; readonly late: NodeJS.Timeout }
  >();
  #socket: Socket | undefined;
  #nextId = 0;
  #closed = false;

  constructor(gateway: string, notes: Notes) {
    this.#gateway = gateway;
    this.#notes = notes;
  }

  ask(message: Buffer, answer: (message: Buffer) => void): void {
    // What is shorter than a header has no id that an answer could name (RFC 1035 §4.1.1).
    if (
      this.#closed ||
      message.length < headerBytes ||
      message.length > dnsMessageMaxBytes ||
      this.#waiting.size >= waitingMax
    )
      return;
    const ours = this.#freeId();
    const late = setTimeout(() => this.#waiting.delete(ours), answerWithinMs);
    late.unref();
    this.#waiting.set(ours, { id: message.readUInt16BE(0), answer, late });
    const copy = Buffer.from(message);
    copy.writeUInt16BE(ours, 0);
    this.#connection().write(framed(copy));
  }

  close(): void {
    this.#closed = true;
    this.#socket?.destroy();
    for (const { late } of this.#waiting.values()) clearTimeout(late);
    this.#waiting.clear();
  }

  #freeId(): number {
    do this.#nextId = (this.#nextId + 1) & 0xffff;
    while (this.#waiting.has(this.#nextId));
    return this.#nextId;
  }

  #connection(): Socket {
    if (this.#socket && !this.#socket.destroyed) return this.#socket;
    const socket = connect(this.#gateway);
    const frames = new Frames();
    this.#socket = socket;
    socket.on("error", (error) => {
      this.#notes.tell(
        "gateway",
        `egress/gateway-down: no names are resolved: the node's gateway does not answer (${error.message})`,
      );
    });
    socket.on("data", (bytes: Buffer) => {
      const messages = frames.take(bytes);
      if (messages === undefined) return void socket.destroy();
      for (const message of messages) this.#answered(message);
    });
    socket.write(`${JSON.stringify({ dns: true })}\n`);
    return socket;
  }

  #answered(message: Buffer): void {
    if (message.length < headerBytes) return;
    const ours = message.readUInt16BE(0);
    const waiting = this.#waiting.get(ours);
    if (!waiting) return;
    this.#waiting.delete(ours);
    clearTimeout(waiting.late);
    message.writeUInt16BE(waiting.id, 0);
    waiting.answer(message);
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

export function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(message.length, 0);
  return Buffer.concat([head, message]);
}
