/** Tickets that are good once and for a moment: kept in memory, since each takes a browser from one address to another. */
import { base32 } from "../stdx/ids.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import type { Clock } from "../stdx/time.ts";
import { seconds } from "../stdx/time.ts";

const lastsMs = seconds(60);
/** Of all browsers at once; beyond it the oldest ends, and its browser begins anew. */
const ticketsMax = 10_000;
/** 160 random bits. */
const randomBytes = 20;

export class OneTime<Ticket extends object> {
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  readonly #tickets = new Map<string, { readonly ticket: Ticket; readonly until: number }>();

  constructor({ clock, random }: { readonly clock: Clock; readonly random: RandomBytes }) {
    this.#clock = clock;
    this.#random = random;
  }

  /** A text that nobody guesses. */
  newName(): string {
    return base32(this.#random(randomBytes));
  }

  give(ticket: Ticket): string {
    const now = this.#clock.monotonic();
    for (const [name, { until }] of this.#tickets) {
      if (now < until && this.#tickets.size < ticketsMax) break;
      this.#tickets.delete(name);
    }
    const name = this.newName();
    this.#tickets.set(name, { ticket, until: now + lastsMs });
    return name;
  }

  /** Whoever shows it has used it up, right or wrong. */
  take(name: string): Ticket | undefined {
    const found = this.#tickets.get(name);
    this.#tickets.delete(name);
    return found !== undefined && this.#clock.monotonic() < found.until ? found.ticket : undefined;
  }
}
