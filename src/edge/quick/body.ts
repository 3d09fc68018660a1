/** A body with a length, from the visitor's socket to whoever carries its request: what node:http's request is for them, of bytes that are counted and not parsed. */
import type { Socket } from "node:net";

import { KeptPieces } from "../../http/kept-pieces.ts";
import type { SocketMemory } from "../../http/socket-memory.ts";

/**
 * Of `data` it says true where nothing looks at those bytes any more when it returns, and false where nothing will from when it says so of
 * later ones, or lets the body go on after it paused it. Whatever else it says, they are kept.
 */
export type BodyListener = (bytes: Buffer) => unknown;

/** Held while nobody takes it, and the visitor waits from then on: what a stream of Node's holds, too. */
const heldMaxBytes = 65_536;

export class QuickBody {
  /** Bytes that have not come yet. */
  left: number;
  /** When its request began. */
  readonly since: number;
  readonly #socket: Socket;
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** It is taken as it comes; undefined before anybody has said so, or the contrary. */
  #flows: boolean | undefined;
  /** The visitor's socket waits for this body. */
  #waits = false;
  #isFlushing = false;
  #hasEnded = false;
  /** Of what is dropped, how much more may come; undefined while somebody takes it. */
  #mayDrop: number | undefined;
  readonly #memory: Pick<SocketMemory, "release">;
  readonly #kept: KeptPieces;
  #onData: BodyListener[] = [];
  #onEnd: BodyListener[] = [];

  /** `memory`: gets back, in its own time, what {@link take} was false for. */
  constructor(
    socket: Socket,
    {
      length,
      since,
      memory,
    }: { readonly length: number; readonly since: number; readonly memory: Pick<SocketMemory, "release"> },
  ) {
    this.#socket = socket;
    this.left = length;
    this.since = since;
    this.#memory = memory;
    this.#kept = new KeptPieces(memory);
  }

  /** The next bytes of it, at most as many as are left. True where nobody looks at them any more. */
  take(bytes: Buffer): boolean {
    this.left -= bytes.length;
    if (this.#mayDrop !== undefined) {
      this.#mayDrop -= bytes.length;
      if (this.#mayDrop < 0) this.#socket.destroy();
      return true;
    }
    if (this.#flows !== true || this.#held.length > 0) {
      this.#hold(bytes);
      return false;
    }
    const isThrough = this.#tell(bytes);
    this.#endIfWhole();
    return isThrough;
  }

  /** It has been answered: what is still to come of it is nobody's, and is read up to a bound so that its visitor gets to read the answer. */
  drop(maxBytes: number): void {
    this.#mayDrop = maxBytes;
    this.#held = [];
    this.#kept.forget();
    this.#onData = this.#onEnd = [];
    this.#goOn();
  }

  on(event: string, listener: BodyListener): void {
    if (event === "data") this.#onData.push(listener);
    else if (event === "end") this.#onEnd.push(listener);
    // An error is the socket's, which its connection hears; the answer's close follows.
    if (event === "data" && this.#flows !== false) this.resume();
  }

  off(event: string, listener: BodyListener): void {
    if (event === "data") this.#onData = this.#onData.filter((one) => one !== listener);
    else if (event === "end") this.#onEnd = this.#onEnd.filter((one) => one !== listener);
  }

  removeAllListeners(event: string): void {
    if (event === "data") this.#onData = [];
    else if (event === "end") this.#onEnd = [];
  }

  pause(): void {
    this.#flows = false;
    if (this.#mayDrop === undefined) this.#wait();
  }

  resume(): void {
    this.#flows = true;
    this.#kept.release();
    this.#goOn();
    if (this.#isFlushing || (this.#held.length === 0 && this.left > 0)) return;
    this.#isFlushing = true;
    process.nextTick(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushing = false;
    while (this.#flows === true && this.#held.length > 0) {
      const bytes = this.#held.shift() as Buffer;
      this.#heldBytes -= bytes.length;
      if (this.#tell(bytes)) this.#memory.release(bytes);
    }
    this.#endIfWhole();
  }

  #tell(bytes: Buffer): boolean {
    const said = this.#onData.map((listener) => listener(bytes));
    const isThrough = said.every((one) => one === true);
    if (isThrough) this.#kept.release();
    else if (said.every((one) => typeof one === "boolean")) this.#kept.keep(bytes);
    return isThrough;
  }

  #endIfWhole(): void {
    if (this.left > 0 || this.#held.length > 0 || this.#flows !== true || this.#hasEnded) return;
    this.#hasEnded = true;
    for (const listener of this.#onEnd) listener(nothing);
  }

  #hold(bytes: Buffer): void {
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes >= heldMaxBytes) this.#wait();
  }

  #wait(): void {
    // Behind the last of it others wait for their turn.
    if (this.left === 0 || this.#waits) return;
    this.#waits = true;
    this.#socket.pause();
  }

  #goOn(): void {
    if (!this.#waits) return;
    this.#waits = false;
    this.#socket.resume();
  }
}

const nothing = Buffer.alloc(0);
