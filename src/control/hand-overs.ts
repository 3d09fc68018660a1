/** One-time tickets by which a session at the console is handed over to an app's address: kept in memory, since each lasts a moment. */
import { sameSecret, secretHash } from "../identity/secret-text.ts";
import { base32 } from "../stdx/ids.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import type { Clock } from "../stdx/time.ts";
import { seconds } from "../stdx/time.ts";

/** A redirect takes it from one address to the other. */
const lastsMs = seconds(60);
/** Of all browsers at once; beyond it the oldest ends, and its browser begins anew. */
const ticketsMax = 10_000;
/** 160 random bits. */
const randomBytes = 20;

interface Ticket {
  readonly session: string;
  /** The address that it is for. */
  readonly place: string;
  /** Of what the address's own cookie holds: whoever has the ticket alone has nothing. */
  readonly stateHash: string;
  readonly until: number;
}

export class HandOvers {
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  readonly #tickets = new Map<string, Ticket>();

  constructor({ clock, random }: { readonly clock: Clock; readonly random: RandomBytes }) {
    this.#clock = clock;
    this.#random = random;
  }

  /** What the address keeps in its cookie until the ticket comes. */
  newState(): string {
    return base32(this.#random(randomBytes));
  }

  give(ticket: Omit<Ticket, "until">): string {
    const now = this.#clock.monotonic();
    for (const [name, { until }] of this.#tickets) {
      if (now < until && this.#tickets.size < ticketsMax) break;
      this.#tickets.delete(name);
    }
    const name = base32(this.#random(randomBytes));
    this.#tickets.set(name, { ...ticket, until: now + lastsMs });
    return name;
  }

  /** The session, once, if it is handed over to that place and to the browser that asked for it. */
  take(name: string, { place, state }: { readonly place: string; readonly state: string }): string | undefined {
    const ticket = this.#tickets.get(name);
    // Whoever shows it has used it up, right or wrong.
    this.#tickets.delete(name);
    if (ticket === undefined || this.#clock.monotonic() >= ticket.until || ticket.place !== place) return undefined;
    return sameSecret(ticket.stateHash, secretHash(state)) ? ticket.session : undefined;
  }
}
