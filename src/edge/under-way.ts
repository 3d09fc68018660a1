/**
 * The requests under way. A list in which each knows its place, since a Set that much is added to and taken from is moved again and again,
 * and each of its former tables keeps what was in it then, and the table after it, until the old generation is collected.
 */

/** A request under way, as the edge's timer and its closing see it. */
export interface Carried {
  /** Its place among those under way; the list's own. */
  place: number;
  sweep(now: number): void;
  breakOff(): void;
}

/** Of one that is not under way. */
export const nowhere = -1;

export class UnderWay {
  readonly #all: Carried[] = [];

  get size(): number {
    return this.#all.length;
  }

  add(carried: Carried): void {
    carried.place = this.#all.push(carried) - 1;
  }

  /** The last one takes its place. */
  delete(carried: Carried): void {
    const { place } = carried;
    if (place === nowhere) return;
    carried.place = nowhere;
    const last = this.#all.pop();
    if (last === undefined || last === carried) return;
    this.#all[place] = last;
    last.place = place;
  }

  /** As they are now: what they are told may end them. */
  [Symbol.iterator](): Iterator<Carried> {
    return [...this.#all].values();
  }
}
