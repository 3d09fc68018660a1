/**
 * Cuts a file into chunks where its content says, as the Xet protocol's writers do, so that equal parts of two files are equal chunks. For
 * what did not come by Xet; of what did, the hashes are checked and never where it was cut.
 */
import { gearHigh, gearLow } from "./gear.ts";

export const chunkMinBytes = 8 << 10;
export const chunkMaxBytes = 128 << 10;
/** The rolling hash sees the last 64 bytes: earlier ones of a chunk need not be looked at, as no cut may come before the least length. */
const passedOver = chunkMinBytes - 65;
/** A cut is where these bits of the hash's upper half are all 0: 64 KiB on average. */
const mask = 0xffff0000 | 0;

export class Chunker {
  #length = 0;
  #high = 0;
  #low = 0;

  /**
   * Bytes of `piece` from `from` on that belong to the open chunk, and whether it ends with them. Asked again from there on until the piece
   * is used up; the file's end is a cut too.
   */
  next(piece: Uint8Array, from: number): { readonly end: number; readonly cut: boolean } {
    const last = Math.min(piece.length, from + chunkMaxBytes - this.#length);
    let at = from + Math.max(0, passedOver - this.#length);
    if (at >= last) return this.#upTo(from, last);
    let high = this.#high;
    let low = this.#low;
    const [upper, lower] = [gearHigh, gearLow];
    const mayCut = from + chunkMinBytes - this.#length;
    while (at < last) {
      const byte = piece[at] as number;
      at += 1;
      const added = lower[byte] as number;
      high = ((high << 1) | (low >>> 31)) + (upper[byte] as number);
      low = ((low << 1) + added) | 0;
      // Smaller than what was added: the lower half has gone round once.
      high = (high + (low >>> 0 < added >>> 0 ? 1 : 0)) | 0;
      if ((high & mask) === 0 && at >= mayCut) {
        this.#reset();
        return { end: at, cut: true };
      }
    }
    [this.#high, this.#low] = [high, low];
    return this.#upTo(from, last);
  }

  #upTo(from: number, end: number): { readonly end: number; readonly cut: boolean } {
    this.#length += end - from;
    const cut = this.#length === chunkMaxBytes;
    if (cut) this.#reset();
    return { end, cut };
  }

  #reset(): void {
    [this.#length, this.#high, this.#low] = [0, 0, 0];
  }
}
