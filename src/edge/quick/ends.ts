/** What an exchange needs of node:http's two objects, for a request on a connection of the quick lane. */
import { STATUS_CODES } from "node:http";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";

import type { Packet } from "../packet.ts";
import type { BodyListener, QuickBody } from "./body.ts";
import type { QuickHead } from "./head.ts";

/** A short answer leaves in one write, of one text: node's sockets write that without a buffer of their own. */
const oneTextMaxBytes = 12_288;

export class QuickRequest {
  readonly method: string;
  readonly url: string;
  readonly httpVersion = "1.1";
  readonly rawHeaders: readonly string[];
  readonly socket: Socket;
  readonly body: QuickBody | undefined;

  constructor(socket: Socket, head: QuickHead, body: QuickBody | undefined) {
    this.socket = socket;
    this.body = body;
    this.method = head.method;
    this.url = head.url;
    this.rawHeaders = head.rawHeaders;
  }

  /** Only of names that may be listed: what is read of it is `accept`. */
  get headers(): IncomingMessage["headers"] {
    const headers: Record<string, string> = {};
    for (let i = 0; i < this.rawHeaders.length; i += 2) {
      const name = (this.rawHeaders[i] as string).toLowerCase();
      const value = this.rawHeaders[i + 1] as string;
      headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
    }
    return headers;
  }

  /** All of it has come. */
  get complete(): boolean {
    return this.body === undefined || this.body.left === 0;
  }

  // Of one without a body there is nothing to hear, to hold or to drop.

  on(event: string, listener: BodyListener): this {
    this.body?.on(event, listener);
    return this;
  }

  off(event: string, listener: BodyListener): this {
    this.body?.off(event, listener);
    return this;
  }

  pause(): this {
    this.body?.pause();
    return this;
  }

  resume(): this {
    this.body?.resume();
    return this;
  }

  removeAllListeners(event: string): this {
    this.body?.removeAllListeners(event);
    return this;
  }
}

/** The connection that an answer is on. */
export interface ResponseOwner {
  /** All of it is written, and another request may follow. */
  onDone(response: QuickResponse): void;
  /** HTTP has ended on it: its socket is another's. */
  onDetached(): void;
}

/** The visitor's side of one answer. Header values have passed the parser of answers, or are ours. */
export class QuickResponse {
  headersSent = false;
  /** All of it has left this process. */
  writableFinished = false;
  /** The connection ends with it. */
  closes = false;
  /** As node:http has it: false where the connection is to end with this answer, whatever its head says. */
  shouldKeepAlive = true;
  readonly req: QuickRequest;
  readonly #socket: Socket;
  readonly #owner: ResponseOwner;
  /** Not yet written. */
  #head = "";
  #trailers = "";
  #chunked = false;
  #closed = false;
  readonly #onClose: (() => void)[] = [];
  #onDrain: (() => void) | undefined;

  constructor(request: QuickRequest, owner: ResponseOwner) {
    this.req = request;
    this.#socket = request.socket;
    this.#owner = owner;
  }

  /** Bytes that have not left this process. */
  get writableLength(): number {
    return this.#socket.writableLength;
  }

  /** More was written than the visitor has taken. */
  get writableNeedDrain(): boolean {
    return this.#socket.writableNeedDrain;
  }

  on(event: string, listener: () => void): this {
    if (event === "close") this.#onClose.push(listener);
    else if (event === "drain") this.#onDrain = listener;
    // What is wrong with the socket, its connection hears; its close follows.
    return this;
  }

  once(event: string, listener: () => void): this {
    return this.on(event, listener);
  }

  writeHead(status: number, reason: string | Readonly<Record<string, string>>, flat?: readonly string[]): this {
    const says = typeof reason === "string" ? reason : (STATUS_CODES[status] ?? "");
    const headers = typeof reason === "string" ? (flat ?? []) : Object.entries(reason).flat();
    this.#head = this.#headOf(status, says, headers);
    this.headersSent = true;
    return this;
  }

  writeInformation(status: number, headers: readonly string[]): void {
    let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
    for (let i = 0; i < headers.length; i += 2) text += `${headers[i] as string}: ${headers[i + 1] as string}\r\n`;
    this.#socket.write(`${text}\r\n`, "latin1");
  }

