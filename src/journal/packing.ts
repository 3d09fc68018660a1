/**
 * Records on their way to the writing thread: encoded once, packed into one buffer that changes hands without a copy.
 *
 * Before each record's bytes 32 are left free: there the writer puts the previous hash, so that hash(n) is taken over
 * neighbouring bytes and nothing is joined (L26).
 */
export const hashBytes = 32;

export interface Pack {
  /** Index of the first record; the others follow without a hole. */
  readonly first: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Length of each record's bytes, without the free space before them. */
  readonly lengths: readonly number[];
  readonly ats: readonly number[];
  /** The works of all records, one after another: a flat list crosses to another thread for a fraction of a nested one's price. */
  readonly works: readonly string[];
  /** For each of the works, the index of its record. */
  readonly workIndexes: readonly number[];
}

/** Small enough for one record of the usual size times a few; it doubles as it fills. */
const startBytesDefault = 4096;

/** Collects records until it is sealed. `startBytes`: what it has room for before it has to grow. */
export class Packer {
  readonly first: number;
  readonly #lengths: number[] = [];
  readonly #ats: number[] = [];
  readonly #works: string[] = [];
  readonly #workIndexes: number[] = [];
  #buffer: Buffer<ArrayBuffer>;
  #used = 0;

  constructor(first: number, startBytes = startBytesDefault) {
    this.first = first;
    this.#buffer = Buffer.from(new ArrayBuffer(startBytes));
  }

  get count(): number {
    return this.#lengths.length;
  }

  get bytes(): number {
    return this.#used;
  }

  /** Bytes of the records themselves. */
  get textBytes(): number {
    return this.#used - this.#lengths.length * hashBytes;
  }

  add(text: string, at: number, works: readonly string[]): void {
    this.#reserve(hashBytes, text);
    const length = this.#buffer.write(text, this.#used + hashBytes, "utf8");
    this.#used += hashBytes + length;
    for (const work of works) {
      this.#works.push(work);
      this.#workIndexes.push(this.first + this.#lengths.length);
    }
    this.#lengths.push(length);
    this.#ats.push(at);
  }

  /** What was collected. The buffer is given away: the packer is spent. */
  seal(): Pack {
    const bytes = new Uint8Array(this.#buffer.buffer, 0, this.#used);
    const works = { works: this.#works, workIndexes: this.#workIndexes };
    return { first: this.first, bytes, lengths: this.#lengths, ats: this.#ats, ...works };
  }

  #reserve(before: number, text: string): void {
    // A UTF-16 unit takes at most three bytes of UTF-8; seldom does it matter how many exactly.
    if (this.#used + before + text.length * 3 <= this.#buffer.length) return;
    const needed = this.#used + before + Buffer.byteLength(text);
    if (needed <= this.#buffer.length) return;
    let size = this.#buffer.length * 2;
    while (size < needed) size *= 2;
    const wider = Buffer.from(new ArrayBuffer(size));
    this.#buffer.copy(wider, 0, 0, this.#used);
    this.#buffer = wider;
  }
}
