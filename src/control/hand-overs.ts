/** One-time tickets by which a session at the console is handed over to an app's address: in a window of its own, or in a frame of the console. */
import { sameSecret, secretHash } from "../identity/secret-text.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import type { Clock } from "../stdx/time.ts";
import { OneTime } from "./one-time.ts";

interface Ticket {
  readonly session: string;
  /** The address that it is for. */
  readonly place: string;
  /** Of what the address's own cookie holds: whoever has the ticket alone has nothing. */
  readonly stateHash: string;
}

interface FrameTicket {
  readonly session: string;
  readonly place: string;
  /** The origin of the console's page that has the frame. */
  readonly console: string;
}

export class HandOvers {
  readonly #windows: OneTime<Ticket>;
  readonly #frames: OneTime<FrameTicket>;

  constructor(parts: { readonly clock: Clock; readonly random: RandomBytes }) {
    this.#windows = new OneTime(parts);
    this.#frames = new OneTime(parts);
  }

  /** What the address keeps in its cookie until the ticket comes. */
  newState(): string {
    return this.#windows.newName();
  }

  give(ticket: Ticket): string {
    return this.#windows.give(ticket);
  }

  /** The session, once, if it is handed over to that place and to the browser that asked for it. */
  take(name: string, { place, state }: { readonly place: string; readonly state: string }): string | undefined {
    const ticket = this.#windows.take(name);
    return ticket?.place === place && sameSecret(ticket.stateHash, secretHash(state)) ? ticket.session : undefined;
  }

  giveFrame(ticket: FrameTicket): string {
    return this.#frames.give(ticket);
  }

  /** The session, once, if it is handed over to that place, in a frame of the page that asked for it. */
  takeFrame(name: string, { place, console }: Omit<FrameTicket, "session">): string | undefined {
    const ticket = this.#frames.take(name);
    return ticket?.place === place && ticket.console === console ? ticket.session : undefined;
  }
}
