/** Refusals that repeat: the first of a minute is a work of its own, the others are counted, and the next first one says how many. */
import type { Clock } from "../stdx/time.ts";

/** An app that retries in a loop would fill the record with the same sentence. */
const sameWithinMs = 60_000;
const kindsMax = 10_000;

interface Seen {
  readonly connection: string;
  readonly since: number;
  again: number;
}

export class Refusals {
  readonly #clock: Clock;
  readonly #seen = new Map<string, Seen>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The connection that stands for this one, where there is one already; else how many an earlier one stood for. */
  count(caller: string, kind: string, connection: string): { readonly first: string | null; readonly before: number } {
    const key = `${caller} ${kind}`;
    const now = this.#clock.monotonic();
    const seen = this.#seen.get(key);
    if (seen && now - seen.since < sameWithinMs) {
      seen.again += 1;
      return { first: seen.connection, before: 0 };
    }
    this.#seen.delete(key);
    const oldest = this.#seen.keys().next().value;
    if (this.#seen.size >= kindsMax && oldest !== undefined) this.#seen.delete(oldest);
    this.#seen.set(key, { connection, since: now, again: 0 });
    return { first: null, before: seen?.again ?? 0 };
  }

  forget(caller: string): void {
    for (const key of this.#seen.keys()) if (key.startsWith(`${caller} `)) this.#seen.delete(key);
  }
}
