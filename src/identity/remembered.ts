/**
 * What is asked of the catalog at every request, remembered for a moment: whatever ends there holds no longer anywhere within a second,
 * and here from the moment on that this memory is told to forget.
 */
import { assert } from "../stdx/assert.ts";

/** What is known is asked for anew after so long. */
export const knownForMs = 1000;
/** Remembered at once, some 300 bytes each; beyond it the one remembered first is asked for again. */
const knownMax = 10_000;

interface Known<Found> {
  readonly found: Promise<Found | undefined>;
  readonly until: number;
  /** Once it is there. */
  value?: Found;
}

export class Remembered<Found> {
  readonly #now: () => number;
  readonly #ask: (key: string) => Promise<Found | undefined>;
  readonly #known = new Map<string, Known<Found>>();

  /** `now`: of a clock that nobody sets. */
  constructor(now: () => number, ask: (key: string) => Promise<Found | undefined>) {
    this.#now = now;
    this.#ask = ask;
  }

  /** Undefined where there is none, which is not remembered. Rejects where it cannot be asked for. */
  find(key: string): Promise<Found | undefined> {
    const now = this.#now();
    const known = this.#known.get(key);
    if (known && now < known.until) return known.found;
    const asked: Known<Found> = { found: this.#find(key, (value) => (asked.value = value)), until: now + knownForMs };
    this.#remember(key, asked);
    return asked.found;
  }

  /** Without asking: undefined where it is not remembered, or not there yet. */
  at(key: string): Found | undefined {
    const known = this.#known.get(key);
    return known !== undefined && this.#now() < known.until ? known.value : undefined;
  }

  forget(): void {
    this.#known.clear();
  }

  async #find(key: string, onFound: (found: Found) => void): Promise<Found | undefined> {
    try {
      const found = await this.#ask(key);
      if (found) onFound(found);
      else this.#known.delete(key);
      return found;
    } catch (error) {
      this.#known.delete(key);
      throw error;
    }
  }

  #remember(key: string, known: Known<Found>): void {
    this.#known.delete(key);
    this.#known.set(key, known);
    if (this.#known.size <= knownMax) return;
    const [oldest] = this.#known.keys();
    assert(oldest !== undefined, "a full map has a first key");
    this.#known.delete(oldest);
  }
}
