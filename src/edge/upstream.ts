/**
 * One connection to a replica's shim: the preamble, then HTTP/1.1 requests one after the other. It knows at which byte of the
 * connection each request began and ended, and tells its user of the answer as it comes.
 */
import { connect } from "node:net";
import type { Socket } from "node:net";

import { encodePreamble } from "../contract/preamble.ts";
import type { ConnectionName } from "../contract/preamble.ts";
import { KeptPieces } from "../http/kept-pieces.ts";
import type { SocketMemory } from "../http/socket-memory.ts";
import { assert } from "../stdx/assert.ts";
import type { ShownHead } from "./headers.ts";
import type { Packet } from "./packet.ts";
import { ResponseParser } from "./response.ts";
import type { ResponseHead, ResponseSink } from "./response.ts";

/** Why a connection ended under a request. */
export type Gone =
  /** The shim's socket could not be reached at all. */
  | { readonly kind: "unreachable"; readonly errno: string }
  /** It was open, and broke or was closed before the answer was whole. */
  | { readonly kind: "broken"; readonly errno: string | null }
  /** What came is no answer. */
  | { readonly kind: "invalid"; readonly says: string };

export interface UpstreamUser extends ResponseSink {
  /** Nothing of the answer's bytes that it was given waits: neither with it, nor on the way to its visitor. */
  readonly isThrough: boolean;
  /** More of the request's body may be written. */
  onDrain(): void;
  /** All that arrived at once has been given; more is to come. */
  onPause(): void;
  /** HTTP ended with the 101 before; `first` are the bytes that came with it. */
  onUpgraded(first: Buffer): void;
  /** In place of `onEnd`, where only the end of its connection ends the answer: that may be a break that looks like an end. */
  onClosedEnd(): void;
  onGone(gone: Gone): void;
}

export interface UpstreamOwner {
  /** The answer is whole and the connection may carry another request. */
  onIdle(upstream: Upstream): void;
  onClosed(upstream: Upstream): void;
}

/** What a request is to its connection. */
interface RequestKind {
  readonly method: string;
  readonly upgrade: boolean;
  readonly body: boolean;
  readonly last: boolean;
}

export interface UpstreamOptions {
  /** Of the replica's socket. */
  readonly path: string;
  readonly name: ConnectionName;
  readonly visitor: string;
  readonly owner: UpstreamOwner;
  readonly memory: SocketMemory;
}

export class Upstream implements ResponseSink {
  readonly name: ConnectionName;
  /** `<emitter>/<epoch>/<n>`. */
  readonly id: string;
  /** Bytes written for the app so far: the offset at which the next request begins. The preamble is not of them. */
  sent = 0;
  /** Bytes that came back so far. */
  received = 0;
  /** Requests that began on it. */
  uses = 0;
  /** Whose requests it carries. */
  readonly visitor: string;
  /** When it was last used; only meaningful while idle. */
  idleSince = 0;
  /** What became of its last answer's head. */
  shown: ShownHead | undefined;
  /** What it is read into. */
  readonly memory: SocketMemory;
  readonly #socket: Socket;
  readonly #owner: UpstreamOwner;
  readonly #parser: ResponseParser;
  /** Until it is written, with the head of the first request. */
  #preamble: string;
  #user: UpstreamUser | undefined;
  #connected = false;
  #requestDone = true;
  #keepAlive = true;
  /** No request may follow the one that it carries. */
  #last = false;
  #answerDone = true;
  #errno: string | undefined;
  /** Of the answer that comes. */
  readonly #kept: KeptPieces;
  #take = (bytes: Buffer): boolean => this.#onData(bytes);
  readonly #drainListener = (): void => this.#user?.onDrain();
  readonly #endListener = (): void => this.#onEnd();

