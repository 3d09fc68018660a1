/** An end of a connection over a network: a session over whichever WebSocket is there, and none for a while. */
import { setTimeout as delay } from "node:timers/promises";
import type { RawData, WebSocket } from "ws";
import { encode, frameMaxBytes, type Link, type ToAgent, type ToServer } from "../contract/agent.ts";
import { MalformedMessage } from "./messages.ts";
import { endFrame, parseFrame, Session } from "./session.ts";

/** How a connection is kept alive. */
export interface WireTiming {
  /** Each end asks the other for a sign of life so often. */
  readonly pingMs: number;
  /** A socket on which nothing came for so long is given up, also while it is opened: its other end may be gone without a word. */
  readonly silentMs: number;
  /** A session without a socket ends after this; well below the 45 s after which a server takes a node for lost. */
  readonly resumeMs: number;
}

export const wireTiming: WireTiming = { pingMs: 2_000, silentMs: 6_000, resumeMs: 10_000 };

/** A message of characters that take four bytes each, and its frame. */
export const socketMaxBytes = 4 * frameMaxBytes + 1_024;
/** What a frame has around its message. */
const frameOwnChars = 100;
/** Messages kept for an end that has no listener yet: more means that nobody will ever listen. */
const heldMax = 10_000;
/** How long the other end may wait to hear that a message came, where no message goes its way. */
const gotLaterMs = 50;
/** Messages that may have come without that word. */
const gotLaterMax = 200;
/** What a socket that is being closed may take to say its last words. */
const closeWithinMs = 1_000;

export class WireEnd<Out extends ToAgent | ToServer, In extends ToAgent | ToServer> implements Link<Out, In> {
  readonly #session = new Session();
  readonly #timing: WireTiming;
  readonly #parse: (message: unknown) => In;
  readonly #onMisfit: (error: unknown) => void;
  #socket: WebSocket | undefined;
  #held: In[] = [];
  #listener: ((message: In) => void) | undefined;
  #onClose: (() => void)[] = [];
  #over = false;
  #untold = 0;
  #tellGot: NodeJS.Timeout | undefined;
  #expiry: NodeJS.Timeout | undefined;

  /** `parse` throws what is no message; `onMisfit`: the other end said what cannot be taken, and the session is over. */
  constructor(
    { parse, onMisfit }: { parse(message: unknown): In; onMisfit(error: unknown): void },
    timing: WireTiming = wireTiming,
  ) {
    this.#timing = timing;
    this.#parse = parse;
    this.#onMisfit = onMisfit;
    this.#expireLater();
  }

  get isOver(): boolean {
    return this.#over;
  }

  get got(): number {
    return this.#session.got;
  }

  send(message: Out): void {
    if (this.#over) return;
    const text = encode(message);
    const frame = text.length > frameMaxBytes ? undefined : this.#session.post(text);
    // The other end took nothing for too long, or would not take this: whoever is behind it says hello anew.
    if (frame === undefined) return this.#end();
    this.#socket?.send(frame);
    this.#toldGot();
  }

  onMessage(listener: (message: In) => void): void {
    this.#listener = listener;
    for (const message of this.#held.splice(0)) this.#deliver(message);
  }

  onClose(listener: () => void): void {
    if (this.#over) queueMicrotask(listener);
    else this.#onClose.push(listener);
  }

  close(): void {
    if (this.#over) return;
    this.#socket?.send(endFrame);
    this.#end();
  }

  /** Goes on over this socket, whose other end has `got` of our messages, and says `first` on it. False where that cannot be: then it is over. */
  attach(socket: WebSocket, got: number, first?: string): boolean {
    const again = this.#over ? undefined : this.#session.resume(got);
    if (again === undefined) {
      this.#end();
      return false;
    }
    this.#socket?.terminate();
    this.#socket = socket;
    clearTimeout(this.#expiry);
    socket.on("message", (data) => {
      if (this.#socket === socket) this.#take(data);
    });
    socket.on("close", () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      if (!this.#over) this.#expireLater();
    });
    if (first !== undefined) socket.send(first);
    for (const frame of again) socket.send(frame);
    return true;
  }

  #take(data: RawData): void {
    // Its socket still says its last words.
    if (this.#over) return;
    const said = textOf(data);
    const frame = said.length <= frameMaxBytes + frameOwnChars ? parseFrame(said) : undefined;
    if (frame?.kind === "end") return this.#end();
    if (frame === undefined || !this.#session.acknowledge(frame.got))
      return this.#misfit(new MalformedMessage(`a frame of ${said.length} characters that is none of this session`));
    if (frame.kind === "got") return;
    const taken = this.#session.take(frame.n);
    if (taken === "gap") return this.#socket?.terminate();
    this.#tellGotLater();
    if (taken === "taken") this.#deliverParsed(frame.message);
  }

  #deliverParsed(message: unknown): void {
    let parsed: In;
    try {
      parsed = this.#parse(message);
    } catch (error) {
      return this.#misfit(error);
    }
    this.#deliver(parsed);
  }

  #deliver(message: In): void {
    if (this.#over) return;
    if (this.#listener === undefined) {
      this.#held.push(message);
      if (this.#held.length > heldMax) this.#end();
      return;
    }
    try {
      this.#listener(message);
    } catch (error) {
      this.#misfit(error);
    }
  }

  /** Of another version, or made up by whoever has the token: it is not to end the process. */
  #misfit(error: unknown): void {
    this.#end();
    this.#onMisfit(error);
  }

  #tellGotLater(): void {
    this.#untold += 1;
    if (this.#untold >= gotLaterMax) return this.#tellGotNow();
    this.#tellGot ??= setTimeout(() => this.#tellGotNow(), gotLaterMs);
  }

  #tellGotNow(): void {
    this.#socket?.send(this.#session.gotFrame());
    this.#toldGot();
  }

  #toldGot(): void {
    clearTimeout(this.#tellGot);
    this.#tellGot = undefined;
    this.#untold = 0;
  }

  #expireLater(): void {
    this.#expiry = setTimeout(() => this.#end(), this.#timing.resumeMs);
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#toldGot();
    clearTimeout(this.#expiry);
    if (this.#socket) void closeSoon(this.#socket);
    const listeners = this.#onClose;
    this.#onClose = [];
    queueMicrotask(() => listeners.forEach((listener) => listener()));
  }
}

/** What it has still to say is sent; then it goes, also where the other end does not answer. */
async function closeSoon(socket: WebSocket): Promise<void> {
  socket.close();
  await delay(closeWithinMs, undefined, { ref: false });
  socket.terminate();
}

/** Ends a socket on which nothing comes any more, and keeps the other end sure that we are there. Ends with the socket. */
export function keepAlive(socket: WebSocket, { pingMs, silentMs }: WireTiming, now: () => number): void {
  let heardAt = now();
  const heard = (): void => void (heardAt = now());
  for (const event of ["message", "ping", "pong"] as const) socket.on(event, heard);
  const timer = setInterval(() => {
    if (now() - heardAt >= silentMs) socket.terminate();
    else socket.ping();
  }, pingMs);
  socket.on("close", () => clearInterval(timer));
}

/** A frame of a peer that passed authentication. */
export function textOf(data: RawData): string {
  if (Buffer.isBuffer(data)) return data.toString();
  return (Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data)).toString();
}
