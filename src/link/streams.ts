/**
 * Connections that are carried over a network, each as a stream of one HTTP/2 session over a WebSocket: with a window of its own, ends of
 * its own in each direction, and told apart whether it ended or broke (RFC 9113 §8.5, CONNECT). One end opens them, the other accepts.
 */
import {
  connect,
  constants,
  performServerHandshake,
  type ClientHttp2Session,
  type Http2Session,
  type ServerHttp2Stream,
  type Settings,
} from "node:http2";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createWebSocketStream, type WebSocket } from "ws";

/** Of one session. More connections than an edge keeps to all replicas of a busy node. */
export const streamsMax = 2_000;
/** What one stream may have on its way: a line of 100 ms carries 20 Mbit/s of one connection. */
const streamWindowBytes = 256 << 10;
/** What all of them may have on their way together. */
const sessionWindowBytes = 8 << 20;
/** Beyond it no more streams are taken: what a session of slow readers keeps in memory. */
const sessionMemoryMiB = 128;
/**
 * A visitor who leaves in the middle of an answer is a stream that is reset. Beyond a burst of 1,000, at 33 more a second, Node takes it for
 * an attack and ends all that the session carries; this peer has shown a token, and has as many streams as it may.
 */
const resetsAtOnce = 100_000;
/** A connection that comes while no session is there waits so long: an agent that lost its line is back by then. */
const sessionWithinMs = 5_000;

const settings: Settings = {
  enablePush: false,
  initialWindowSize: streamWindowBytes,
  maxConcurrentStreams: streamsMax,
};

/** The end that opens. It outlives its sessions: connections end with theirs, and the next go over the next. */
export class StreamOpener implements Disposable {
  readonly #withinMs: number;
  readonly #waiting = new Set<(session: ClientHttp2Session | undefined) => void>();
  #session: ClientHttp2Session | undefined;
  #carried = 0;
  #isFull = false;
  #isClosed = false;
  #lines = 0;

  constructor({ withinMs = sessionWithinMs }: { readonly withinMs?: number } = {}) {
    this.#withinMs = withinMs;
  }

  /** The number of the session that carries now; undefined while there is none. What began on another broke with it. */
  get line(): number | undefined {
    return this.#carrying === undefined ? undefined : this.#lines;
  }

  /** Goes on over this socket, which is open; the session before it ends. */
  attach(socket: WebSocket): void {
    const wire = wireOf(socket);
    const session = connect("http://streams", {
      createConnection: () => wire,
      maxSessionMemory: sessionMemoryMiB,
      settings,
    });
    endsTogether(session, socket);
    session.once("connect", () => session.setLocalWindowSize(sessionWindowBytes));
    session.once("remoteSettings", () => this.#use(session));
  }

  /** Carries a connection, which nobody has read yet, to a place that the other end knows by this name; broken off where that cannot be. Rejects with the first that is one too many. */
  async carry(local: Socket, to: string): Promise<void> {
    local.on("error", () => undefined); // its close follows
    if (this.#isClosed) return void local.destroy();
    if (this.#carried >= streamsMax) return this.#refuse(local);
    this.#carried += 1;
    local.once("close", () => {
      this.#carried -= 1;
      this.#isFull = false;
    });
    const session = await this.#usable();
    if (session === undefined || local.destroyed) return void local.destroy();
    const stream = session.request({ ":method": "CONNECT", ":authority": to });
    // Who began it is gone: nobody takes an answer any more.
    splice(local, stream, () => breakOff(stream, constants.NGHTTP2_CANCEL));
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    for (const take of this.#waiting) take(undefined);
    this.#session?.destroy();
  }

  /** Told once until there is room again: thousands may come. */
  #refuse(local: Socket): void {
    local.destroy();
    if (this.#isFull) return;
    this.#isFull = true;
    throw new Error(`${streamsMax} connections are carried already; more are broken off`);
  }

  #use(session: ClientHttp2Session): void {
    this.#session?.destroy();
    this.#session = session;
    this.#lines += 1;
    session.once("close", () => {
      if (this.#session === session) this.#session = undefined;
    });
    if (this.#isClosed) return session.destroy();
    for (const take of this.#waiting) take(session);
  }

  get #carrying(): ClientHttp2Session | undefined {
    const session = this.#session;
    return session && !session.closed && !session.destroyed ? session : undefined;
  }

  #usable(): Promise<ClientHttp2Session | undefined> {
    const session = this.#carrying;
    if (session) return Promise.resolve(session);
    return new Promise((resolve) => {
      const take = (one: ClientHttp2Session | undefined): void => {
        clearTimeout(late);
        this.#waiting.delete(take);
        resolve(one);
      };
      const late = setTimeout(() => take(undefined), this.#withinMs);
      this.#waiting.add(take);
    });
  }
}

/** The end that accepts: `take` is given each stream and the name of where it wants to go; it answers by {@link accept} or {@link refuse}. */
export function acceptStreams(socket: WebSocket, take: (stream: ServerHttp2Stream, to: string) => void): void {
  const session = performServerHandshake(wireOf(socket), {
    ...{ maxSessionMemory: sessionMemoryMiB, settings },
    ...{ streamResetBurst: resetsAtOnce, streamResetRate: resetsAtOnce },
  });
  endsTogether(session, socket);
  session.setLocalWindowSize(sessionWindowBytes);
  session.on("stream", (stream, headers) => {
    stream.on("error", () => undefined); // its close follows
    take(stream, headers[":method"] === "CONNECT" ? (headers[":authority"] ?? "") : "");
  });
}

/** The connection that a stream asked for is there. */
export function accept(stream: ServerHttp2Stream, local: Socket): void {
  if (!stream.destroyed) stream.respond({ ":status": 200 });
  // What it answered is on its way, and may not be cut off: what it was still to be told is passed over.
  splice(local, stream, () => void stream.resume());
}

/** There is no such place, or it cannot be reached. */
export function refuse(stream: Duplex): void {
  breakOff(stream);
}

/** All that one side says reaches the other, and then its end; where one breaks, the other breaks too. */
function splice(local: Socket, stream: Duplex, localTakesNoMore: () => void): void {
  pass(local, stream, localTakesNoMore);
  // What it said last is still on its way.
  pass(stream, local, () => (local.writableFinished ? local.destroy() : local.once("finish", () => local.destroy())));
}

/** `takesNoMore`: the first side has said all, and is gone before it was told all. */
function pass(from: Duplex, to: Duplex, takesNoMore: () => void): void {
  from.on("error", () => undefined); // its close follows
  from.once("close", () => {
    if (!from.readableEnded) breakOff(to);
    else if (!from.writableFinished || isReset(from)) takesNoMore();
  });
  from.pipe(to);
  if (from.destroyed) breakOff(to);
}

/** A stream's writing counts as finished also then. */
function isReset(one: Duplex): boolean {
  return "rstCode" in one && (one as ServerHttp2Stream).rstCode !== constants.NGHTTP2_NO_ERROR;
}

/** Without a reason the other end takes it for an end, and not for a break. */
function breakOff(one: Duplex, reason: number = constants.NGHTTP2_CONNECT_ERROR): void {
  if ("rstCode" in one) (one as ServerHttp2Stream).close(reason);
  else one.destroy();
}

function wireOf(socket: WebSocket): Duplex {
  const wire = createWebSocketStream(socket);
  wire.on("error", () => socket.terminate());
  return wire;
}

function endsTogether(session: Http2Session, socket: WebSocket): void {
  session.on("error", () => socket.terminate());
  session.once("close", () => socket.terminate());
  socket.once("close", () => session.destroy());
}
