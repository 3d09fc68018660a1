/**
 * HTTP/2 at the edge's door: its sessions, each stream of which goes on as a connection of HTTP/1.1. What a session may ask of us is
 * bounded: streams, headers, resets that it makes or provokes, settings, pings, and how long an answer waits for its window.
 */
import { constants, createServer } from "node:http2";
import type { Http2Session, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";

import { headMaxBytes, visitorIdleMs } from "../../http/limits.ts";
import type { RandomBytes } from "../../stdx/ids.ts";
import { headOf } from "./head.ts";
import type { H2Malformed } from "./head.ts";
import * as limits from "./limits.ts";
import { StreamSocket } from "./stream-socket.ts";
import type { StreamPeer } from "./stream-socket.ts";

const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = constants;
const endStream = constants.NGHTTP2_FLAG_END_STREAM;

export interface Http2Options {
  readonly random: RandomBytes;
  readonly monotonic: () => number;
  /** Of each request, before all else: the connection that it came by. */
  readonly onCarrier: (socket: Socket, carrier: Socket) => void;
  /** A request, in the form of HTTP/1.1. */
  readonly onConnection: (socket: Socket) => void;
  /** Answers what could not be one, in HTTP/1.1. */
  readonly onMalformed: (socket: Socket, malformed: H2Malformed) => void;
}

export interface Http2Door {
  /** A connection of which nothing is read yet. */
  take(socket: Socket): void;
  /** Looks at each session and each stream that waits. */
  sweep(): void;
  /** Tells all to open no more streams. */
  close(): void;
  destroy(): void;
}

interface SessionState {
  readonly session: ServerHttp2Session;
  readonly carrier: Socket;
  readonly streams: Set<StreamSocket>;
  readonly faults: Allowance;
  readonly noise: Allowance;
  /** Since when nothing is under way. */
  idleSince: number;
}

/** A bucket of so many, refilled by so many a second. */
class Allowance {
  readonly #burst: number;
  readonly #aSecond: number;
  #left: number;
  #at: number;

  constructor({ burst, aSecond }: { readonly burst: number; readonly aSecond: number }, now: number) {
    this.#burst = this.#left = burst;
    this.#aSecond = aSecond;
    this.#at = now;
  }

  /** False where nothing is left. */
  take(now: number): boolean {
    this.#left = Math.min(this.#burst, this.#left + ((now - this.#at) * this.#aSecond) / 1000) - 1;
    this.#at = now;
    return this.#left >= 0;
  }
}

export function openHttp2({ random, monotonic, onCarrier, onConnection, onMalformed }: Http2Options): Http2Door {
  const sessions = new Map<Http2Session, SessionState>();
  const stalledSince = new Map<StreamSocket, number>();
  let streams = 0;
  /** A session begins within the call that takes its connection. */
  let taken: Socket | undefined;
  const server = createServer({
    maxSessionMemory: limits.sessionMemoryMb,
    maxHeaderListPairs: limits.headerPairsMax,
    maxSettings: limits.settingsMax,
    maxSessionInvalidFrames: limits.invalidFramesMax,
    maxSessionRejectedStreams: limits.rejectedStreamsMax,
    streamResetBurst: limits.resets.burst,
    streamResetRate: limits.resets.aSecond,
    settings: {
      maxConcurrentStreams: limits.streamsPerSession,
      maxHeaderListSize: headMaxBytes,
      headerTableSize: limits.headerTableBytes,
      initialWindowSize: limits.windowBytes,
      enableConnectProtocol: true,
      enablePush: false,
    },
  });

  server.on("session", (session: ServerHttp2Session) => {
    const now = monotonic();
    if (taken === undefined) return session.destroy();
    const state: SessionState = {
      session,
      carrier: taken,
      streams: new Set(),
      faults: new Allowance(limits.faults, now),
      noise: new Allowance(limits.noise, now),
      idleSince: now,
    };
    sessions.set(session, state);
    const onNoise = (): void => {
      if (!state.noise.take(monotonic())) session.destroy(undefined, NGHTTP2_ENHANCE_YOUR_CALM);
    };
    session.on("ping", onNoise).on("remoteSettings", onNoise);
    // The session's end follows; it is the visitor's affair.
    session.on("error", () => session.destroy());
    session.on("close", () => sessions.delete(session));
  });
  server.on("stream", (stream: ServerHttp2Stream, _headers, flags, rawHeaders) => {
    const state = sessions.get(stream.session as Http2Session);
    // Also of a session that never acknowledges our settings, which the library binds by none.
    if (state === undefined || state.streams.size >= limits.streamsPerSession || streams >= limits.streamsMax) {
      stream.on("error", ignored);
      return stream.close(NGHTTP2_REFUSED_STREAM);
    }
    const socket = new StreamSocket(stream, peerOf(state.carrier));
    onCarrier(socket as unknown as Socket, state.carrier);
    streams += 1;
    state.streams.add(socket);
    socket.on("error", ignored);
    socket.on("close", () => {
      streams -= 1;
      state.streams.delete(socket);
      stalledSince.delete(socket);
      if (state.streams.size === 0) state.idleSince = monotonic();
    });
    stream.on("close", () => {
      // Resets of either side, those that the visitor provoked included.
      if (stream.rstCode !== NGHTTP2_NO_ERROR && !state.faults.take(monotonic()))
        state.session.destroy(undefined, NGHTTP2_ENHANCE_YOUR_CALM);
    });
    // Nothing is asked of an app for a stream that is reset in the same breath.
    setImmediate(() => {
      if (!stream.destroyed && !stream.aborted) admit(socket, { rawHeaders, ended: (flags & endStream) !== 0 });
    });
  });

  const admit = (
    socket: StreamSocket,
    request: { readonly rawHeaders: readonly string[]; readonly ended: boolean },
  ): void => {
    const key = (): string => Buffer.from(random(16)).toString("base64");
    const head = headOf({ ...request, key });
    if (head.ok) {
      socket.begin(head);
      onConnection(socket as unknown as Socket);
      return;
    }
    socket.refuse(methodOf(request.rawHeaders));
    onMalformed(socket as unknown as Socket, head);
  };

  return {
    take(socket) {
      // A session of which one side has ended serves nobody, and the edge's sockets may be half open.
      socket.once("end", () => socket.destroy());
      taken = socket;
      server.emit("connection", socket);
      taken = undefined;
    },
    sweep() {
      const now = monotonic();
      for (const { session, streams: open, idleSince } of sessions.values()) {
        if (open.size === 0 && now - idleSince > visitorIdleMs) session.close();
        if (open.size === 0 && now - idleSince > visitorIdleMs + limits.goodbyeMs) session.destroy();
        for (const socket of open) {
          if (!socket.stalled) stalledSince.delete(socket);
          else if (!stalledSince.has(socket)) stalledSince.set(socket, now);
          else if (now - (stalledSince.get(socket) as number) > limits.stallMs) socket.reset(NGHTTP2_CANCEL);
        }
      }
    },
    close() {
      for (const { session } of sessions.values()) session.close();
    },
    destroy() {
      for (const { session } of sessions.values()) session.destroy();
    },
  };
}

function peerOf(carrier: Socket & { readonly encrypted?: boolean }): StreamPeer {
  const { remoteAddress, remotePort, localAddress, encrypted } = carrier;
  return { address: remoteAddress, port: remotePort, called: localAddress, encrypted: encrypted === true };
}

function methodOf(raw: readonly string[]): string {
  const at = raw.indexOf(":method");
  return raw[at + 1] ?? "";
}

/** A stream that breaks is closed next, and told of by whoever carries it. */
function ignored(): void {}
