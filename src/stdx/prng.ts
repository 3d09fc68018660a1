/** A small seeded generator for tests, the simulator and anything else that must repeat exactly. Not for secrets. */

export interface Prng {
  /** A whole number in `[0, below)`. */
  int(below: number): number;
  /** True with the given chance, 0 to 1. */
  chance(probability: number): boolean;
  /** One of the items; the list must not be empty. */
  pick<T>(items: readonly T[]): T;
  /** `count` pseudo-random bytes. */
  bytes(count: number): Uint8Array;
}

/** xoshiro128** seeded by splitmix32: the same seed gives the same sequence on every machine. */
export function prng(seed: number): Prng {
  let mix = seed >>> 0;
  const split = (): number => {
    mix = (mix + 0x9e3779b9) >>> 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
  let a = split();
  let b = split();
  let c = split();
  let d = split();
  const rotate = (x: number, k: number): number => ((x << k) | (x >>> (32 - k))) >>> 0;
  const next = (): number => {
    const result = Math.imul(rotate(Math.imul(b, 5) >>> 0, 7), 9) >>> 0;
    const t = (b << 9) >>> 0;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c = (c ^ t) >>> 0;
    d = rotate(d >>> 0, 11);
    a >>>= 0;
    b >>>= 0;
    return result;
  };
  const self: Prng = {
    int: (below) => Math.floor((next() / 4294967296) * below),
    chance: (probability) => next() / 4294967296 < probability,
    pick: <T>(items: readonly T[]): T => items[self.int(items.length)] as T,
    bytes: (count) => {
      const bytes = new Uint8Array(count);
      for (let i = 0; i < count; i++) bytes[i] = next() & 255;
      return bytes;
    },
  };
  return self;
}
