/**
 * Memory that sockets read into, over and over. Node makes 64 kB anew for each read, however little comes: of an answer of a megabyte
 * most of the processor's time was the collector's. Here all sockets share one piece, out of which what came is copied; one on which much
 * comes has a piece of its own for as long, of which nothing is copied.
 */
import type { OnReadOpts } from "node:net";

export interface SocketMemoryOptions {
  /** Of a piece of one socket's own. */
  readonly ownBytes: number;
}

/** What libuv asks for at most in one read of a socket whose memory Node makes. */
const sharedBytes = 65_536;
/** From so many in one read on, more is taken to follow. */
const muchBytes = 32_768;
/** Pieces that nobody uses are kept, up to so many: as many sockets as are read at full speed at a time. */
const freeMax = 8;

export class SocketMemory {
  readonly #ownBytes: number;
  readonly #shared = Buffer.allocUnsafeSlow(sharedBytes);
  readonly #free: Buffer[] = [];

  constructor({ ownBytes }: SocketMemoryOptions = { ownBytes: sharedBytes }) {
    this.#ownBytes = ownBytes;
  }

  /**
   * The `onread` of a socket that is made: there is no `data` event then, all else is as ever. `take` gets what came; it is true where
   * nothing looks at these bytes any more when it returns, neither who took them nor a socket that they were written to.
   */
  reader(take: (bytes: Buffer) => boolean): OnReadOpts {
    let own: Buffer | undefined;
    const read = (count: number): void => {
      const isMuch = count >= muchBytes;
      if (own === undefined) {
        const copy = Buffer.allocUnsafe(count);
        this.#shared.copy(copy, 0, 0, count);
        // One whose bytes are kept waits for somebody slow: it gets no memory for that.
        if (take(copy) && isMuch) own = this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#ownBytes);
        return;
      }
      const piece = own;
      own = undefined;
      if (!take(piece.subarray(0, count))) return;
      if (isMuch) own = piece;
      else if (this.#free.length < freeMax) this.#free.push(piece);
    };
    return {
      buffer: () => own ?? this.#shared,
      callback: (count) => {
        read(count);
        return true;
      },
    };
  }
}
