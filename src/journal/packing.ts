/**
 * Records on their way to whoever writes them: encoded once, then one text of all of them, which crosses to another thread for the price
 * of one copy.
 *
 * Before each record 32 characters are left free: where the text has become bytes the writer puts the previous hash there, so that
 * hash(n) is taken over neighbouring bytes and nothing is joined (L26).
 */
export const hashBytes = 32;
const free = "\0".repeat(hashBytes);

interface Packed {
  /** Index of the first record; the others follow without a hole. */
  readonly first: number;
  readonly ats: readonly number[];
  /** The works of all records, one after another: a flat list crosses to another thread for a fraction of a nested one's price. */
  readonly works: readonly string[];
  /** For each of the works, the index of its record. */
  readonly workIndexes: readonly number[];
}

export interface TextPack extends Packed {
  readonly text: string;
  /** Length of each record's text, without the free space before it. */
  readonly lengths: readonly number[];
}

export interface Pack extends Packed {
  readonly bytes: Uint8Array;
  /** Length of each record's bytes, without the free space before them. */
  readonly lengths: readonly number[];
}

/** Collects records until it is sealed. */
export class Packer {
  readonly first: number;
  /** Begins with nothing, so that there is free space before the first record too. */
  readonly #texts: string[] = [""];
  readonly #lengths: number[] = [];
  readonly #ats: number[] = [];
  readonly #works: string[] = [];
  readonly #workIndexes: number[] = [];
  #length = 0;

  constructor(first: number) {
    this.first = first;
  }

  get count(): number {
    return this.#lengths.length;
  }

  /** Characters of the records' texts. */
  get length(): number {
    return this.#length;
  }

  add(text: string, at: number, works: readonly string[]): void {
    for (const work of works) {
      this.#works.push(work);
      this.#workIndexes.push(this.first + this.#lengths.length);
    }
    this.#texts.push(text);
    this.#lengths.push(text.length);
    this.#ats.push(at);
    this.#length += text.length;
  }

  /** What was collected. */
  seal(): TextPack {
    const works = { works: this.#works, workIndexes: this.#workIndexes };
    return { first: this.first, text: this.#texts.join(free), lengths: this.#lengths, ats: this.#ats, ...works };
  }
}

/** The same in UTF-8. */
export function inBytes({ text, lengths, ...packed }: TextPack): Pack {
  const bytes = Buffer.from(text);
  if (bytes.length === text.length) return { ...packed, bytes, lengths }; // nearly always: a byte each
  let from = 0;
  const byteLengths = lengths.map((length) => {
    from += hashBytes + length;
    return Buffer.byteLength(text.slice(from - length, from));
  });
  return { ...packed, bytes, lengths: byteLengths };
}

/** Bytes of the records themselves. */
export function recordBytes({ bytes, lengths }: Pack): number {
  return bytes.length - lengths.length * hashBytes;
}
