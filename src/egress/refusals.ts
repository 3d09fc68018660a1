/**
 * Refusals that repeat: the first of a minute is a work of its own, the others are counted, and the next first one says how many.
 * A sandbox that is refused in ever other ways (a port scan, say) has so many of its own a minute; one more stands for the rest.
 */
import type { Clock } from "../stdx/time.ts";

/** An app that retries in a loop would fill the record with the same sentence. */
const sameWithinMs = 60_000;
/** Refusals of one sandbox that are told one by one in a minute: more than a person reads, few enough to be kept. */
const toldMax = 60;
/** Kinds of one sandbox whose counts are remembered; the oldest is forgotten. */
const kindsMax = 600;

interface Seen {
  readonly connection: string;
  readonly since: number;
  again: number;
}

interface OfCaller {
  readonly kinds: Map<string, Seen>;
  others: Seen | undefined;
  minuteSince: number;
  told: number;
}

export interface Counted {
  /** The connection that stands for this one; null: this one is told by itself. */
  readonly standsFor: string | null;
  /** How many the last one that was told stood for. */
  readonly before: number;
  /** It stands for all further kinds of this minute. */
  readonly others: boolean;
}

export class Refusals {
  readonly #clock: Clock;
  readonly #callers = new Map<string, OfCaller>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `kind` says which refusals are the same. */
  count(caller: string, kind: string, connection: string): Counted {
    const now = this.#clock.monotonic();
    const own = this.#of(caller, now);
    const seen = own.kinds.get(kind);
    if (seen && isFresh(seen, now)) return repeated(seen);
    if (own.told >= toldMax) return this.#other(own, connection, now);
    own.told += 1;
    own.kinds.delete(kind);
    const oldest = own.kinds.keys().next().value;
    if (own.kinds.size >= kindsMax && oldest !== undefined) own.kinds.delete(oldest);
    own.kinds.set(kind, { connection, since: now, again: 0 });
    return { standsFor: null, before: seen?.again ?? 0, others: false };
  }

  forget(caller: string): void {
    this.#callers.delete(caller);
  }

  #other(own: OfCaller, connection: string, now: number): Counted {
    if (own.others && isFresh(own.others, now)) return repeated(own.others);
    const before = own.others?.again ?? 0;
    own.others = { connection, since: now, again: 0 };
    return { standsFor: null, before, others: true };
  }

  #of(caller: string, now: number): OfCaller {
    const own = this.#callers.get(caller) ?? { kinds: new Map(), others: undefined, minuteSince: now, told: 0 };
    this.#callers.set(caller, own);
    if (now - own.minuteSince >= sameWithinMs) {
      own.minuteSince = now;
      own.told = 0;
    }
    return own;
  }
}

function isFresh({ since }: Seen, now: number): boolean {
  return now - since < sameWithinMs;
}

function repeated(seen: Seen): Counted {
  seen.again += 1;
  return { standsFor: seen.connection, before: 0, others: false };
}
