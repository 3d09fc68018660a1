/**
 * How far an emitter's clock is from the store's, by when its records come in: a record was written before it came, so that clock is
 * ahead by no less than the record's time less the time of its coming, and the freshest record of the last minutes says it best. Below
 * zero it is the most by which the clock can be behind: records of a node that was cut off come late by a right clock too. Shown, and
 * never used to put anything in order.
 */
import type { EmitterClock } from "../evidence/entry.ts";
import type { EvidenceDatabase } from "./evidence-database.ts";

/** The freshest record counts among those of so long: a clock that drifts or is set is known anew after twice that. */
const windowMs = 600_000;
/** Emitters that are remembered: more than the shims that are there at a time. */
const emittersKept = 10_000;

interface Known {
  readonly window: number;
  /** By how much the freshest record of the window was ahead, and of the window before it. */
  readonly aheadMs: number;
  readonly beforeMs: number | null;
}

export class EmitterClocks {
  readonly #store: EvidenceDatabase;
  readonly #known = new Map<string, Known>();

  constructor(store: EvidenceDatabase) {
    this.#store = store;
  }

  /** A batch came at `now` whose newest record was written at `at` by its emitter's clock. Within a transaction; writes only where that tells more. */
  came(emitter: string, at: number, now: number): void {
    const window = Math.floor(now / windowMs);
    const aheadMs = at - now;
    const known = this.#known.get(emitter) ?? this.#read(emitter);
    if (known?.window === window && known.aheadMs >= aheadMs) return;
    const beforeMs =
      known === undefined
        ? null
        : known.window === window
          ? known.beforeMs
          : known.window === window - 1
            ? known.aheadMs
            : null;
    const next = { window, aheadMs, beforeMs };
    if (this.#known.size >= emittersKept) this.#known.clear();
    this.#known.set(emitter, next);
    this.#store
      .prepare(
        `INSERT INTO emitter_clocks VALUES (?1, ?2, ?3, ?4) ON CONFLICT (emitter) DO UPDATE SET
           "window" = ?2, ahead_ms = ?3, before_ms = ?4`,
      )
      .run(emitter, window, aheadMs, beforeMs);
  }

  /** Null of an emitter of which nothing has come since clocks are looked at. */
  of(emitter: string): EmitterClock | null {
    const known = this.#known.get(emitter) ?? this.#read(emitter);
    if (known === undefined) return null;
    const measuredBefore = new Date((known.window + 1) * windowMs).toISOString();
    return { emitter, aheadMs: Math.max(known.aheadMs, known.beforeMs ?? known.aheadMs), measuredBefore };
  }

  /** After a transaction that was rolled back. */
  forget(): void {
    this.#known.clear();
  }

  /** Those that were measured last before then. Returns how many rows went. */
  drop(before: number): number {
    const gone = this.#store
      .prepare('DELETE FROM emitter_clocks WHERE "window" < ?')
      .run(Math.floor(before / windowMs)).changes;
    if (Number(gone) > 0) this.#known.clear();
    return Number(gone);
  }

  #read(emitter: string): Known | undefined {
    const row = this.#store
      .prepare('SELECT "window", ahead_ms, before_ms FROM emitter_clocks WHERE emitter = ?')
      .get(emitter);
    if (!row) return undefined;
    const before = row["before_ms"];
    return {
      window: Number(row["window"]),
      aheadMs: Number(row["ahead_ms"]),
      beforeMs: typeof before === "number" ? before : null,
    };
  }
}