  constructor({ path, name, visitor, owner, memory }: UpstreamOptions) {
    this.name = name;
    this.visitor = visitor;
    this.memory = memory;
    this.#kept = new KeptPieces(memory);
    this.id = `${name.emitter}/${name.epoch}/${name.connection}`;
    this.#owner = owner;
    this.#parser = new ResponseParser(this);
    this.#socket = connect({ path, onread: memory.reader((bytes) => this.#take(bytes), "for now") });
    this.#socket
      .on("connect", () => {
        this.#connected = true;
      })
      .on("drain", this.#drainListener)
      .on("end", this.#endListener)
      .on("error", (error: NodeJS.ErrnoException) => {
        this.#errno = error.code ?? error.message;
      })
      .on("close", () => this.#onClose());
    this.#preamble = encodePreamble({ kind: "open", ...name });
  }

  /** Begins a request with its whole head. Returns the offset of its first byte. */
  begin(user: UpstreamUser, head: string, request: RequestKind): number {
    const from = this.#begun(user, request);
    if (request.body) {
      // Head and the first of the body leave in one write where the body is already here.
      this.#socket.cork();
      process.nextTick(uncork, this.#socket);
    }
    this.#write(head);
    return from;
  }

  /** {@link begin} of a request without a body, on a connection that has carried others: its head in parts. */
  beginWith(packet: Packet, user: UpstreamUser, head: readonly string[], request: RequestKind): void {
    this.#begun(user, request);
    for (const part of head) this.sent += part.length;
    packet.write(this.#socket, head);
  }

  #begun(user: UpstreamUser, request: RequestKind): number {
    assert(
      this.#user === undefined && this.#requestDone && this.#answerDone,
      "a connection carries one request at a time",
    );
    this.#user = user;
    this.#requestDone = !request.body;
    this.#answerDone = false;
    this.#last = request.last;
    this.uses += 1;
    this.#parser.begin(request);
    return this.sent;
  }

  /** What comes of the answer from now on is another one's to take. */
  passTo(user: UpstreamUser): void {
    if (!this.#answerDone && !this.#socket.destroyed) this.#user = user;
  }

  /** Writes a piece of the body; false where the user should wait for `onDrain`. */
  writeBody(bytes: Buffer, chunked: boolean): boolean {
    assert(bytes.length > 0, "an empty chunk would end the body");
    if (!chunked) {
      this.sent += bytes.length;
      return this.#socket.write(bytes);
    }
    this.#socket.cork();
    this.#write(`${bytes.length.toString(16)}\r\n`);
    this.sent += bytes.length;
    this.#socket.write(bytes);
    const more = this.#write("\r\n");
    this.#socket.uncork();
    return more;
  }

  /** The request is whole. `trailers`: whole lines. */
  endBody(chunked: boolean, trailers: string): void {
    if (chunked) this.#write(`0\r\n${trailers}\r\n`);
    this.#requestDone = true;
  }

  /** Whether all that was written has left this process. */
  get flushed(): boolean {
    return this.#socket.writableLength === 0;
  }

  /** Whether neither side has ended it. */
  get usable(): boolean {
    return !this.#socket.destroyed && !this.#socket.readableEnded;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Ends the connection and tells its user nothing more. */
  destroy(): void {
    this.#user = undefined;
    this.#socket.destroy();
  }

  /** After `onUpgraded`: hands over the socket; only its close is still followed here. `take`: as of {@link SocketMemory.reader}. */
  detach(take: (bytes: Buffer) => boolean): Socket {
    this.#user = undefined;
    this.#take = take;
    return this.#socket.off("drain", this.#drainListener).off("end", this.#endListener);
  }

  onInterim(status: number, rawHeaders: readonly string[]): void {
    this.#user?.onInterim(status, rawHeaders);
  }

  onHead(head: ResponseHead): void {
    this.#keepAlive = head.keepAlive && !this.#last;
    this.#user?.onHead(head);
  }

  onBody(bytes: Buffer): void {
    this.#user?.onBody(bytes);
  }

  onTrailers(rawTrailers: readonly string[]): void {
    this.#user?.onTrailers?.(rawTrailers);
  }

  onEnd(): void {
    this.#answerDone = true;
  }

  #write(text: string): boolean {
    this.sent += text.length;
    const all = this.#preamble + text;
    this.#preamble = "";
    return this.#socket.write(all, "latin1");
  }

  /** True where nobody looks at these bytes any more. */
  #onData(bytes: Buffer): boolean {
    this.received += bytes.length;
    const taken = this.#parser.push(bytes);
    if (taken < 0) this.#end({ kind: "invalid", says: this.#parser.fault ?? "not HTTP" });
    else if (this.#answerDone) this.#settle(taken === bytes.length);
    else if (this.#parser.upgraded) this.#user?.onUpgraded(bytes.subarray(taken));
    else {
      this.#user?.onPause();
      if (this.#user?.isThrough === true) {
        this.#kept.release();
        return true;
      }
      this.#kept.keep(bytes);
    }
    return false;
  }

  /** Between requests. Bytes after an answer's end belong to nobody: what they claim to answer was never asked. */
  #settle(clean: boolean, closed = false): void {
    const user = this.#user;
    // Its visitor may take these later, while another's answer comes.
    this.#kept.forget();
    const reusable = clean && this.#requestDone && this.#keepAlive && !this.#socket.destroyed;
    this.#user = undefined;
    if (!reusable) this.#socket.destroy();
    if (closed) user?.onClosedEnd();
    else user?.onEnd();
    if (!reusable) return;
    // Its visitor may be slow and take the last of it only later, or never: who comes next is not to wait for that.
    if (this.#socket.isPaused()) this.#socket.resume();
    this.#owner.onIdle(this);
  }

  #onEnd(): void {
    if (this.#answerDone) return void this.#socket.destroy();
    if (this.#parser.finish()) this.#settle(false, true);
    else this.#end({ kind: "broken", errno: null });
  }

  #onClose(): void {
    this.#owner.onClosed(this);
    if (this.#user === undefined) return;
    const errno = this.#errno ?? null;
    this.#end(this.#connected ? { kind: "broken", errno } : { kind: "unreachable", errno: errno ?? "closed" });
  }

  #end(gone: Gone): void {
    const user = this.#user;
    this.destroy();
    user?.onGone(gone);
  }
}

function uncork(socket: Socket): void {
  socket.uncork();
}
