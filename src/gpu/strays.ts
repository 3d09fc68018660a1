/**
 * Which processes of a replica are where they may not be: on a card, and no lease of the replica's is there. A look and a lease's
 * begin or end may pass each other, so nobody is one that was not found at two looks some time apart.
 */
import type { OnCard } from "../contract/shim.ts";

/** Between the two looks: what was on its way between agent and shim at the first has come by then. */
const apartMs = 1_000;

export class Strays {
  /** When each was first found where it may not be, on a clock that never steps back. */
  #since = new Map<string, number>();

  /** Those of `seen` that are to be ended; each is named once. */
  after(seen: readonly OnCard[], mayUse: (process: OnCard) => boolean, now: number): readonly OnCard[] {
    const before = this.#since;
    this.#since = new Map();
    return seen.filter((one) => {
      if (mayUse(one)) return false;
      const key = `${one.pid}@${one.start} ${one.cards.join(" ")}`;
      const since = before.get(key) ?? now;
      if (now - since >= apartMs) return true;
      this.#since.set(key, since);
      return false;
    });
  }
}
