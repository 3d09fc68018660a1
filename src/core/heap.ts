/** A binary heap whose entries can leave it or move within it, each in O(log n). */

/** One value's place in its heap; the heap alone changes it. */
export interface Held<T> {
  readonly value: T;
  at: number;
}

export class Heap<T> {
  readonly #held: Held<T>[] = [];
  readonly #isBefore: (a: T, b: T) => boolean;

  /** `isBefore` is a strict order; of two values that it does not order either may come first. */
  constructor(isBefore: (a: T, b: T) => boolean) {
    this.#isBefore = isBefore;
  }

  get size(): number {
    return this.#held.length;
  }

  get first(): T | undefined {
    return this.#held[0]?.value;
  }

  add(value: T): Held<T> {
    const held = { value, at: this.#held.length };
    this.#held.push(held);
    this.#up(held);
    return held;
  }

  /** Takes out what {@link add} gave. */
  remove(held: Held<T>): void {
    const last = this.#held.pop() as Held<T>;
    if (last === held) return;
    this.#put(last, held.at);
    this.moved(last);
  }

  /** To be told when the order of a value among the others has changed. */
  moved(held: Held<T>): void {
    this.#up(held);
    this.#down(held);
  }

  /** All values, first to last; each costs O(log) of those seen so far. The heap must not change meanwhile. */
  *inOrder(): Generator<T, undefined> {
    const [top] = this.#held;
    if (top === undefined) return;
    const next = new Heap<Held<T>>((a, b) => this.#isBefore(a.value, b.value));
    for (let seen: Held<T> | undefined = top; seen !== undefined; seen = next.take()) {
      yield seen.value;
      for (const at of [2 * seen.at + 1, 2 * seen.at + 2]) {
        const child = this.#held[at];
        if (child !== undefined) next.add(child);
      }
    }
  }

  /** Takes out the first value. */
  take(): T | undefined {
    const [top] = this.#held;
    if (top !== undefined) this.remove(top);
    return top?.value;
  }

  #up(held: Held<T>): void {
    while (held.at > 0) {
      const parent = this.#held[(held.at - 1) >> 1] as Held<T>;
      if (!this.#isBefore(held.value, parent.value)) return;
      this.#swap(held, parent);
    }
  }

  #down(held: Held<T>): void {
    for (;;) {
      const left = this.#held[2 * held.at + 1];
      if (left === undefined) return;
      const right = this.#held[2 * held.at + 2];
      const child = right !== undefined && this.#isBefore(right.value, left.value) ? right : left;
      if (!this.#isBefore(child.value, held.value)) return;
      this.#swap(child, held);
    }
  }

  #swap(a: Held<T>, b: Held<T>): void {
    const at = a.at;
    this.#put(a, b.at);
    this.#put(b, at);
  }

  #put(held: Held<T>, at: number): void {
    held.at = at;
    this.#held[at] = held;
  }
}
