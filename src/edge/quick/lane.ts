/**
 * Connections of visitors whose requests are of the plainest kind, as nearly all are that load a page, send a file or open a WebSocket: read
 * and answered on the socket itself, which costs half of what node:http does. The first request that is anything else goes to node:http with its
 * connection, for good.
 */
import type { Socket } from "node:net";

import { headMaxBytes, headWithinMs, requestWithinMs, visitorIdleMs } from "../../http/limits.ts";
import type { SocketMemory } from "../../http/socket-memory.ts";
import { drainMaxBytes } from "../limits.ts";
import { QuickBody } from "./body.ts";
import type { UpgradeEnd } from "../accepted.ts";
import { QuickRequest, QuickResponse } from "./ends.ts";
import type { ResponseOwner } from "./ends.ts";
import { QuickHeads } from "./head.ts";
import { Sayings } from "./said.ts";

export interface QuickLaneOptions {
  /** Carries the request; false where that is not for this lane, and nothing has happened with it. `upgrade`: it asks for a WebSocket. */
  readonly accept: (
    request: QuickRequest,
    response: QuickResponse,
    sayings: Sayings,
    upgrade: UpgradeEnd | undefined,
  ) => boolean;
  /** node:http gets the connection; what came on it is to be read from it again. */
  readonly handOver: (socket: Socket) => void;
  /** The rest of this body will not come, and its request is not answered yet. */
  readonly cut: (request: QuickRequest, response: QuickResponse, fault: BodyFault) => void;
  /** What a long body is read into. */
  readonly memory: SocketMemory;
  readonly monotonic: () => number;
}

export interface BodyFault {
  readonly detail: string;
  readonly status: number;
}

const endedEarly: BodyFault = { status: 400, detail: "request: its body ended before its Content-Length" };
const tookTooLong: BodyFault = { status: 408, detail: "request: not whole in time" };

/** From so many bytes on that are still to come, they are read into memory that is used again: it is one read of a socket. */
const longBodyBytes = 65_536;
/** Requests that came before the answer to an earlier one was whole; then the visitor waits. */
const aheadMaxBytes = 65_536;
/** Where HTTP would end on a connection on which an answer is owed, nothing can be said: not inside that answer. */
const endsHttp = /^CONNECT |\r\n[Uu][Pp][Gg][Rr][Aa][Dd][Ee]:/;

export class QuickLane {
  readonly options: QuickLaneOptions;
  readonly #connections = new Set<QuickConnection>();

  constructor(options: QuickLaneOptions) {
    this.options = options;
  }

  take(socket: Socket): void {
    this.#connections.add(new QuickConnection(this, socket));
  }

  forget(connection: QuickConnection): void {
    this.#connections.delete(connection);
  }

