/**
 * Connections of visitors whose requests are of the plainest kind, as nearly all are that load a page: read and answered on the socket
 * itself, which costs half of what node:http does. The first request that is anything else goes to node:http with its connection, for good.
 */
import type { Socket } from "node:net";

import { headMaxBytes, headWithinMs, visitorIdleMs } from "../../http/limits.ts";
import { QuickRequest, QuickResponse } from "./ends.ts";
import { QuickHeads } from "./head.ts";
import { Sayings } from "./said.ts";

export interface QuickLaneOptions {
  /** Carries the request; false where that is not for this lane, and nothing has happened with it. */
  readonly accept: (request: QuickRequest, response: QuickResponse, sayings: Sayings) => boolean;
  /** node:http gets the connection; what came on it is to be read from it again. */
  readonly handOver: (socket: Socket) => void;
  readonly monotonic: () => number;
}

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

class QuickConnection {
  readonly #lane: QuickLane;
  readonly #socket: Socket;
  #idleSince: number;
  #asked = false;
  readonly #heads = new QuickHeads();
  readonly #sayings = new Sayings();
  #response: QuickResponse | undefined;
  /** What came during the answer before. */
  #ahead: Buffer | undefined;
  readonly #onData = (bytes: Buffer): void => this.#take(bytes);
  readonly #onDrain = (): void => this.#response?.drained();
  readonly #onEnd = (): void => void this.#socket.end();
  readonly #onClose = (): void => this.#closed();
  readonly #onError = (): void => void this.#socket.destroy();
  readonly #onDone = (response: QuickResponse): void => this.#done(response);

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
    if (this.#response !== undefined) return;
    const idleMs = now - this.#idleSince;
    // One that never asked was opened ahead, as browsers do, and is dropped without a word.
    if (idleMs > (this.#asked ? visitorIdleMs : headWithinMs)) this.#socket.destroy();
  }

  closeIfIdle(): void {
    if (this.#response === undefined) this.#socket.destroy();
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    // RFC 9112 §9.6: behind the last answer nothing is a request.
    if (!this.#socket.writable) return;
    if (this.#response === undefined) return this.#begin(bytes);
    this.#holdAhead(this.#ahead === undefined ? bytes : Buffer.concat([this.#ahead, bytes]));
  }

  #holdAhead(bytes: Buffer): void {
    this.#ahead = bytes;
    if (endsHttp.test(bytes.toString("latin1"))) this.#socket.destroy();
    else if (bytes.length > aheadMaxBytes) this.#socket.pause();
  }

  #begin(bytes: Buffer): void {
    const text = bytes.length > headMaxBytes ? "" : bytes.toString("latin1");
    const end = text.indexOf("\r\n\r\n");
    const head = end < 0 ? undefined : this.#heads.read(text.slice(0, end));
    if (head === undefined) return this.#handOver(bytes);
    const request = new QuickRequest(this.#socket, head);
    const response = new QuickResponse(request, this.#onDone);
    this.#response = response;
    const ahead = end + 4 < bytes.length ? bytes.subarray(end + 4) : undefined;
    this.#ahead = ahead;
    if (!this.#lane.options.accept(request, response, this.#sayings)) {
      this.#response = undefined;
      this.#ahead = undefined;
      return this.#handOver(bytes);
    }
    this.#asked = true;
    if (ahead !== undefined && this.#response === response) this.#holdAhead(ahead);
  }

  #done(response: QuickResponse): void {
    this.#response = undefined;
    if (response.closes) return this.#socket.destroySoon();
    this.#idleSince = this.#lane.options.monotonic();
    if (this.#ahead !== undefined) process.nextTick(() => this.#next());
  }

  #next(): void {
    const bytes = this.#ahead;
    if (bytes === undefined || this.#response !== undefined || !this.#socket.writable) return;
    this.#ahead = undefined;
    this.#begin(bytes);
    if (this.#ahead === undefined) this.#socket.resume();
  }

  #handOver(bytes: Buffer): void {
    this.#leave();
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
