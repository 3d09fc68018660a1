/**
 * One address of 100.64.0.0/10 for each name that a sandbox asked for: an address can only have come from our answer, and stands
 * for exactly one name. The range passes the guards that apps have against private addresses (Python's `is_private`, for one).
 *
 * An address is not given out again before all others were: four million names later, far beyond what a resolver's 30 s may keep.
 * So one that a sandbox still holds is at worst forgotten, and refused; it never means another name.
 */

/** Names that one sandbox may have asked for; the one that was used longest ago makes room. */
const namesMax = 4_096;
/** 100.64.0.1 to 100.127.255.254, numbered from 1. */
const numbers = (1 << 22) - 2;
const base = (100 << 24) | (64 << 16);

export class SyntheticNames {
  readonly #byName = new Map<string, number>();
  readonly #byNumber = new Map<number, string>();
  readonly #max: number;
  #last = 0;

  constructor(max = namesMax) {
    this.#max = max;
  }

  /** The name's address, the same as long as the name is used. */
  addressOf(name: string): string {
    const known = this.#byName.get(name);
    if (known !== undefined) {
      this.#touch(name, known);
      return text(known);
    }
    if (this.#byName.size >= this.#max) this.#forgetOldest();
    do this.#last = (this.#last % numbers) + 1;
    while (this.#byNumber.has(this.#last));
    this.#byName.set(name, this.#last);
    this.#byNumber.set(this.#last, name);
    return text(this.#last);
  }

  /** The name that was answered with this address; undefined for any other text. */
  nameOf(address: string): string | undefined {
    const match = /^100\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(address);
    if (!match) return undefined;
    const [b = 0, c = 0, d = 0] = match.slice(1).map(Number);
    if (b < 64 || b > 127 || c > 255 || d > 255) return undefined;
    const number = ((b - 64) << 16) | (c << 8) | d;
    const name = this.#byNumber.get(number);
    if (name !== undefined) this.#touch(name, number);
    return name;
  }

  /** Last in the map's order is what was used last. */
  #touch(name: string, number: number): void {
    this.#byName.delete(name);
    this.#byName.set(name, number);
  }

  #forgetOldest(): void {
    const [name, number] = this.#byName.entries().next().value as [string, number];
    this.#byName.delete(name);
    this.#byNumber.delete(number);
  }
}

function text(number: number): string {
  const value = base | number;
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join(".");
}
