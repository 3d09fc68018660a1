/** Where sessions are, as the workers of an edge have told: for one that begins. */
import type { SharedSession } from "../edge/index.ts";

/** Some 250 bytes each; beyond it the one that was told first is forgotten. */
const sessionsMax = 50_000;

export class PlacedSessions {
  readonly #kept = new Map<string, SharedSession>();

  keep(told: SharedSession): void {
    // No name of a Space has a space in it.
    const key = `${told.space} ${told.session}`;
    this.#kept.delete(key);
    this.#kept.set(key, told);
    if (this.#kept.size <= sessionsMax) return;
    const [first] = this.#kept.keys();
    if (first !== undefined) this.#kept.delete(first);
  }

  all(): readonly SharedSession[] {
    return [...this.#kept.values()];
  }
}
