/**
 * One address of 100.64.0.0/10 for each name that a sandbox asked for: an address can only have come from our answer, and stands
 * for exactly one name. The range passes the guards that apps have against private addresses (Python's `is_private`, for one).
 */

/** Names that one sandbox may have asked for; the one that was used longest ago makes room. */
const namesMax = 4_096;
/** Addresses of the range, without its first and last. They come round again after all others were given out. */
const addresses = (1 << 22) - 2;
const firstAddress = (100 << 24) | (64 << 16) | 1;

export class SyntheticNames {
  readonly #byName = new Map<string, number>();
  readonly #byNumber = new Map<number, string>();
  readonly #max: number;
  #next = 0;

  constructor(max = namesMax) {
    this.#max = max;
  }

  /** The name's address; a fresh one is the one that was unused for longest. */
  addressOf(name: string): string {
    const known = this.#byName.get(name);
    if (known !== undefined) {
      this.#byName.delete(name);
      this.#byName.set(name, known);
      return text(known);
    }
    if (this.#byName.size >= this.#max) this.#forgetOldest();
    do this.#next = (this.#next + 1) % addresses;
    while (this.#byNumber.has(this.#next));
    const number = this.#next;
    this.#byName.set(name, number);
    this.#byNumber.set(number, name);
    return text(number);
  }

  nameOf(address: string): string | undefined {
    const parts = address.split(".").map(Number);
    if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part))) return undefined;
    const [a = 0, b = 0, c = 0, d = 0] = parts;
    const name = this.#byNumber.get(((a << 24) | (b << 16) | (c << 8) | d) - firstAddress);
    if (name !== undefined) this.addressOf(name);
    return name;
  }

  #forgetOldest(): void {
    const [name, number] = this.#byName.entries().next().value as [string, number];
    this.#byName.delete(name);
    this.#byNumber.delete(number);
  }
}

function text(number: number): string {
  const value = firstAddress + number;
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join(".");
}
