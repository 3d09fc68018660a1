/**
 * Memory that sockets read into, over and over. Node makes 64 kB anew for each read, however little comes: up to a half of what an answer
 * of a megabyte took of the processor was the collector's. Here all sockets share one piece, out of which what came is copied; one on
 * which much comes has a piece of its own for as long, of which nothing is copied.
 */
import { Socket } from "node:net";
import type { OnReadOpts } from "node:net";

/** Of a piece: what libuv asks for at most in one read of a socket whose memory Node makes. */
const pieceBytes = 65_536;
/** From so many in one read on, more is taken to follow. */
const muchBytes = 32_768;
/** Pieces that nobody uses are kept, up to so many: as many sockets as are read at full speed at a time. */
const freeMax = 8;

/**
 * What becomes of bytes for which `take` was false. `in order`: they went one way, so that true for later ones says the same of them;
 * `for now`: whoever has them gives them back by `release`; `for good`: they are the collector's.
 */
export type Kept = "in order" | "for now" | "for good";

export class SocketMemory {
  readonly #shared = Buffer.allocUnsafeSlow(pieceBytes);
  readonly #free: Buffer[] = [];
  /** Whose memory is a piece of this. */
  readonly #pieces = new WeakSet<ArrayBufferLike>();
  readonly #places = onreadPlaces();

  /**
   * The `onread` of a socket that is made: there is no `data` event then, all else is as ever. `take` gets what came; it is true where
   * nothing looks at these bytes any more when it returns, neither who took them nor a socket that they were written to.
   */
  reader(take: (bytes: Buffer) => boolean, kept: Kept = "for good"): OnReadOpts {
    let own: Buffer | undefined;
    const lent: Buffer[] = [];
    const read = (count: number): void => {
      const isMuch = count >= muchBytes;
      const isOwn = own !== undefined;
      // One whose bytes are kept for good waits for somebody slow: it gets no memory for that.
      let piece = own ?? (isMuch && kept !== "for good" ? this.#piece() : undefined);
      own = undefined;
      const bytes = piece?.subarray(0, count) ?? Buffer.allocUnsafe(count);
      if (!isOwn) this.#shared.copy(bytes, 0, 0, count);
      if (!take(bytes)) {
        if (piece !== undefined && kept === "in order") lent.push(piece);
        return;
      }
      for (let one = lent.pop(); one !== undefined; one = lent.pop()) this.#put(one);
      if (isMuch) piece ??= this.#piece();
      if (isMuch) own = piece;
      else if (piece !== undefined) this.#put(piece);
    };
    return {
      buffer: () => own ?? this.#shared,
      callback: (count) => {
        read(count);
        return true;
      },
    };
  }

  /** Nothing looks any more at these bytes, which were kept, nor at any others that were read with them: their memory is the next one's. */
  release({ buffer }: Buffer): void {
    if (this.#pieces.has(buffer)) this.#put(Buffer.from(buffer));
  }

  #put(piece: Buffer): void {
    if (this.#free.length < freeMax) this.#free.push(piece);
  }

  #piece(): Buffer {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const made = Buffer.allocUnsafeSlow(pieceBytes);
    this.#pieces.add(made.buffer);
    return made;
  }

  /**
   * The same for a socket that a server accepted, from now on. Node's servers take no `onread`, so what a socket does with one when it is
   * made is done here. False, and `data` events come as ever, where it is no plain socket, where something waits to be read already, or
   * where this Node keeps these things elsewhere.
   */
  adopt(socket: Socket, take: (bytes: Buffer) => boolean, kept?: Kept): boolean {
    const handle = (socket as Partial<WithHandle>)._handle;
    if (this.#places === undefined || Object.getPrototypeOf(socket) !== Socket.prototype) return false;
    if (typeof handle?.useUserBuffer !== "function" || socket.readableLength > 0 || socket.readableEnded) return false;
    const { buffer, callback } = this.reader(take, kept);
    const [ofMemory, ofCallback, ofNext] = this.#places;
    Object.assign(socket, { [ofMemory]: this.#shared, [ofCallback]: callback, [ofNext]: buffer });
    handle.useUserBuffer(this.#shared);
    // The stream takes itself to be reading from now on, as that of a socket which connects does: else it would begin to by itself, paused
    // or not. And one that was paused before went on, into a buffer of the stream's.
    socket.read(0);
    if (socket.isPaused()) socket.pause();
    return true;
  }

  /** What comes on an adopted one are `data` events from now on, for node:http too. */
  giveBack(socket: Socket): void {
    const handle = (socket as Partial<WithHandle>)._handle;
    if (this.#places === undefined || handle === null || handle === undefined) return;
    const [, ofCallback, ofNext] = this.#places;
    const callback = (count: number, memory: Uint8Array): boolean =>
      socket.push(Buffer.from(memory.subarray(0, count)));
    Object.assign(socket, { [ofCallback]: callback, [ofNext]: () => this.#shared });
    // So node:http takes these events. Else its parser would read the handle itself, and pass an error on to whoever reads into memory:
    // Node aborts then.
    handle._consumed = true;
  }
}

interface WithHandle {
  readonly _handle: { readonly useUserBuffer?: (memory: Uint8Array) => void; _consumed?: boolean } | null;
}

/** Where a socket keeps memory, `callback` and `buffer` of its `onread`; undefined where this Node has no such places. */
function onreadPlaces(): readonly [symbol, symbol, symbol] | undefined {
  const own = Object.getOwnPropertySymbols(new Socket());
  const [memory, callback, next] = ["kBuffer", "kBufferCb", "kBufferGen"].map((name) =>
    own.find(({ description }) => description === name),
  );
  return memory && callback && next && [memory, callback, next];
}
