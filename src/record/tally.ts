/** Adds up what retention drops, for the totals that stay. */
import type { EvidenceDatabase } from "./evidence-database.ts";

export type Dropped = "packed" | "entries" | "request-counts";

const dayMs = 24 * 3600 * 1000;

export class Tally {
  readonly #counts = new Map<string, { day: string; what: Dropped; space: string; count: number }>();

  add(what: Dropped, at: number, space: string, count = 1): void {
    if (count === 0) return;
    const key = `${Math.floor(at / dayMs)} ${what} ${space}`;
    const sum = this.#counts.get(key);
    if (sum) sum.count += count;
    else this.#counts.set(key, { day: new Date(at).toISOString().slice(0, 10), what, space, count });
  }

  write(store: EvidenceDatabase, now: number): void {
    const put = store.prepare(
      `INSERT INTO dropped VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (day, what, space) DO UPDATE SET count = count + excluded.count, through = excluded.through`,
    );
    for (const { day, what, space, count } of this.#counts.values()) put.run(day, what, space, count, now);
  }
}