  /** Ends the connections on which nothing was asked for long. */
  sweep(): void {
    const now = this.options.monotonic();
    for (const connection of this.#connections) connection.sweep(now);
  }

  closeIdle(): void {
    for (const connection of this.#connections) connection.closeIfIdle();
  }

  closeAll(): void {
    for (const connection of this.#connections) connection.close();
  }
}

class QuickConnection implements ResponseOwner {
  readonly #lane: QuickLane;
  readonly #socket: Socket;
  #idleSince: number;
  #asked = false;
  readonly #heads = new QuickHeads();
  readonly #sayings = new Sayings();
  #response: QuickResponse | undefined;
  /** Of the last request, answered or not, while some of it is still to come. */
  #body: QuickBody | undefined;
  /** What comes is of no request: the last one's body ended too early or came too slowly, or it asked for a WebSocket. */
  #isDeaf = false;
  #isAdopted = false;
  /** What came during the answer before. */
  #ahead: Buffer | undefined;
  readonly #onData = (bytes: Buffer): boolean => this.#take(bytes);
  readonly #onDrain = (): void => this.#response?.drained();
  readonly #onEnd = (): void => this.#ended();
  readonly #onClose = (): void => this.#closed();
  readonly #onError = (): void => void this.#socket.destroy();

  constructor(lane: QuickLane, socket: Socket) {
    this.#lane = lane;
    this.#socket = socket;
    this.#idleSince = lane.options.monotonic();
    socket
      .on("data", this.#onData)
      .on("drain", this.#onDrain)
      .on("end", this.#onEnd)
      .on("close", this.#onClose)
      .on("error", this.#onError);
  }

  sweep(now: number): void {
    if (this.#body !== undefined && now - this.#body.since > requestWithinMs) return this.#cut(tookTooLong);
    if (this.#isBusy) return;
    const idleMs = now - this.#idleSince;
    // One that never asked was opened ahead, as browsers do, and is dropped without a word.
    if (idleMs > (this.#asked ? visitorIdleMs : headWithinMs)) this.#socket.destroy();
  }

  closeIfIdle(): void {
    if (!this.#isBusy) this.#socket.destroy();
  }

  close(): void {
    this.#socket.destroy();
  }

  /** A request is not whole, or its answer is not. */
  get #isBusy(): boolean {
    return this.#response !== undefined || this.#body !== undefined;
  }

  /** True where nobody looks at these bytes any more. */
  #take(bytes: Buffer): boolean {
    // RFC 9112 §9.6: behind the last answer nothing is a request.
    if (!this.#socket.writable || this.#isDeaf) return true;
    if (this.#body !== undefined) return this.#takeBody(this.#body, bytes);
    const all = this.#ahead === undefined ? bytes : Buffer.concat([this.#ahead, bytes]);
    if (this.#response !== undefined) this.#holdAhead(all);
    else if (this.#ahead === undefined) this.#begin(bytes);
    // Those before it are about to begin.
    else this.#ahead = all;
    return false;
  }

  #takeBody(body: QuickBody, bytes: Buffer): boolean {
    const { left } = body;
    if (bytes.length <= left) return this.#receive(body, bytes);
    // What the body is in may be given back before those behind it begin.
    this.#ahead = Buffer.from(bytes.subarray(left));
    this.#receive(body, bytes.subarray(0, left));
    if (this.#response !== undefined && this.#ahead !== undefined) this.#holdAhead(this.#ahead);
    return false;
  }

  /** At most as many bytes as are left of the body. True where nobody looks at them any more. */
  #receive(body: QuickBody, bytes: Buffer): boolean {
    if (bytes.length === body.left) this.#body = undefined;
    const isThrough = bytes.length === 0 || body.take(bytes);
    if (!this.#isBusy) this.#idle();
    return isThrough;
  }

  #holdAhead(bytes: Buffer): void {
    this.#ahead = bytes;
    if (endsHttp.test(bytes.toString("latin1"))) this.#socket.destroy();
    else if (bytes.length > aheadMaxBytes) this.#socket.pause();
  }

  #begin(bytes: Buffer): void {
    const text = bytes.toString("latin1", 0, Math.min(bytes.length, headMaxBytes));
    const end = text.indexOf("\r\n\r\n");
    const head = end < 0 ? undefined : this.#heads.read(text.slice(0, end));
    const bodyAt = end + 4;
    const nextAt = Math.min(bodyAt + (head?.length ?? 0), bytes.length);
    // What stands behind is looked through with each request: a long line of them is for the other parser. And an adopted socket that
    // waits does not see its visitor leave, which for a WebSocket may be long.
    const isOthers = head === undefined || bytes.length - nextAt > headMaxBytes || (head.upgrade && this.#isAdopted);
    if (isOthers) return this.#handOver(bytes);
    const body = head.length === undefined ? undefined : this.#bodyOf(head.length);
    const request = new QuickRequest(this.#socket, head, body);
    const response = new QuickResponse(request, this);
    this.#response = response;
    this.#body = body;
    const behind = nextAt < bytes.length && !head.upgrade ? bytes.subarray(nextAt) : undefined;
    const ahead = behind !== undefined && body !== undefined ? Buffer.from(behind) : behind;
    this.#ahead = ahead;
    const upgrade = head.upgrade ? this.#ending(response, bytes.subarray(nextAt)) : undefined;
    if (!this.#lane.options.accept(request, response, this.#sayings, upgrade)) {
      this.#response = this.#body = this.#ahead = undefined;
      this.#isDeaf = false;
      return this.#handOver(bytes);
    }
    if (body !== undefined && body.left - (nextAt - bodyAt) >= longBodyBytes) this.#adopt();
    this.#asked = true;
    if (body !== undefined) this.#receive(body, bytes.subarray(bodyAt, nextAt));
    if (ahead !== undefined && this.#response === response) this.#holdAhead(ahead);
  }

  /** With this request HTTP ends on the connection, or the connection with its answer. What follows waits for whoever has it then. */
  #ending(response: QuickResponse, first: Buffer): UpgradeEnd {
    this.#isDeaf = true;
    response.shouldKeepAlive = false;
    this.#socket.pause();
    return { socket: this.#socket, first };
  }

  #bodyOf(length: number): QuickBody {
    const { memory, monotonic } = this.#lane.options;
    return new QuickBody(this.#socket, { length, since: monotonic(), memory });
  }

  #adopt(): void {
    if (this.#isAdopted) return;
    this.#isAdopted = this.#lane.options.memory.adopt(this.#socket, this.#onData, "for now");
  }

  onDetached(): void {
    this.#leave();
    this.#socket.resume();
  }

  onDone(response: QuickResponse): void {
    this.#response = undefined;
    if (response.closes) return this.#socket.destroySoon();
    if (this.#body === undefined) this.#idle();
    else this.#body.drop(drainMaxBytes);
  }

  /** The last request and its answer are whole. */
  #idle(): void {
    this.#idleSince = this.#lane.options.monotonic();
    if (this.#ahead !== undefined) process.nextTick(() => this.#next());
  }

  #next(): void {
    const bytes = this.#ahead;
    if (bytes === undefined || this.#isBusy || !this.#socket.writable) return;
    this.#ahead = undefined;
    this.#begin(bytes);
    if (this.#ahead === undefined) this.#socket.resume();
  }

  #ended(): void {
    if (this.#body === undefined) this.#socket.end();
    else this.#cut(endedEarly);
  }

  #cut(fault: BodyFault): void {
    const response = this.#response;
    this.#isDeaf = true;
    this.#body = undefined;
    if (response === undefined) this.#socket.destroySoon();
    else this.#lane.options.cut(response.req, response, fault);
  }

  #handOver(bytes: Buffer): void {
    this.#leave();
    if (this.#isAdopted) this.#lane.options.memory.giveBack(this.#socket);
    this.#socket.pause();
    this.#socket.unshift(bytes);
    this.#socket.resume();
    this.#lane.options.handOver(this.#socket);
  }

  #leave(): void {
    this.#lane.forget(this);
    this.#socket
      .off("data", this.#onData)
      .off("drain", this.#onDrain)
      .off("end", this.#onEnd)
      .off("close", this.#onClose)
      .off("error", this.#onError);
  }

  #closed(): void {
    this.#lane.forget(this);
    const response = this.#response;
    this.#response = undefined;
    response?.close();
  }
}
