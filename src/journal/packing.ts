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
  /** The works of each record. */
  readonly works: readonly (readonly string[])[];
}

/** Small enough for one record of the usual size times a few; it doubles as it fills. */
const startBytes = 4096;

/** Collects records until it is sealed. */
export class Packer {
  readonly first: number;
  readonly #lengths: number[] = [];
  readonly #ats: number[] = [];
  readonly #works: (readonly string[])[] = [];
  #buffer = Buffer.from(new ArrayBuffer(startBytes));
  #used = 0;

  constructor(first: number) {
    this.first = first;
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
    // A UTF-16 unit takes at most three bytes of UTF-8.
    this.#reserve(hashBytes + text.length * 3);
    const length = this.#buffer.write(text, this.#used + hashBytes, "utf8");
    this.#used += hashBytes + length;
    this.#lengths.push(length);
    this.#ats.push(at);
    this.#works.push(works);
  }

  /** What was collected. The buffer is given away: the packer is spent. */
  seal(): Pack {
    const bytes = new Uint8Array(this.#buffer.buffer, 0, this.#used);
    return { first: this.first, bytes, lengths: this.#lengths, ats: this.#ats, works: this.#works };
  }

  #reserve(more: number): void {
    const needed = this.#used + more;
    if (needed <= this.#buffer.length) return;
    let size = this.#buffer.length * 2;
    while (size < needed) size *= 2;
    const wider = Buffer.from(new ArrayBuffer(size));
    this.#buffer.copy(wider, 0, 0, this.#used);
    this.#buffer = wider;
  }
}