  flushHeaders(): void {
    if (this.#head !== "") this.#socket.write(this.#taken(), "latin1");
  }

  addTrailers(fields: readonly (readonly [string, string])[]): void {
    for (const [name, value] of fields) this.#trailers += `${name}: ${value}\r\n`;
  }

  /** False where the visitor takes it more slowly than it comes: `drain` follows. */
  write(bytes: Buffer): boolean {
    if (this.#socket.destroyed) return true;
    const framed = this.#chunked ? `${bytes.length.toString(16)}\r\n` : "";
    return this.#put(this.#taken() + framed, bytes, this.#chunked ? "\r\n" : "");
  }

  end(bytes?: Buffer): this {
    if (this.#socket.destroyed) return this;
    const none = bytes === undefined || bytes.length === 0;
    const framed = this.#chunked && !none ? `${bytes.length.toString(16)}\r\n` : "";
    const last = this.#chunked ? `${none ? "" : "\r\n"}0\r\n${this.#trailers}\r\n` : "";
    this.#put(this.#taken() + framed, none ? undefined : bytes, last);
    return this.#ended();
  }

  /** All of an answer that is not framed here: the parts of its head with the empty line that ends it. */
  endAll(packet: Packet, head: readonly string[], bytes: Buffer | undefined): void {
    this.headersSent = true;
    if (this.#socket.destroyed) return;
    packet.write(this.#socket, head, bytes);
    this.#ended();
  }

  #ended(): this {
    if (this.#socket.writableLength === 0) this.#done();
    else this.#socket.write("", () => this.#done());
    return this;
  }

  destroy(): this {
    this.#socket.destroy();
    return this;
  }

  /** A WebSocket begins on its socket: nothing of this answer is. */
  detachSocket(): void {
    this.#owner.onDetached();
  }

  /** The socket takes more. */
  drained(): void {
    const listener = this.#onDrain;
    this.#onDrain = undefined;
    listener?.();
  }

  /** Whole or not: nothing more will be written of it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const listener of this.#onClose) listener();
  }

  #done(): void {
    // A write that failed at once is off the socket's books, and the socket is destroyed only later.
    if (this.#closed || this.#socket.destroyed || this.#socket.errored !== null) return;
    this.writableFinished = true;
    this.close();
    this.#owner.onDone(this);
  }

  #taken(): string {
    const head = this.#head;
    this.#head = "";
    return head;
  }

  #put(before: string, bytes: Buffer | undefined, after: string): boolean {
    const socket = this.#socket;
    if (bytes === undefined) return before + after === "" || socket.write(before + after, "latin1");
    if (before.length + bytes.length <= oneTextMaxBytes)
      return before + after === ""
        ? socket.write(bytes)
        : socket.write(before + bytes.toString("latin1") + after, "latin1");
    socket.cork();
    if (before !== "") socket.write(before, "latin1");
    let more = socket.write(bytes);
    if (after !== "") more = socket.write(after, "latin1");
    socket.uncork();
    return more;
  }

  #headOf(status: number, reason: string, headers: readonly string[]): string {
    let text = `HTTP/1.1 ${status} ${reason}\r\n`;
    let sized = false;
    let dated = false;
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i] as string;
      const value = headers[i + 1] as string;
      text += `${name}: ${value}\r\n`;
      if (name.length === 14) sized ||= name.toLowerCase() === "content-length";
      else if (name.length === 4) dated ||= name.toLowerCase() === "date";
      else if (name.length === 10 && name.toLowerCase() === "connection") this.closes ||= value === "close";
    }
    if (!this.shouldKeepAlive && !this.closes) {
      text += "Connection: close\r\n";
      this.closes = true;
    }
    // RFC 9110 §6.6.1: who can tell the time adds it where the origin did not.
    if (!dated) text += `Date: ${new Date().toUTCString()}\r\n`;
    const bodiless = this.req.method === "HEAD" || status === 204 || status === 304;
    this.#chunked = !sized && !bodiless;
    return `${text}${this.#chunked ? "Transfer-Encoding: chunked\r\n" : ""}\r\n`;
  }
}
