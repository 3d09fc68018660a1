/**
 * Values that mostly come in their order. Those that do stand in a list, and cost the same however many there are; the others stand in
 * a heap, and cost O(log) of how many those are.
 */
import { Heap } from "./heap.ts";
import type { Held } from "./heap.ts";

/** One value's place among the others; {@link Ordered} alone changes it. */
export interface Place<T> {
  readonly value: T;
  /** In the list: those that come sooner and later. */
  before: Place<T> | null;
  behind: Place<T> | null;
  /** In the heap; null in the list. */
  held: Held<Place<T>> | null;
}

export class Ordered<T> {
  readonly #isBefore: (a: T, b: T) => boolean;
  readonly #heap: Heap<Place<T>>;
  #first: Place<T> | null = null;
  #last: Place<T> | null = null;

  /** `isBefore` is a strict order; of two values that it does not order either may come first. */
  constructor(isBefore: (a: T, b: T) => boolean) {
    this.#isBefore = isBefore;
    this.#heap = new Heap((a, b) => isBefore(a.value, b.value));
  }

  get first(): T | undefined {
    const listed = this.#first?.value;
    const other = this.#heap.first?.value;
    if (listed === undefined || other === undefined) return listed ?? other;
    return this.#isBefore(other, listed) ? other : listed;
  }

  add(value: T): Place<T> {
    const place: Place<T> = { value, before: null, behind: null, held: null };
    this.#enter(place);
    return place;
  }

  /** Takes out what {@link add} gave. */
  remove(place: Place<T>): void {
    const { before, behind, held } = place;
    if (held !== null) return this.#heap.remove(held);
    if (before === null) this.#first = behind;
    else before.behind = behind;
    if (behind === null) this.#last = before;
    else behind.before = before;
  }

  /** To be told when the order of a value among the others has changed. */
  moved(place: Place<T>): void {
    this.remove(place);
    this.#enter(place);
  }

  /** All values, first to last; each costs O(log) of those seen so far at most. Nothing may change meanwhile. */
  *inOrder(): Generator<T, undefined> {
    let listed = this.#first;
    for (const { value } of this.#heap.inOrder()) {
      for (; listed !== null && !this.#isBefore(value, listed.value); listed = listed.behind) yield listed.value;
      yield value;
    }
    for (; listed !== null; listed = listed.behind) yield listed.value;
  }

  #enter(place: Place<T>): void {
    const last = this.#last;
    place.held = null;
    if (last !== null && this.#isBefore(place.value, last.value)) {
      place.held = this.#heap.add(place);
      return;
    }
    place.before = last;
    place.behind = null;
    if (last === null) this.#first = place;
    else last.behind = place;
    this.#last = place;
  }
}
