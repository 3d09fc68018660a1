/**
 * A map and a set for what a decision changes: nearly always nothing, or one thing. Each command makes a dozen of them, so one entry
 * takes no table of its own. Entries are added and replaced, and come in the order in which they were added.
 */

export class FewMap<K, V> implements Iterable<[K, V]> {
  #key: K | undefined;
  #value: V | undefined;
  #size = 0;
  /** All but the first. */
  #others: Map<K, V> | undefined;

  get size(): number {
    return this.#size;
  }

  get(key: K): V | undefined {
    if (this.#size === 0) return undefined;
    return this.#key === key ? this.#value : this.#others?.get(key);
  }

  has(key: K): boolean {
    return this.#size > 0 && (this.#key === key || this.#others?.has(key) === true);
  }

  set(key: K, value: V): void {
    if (this.#size === 0 || this.#key === key) {
      this.#key = key;
      this.#value = value;
      this.#size ||= 1;
    } else {
      this.#others ??= new Map();
      this.#others.set(key, value);
      this.#size = 1 + this.#others.size;
    }
  }

  keys(): readonly K[] {
    if (this.#size === 0) return [];
    return this.#others ? [this.#key as K, ...this.#others.keys()] : [this.#key as K];
  }

  values(): readonly V[] {
    if (this.#size === 0) return [];
    return this.#others ? [this.#value as V, ...this.#others.values()] : [this.#value as V];
  }

  [Symbol.iterator](): Iterator<[K, V]> {
    const entries: [K, V][] = this.#size === 0 ? [] : [[this.#key as K, this.#value as V]];
    return (this.#others ? [...entries, ...this.#others] : entries).values();
  }
}

export class FewSet<K> implements Iterable<K> {
  readonly #entries = new FewMap<K, undefined>();

  get size(): number {
    return this.#entries.size;
  }

  has(key: K): boolean {
    return this.#entries.has(key);
  }

  add(key: K): void {
    this.#entries.set(key, undefined);
  }

  [Symbol.iterator](): Iterator<K> {
    return this.#entries.keys().values();
  }
}
