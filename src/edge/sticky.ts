/**
 * Which replica of a Space a request goes to. A session of Gradio's lives in one replica's memory, and so may what an app keeps for a
 * visitor: both come back to where they were, as long as that replica is there. All else goes to the least busy one.
 */
import type { Replica } from "./ports.ts";
import type { SharedSession } from "./shared.ts";

/** What a request says of where it belongs. */
export interface Keys {
  /** Gradio's `session_hash`. */
  readonly session?: string | undefined;
  /** The replica that told of the event which it asks for. */
  readonly eventAt?: string | undefined;
  /** What our cookie names. */
  readonly cookie?: string | undefined;
  /** Who asks: all that an upload of a client without cookies can be known by. */
  readonly address: string;
  /** It moves files of a session and does not say which. */
  readonly isFile?: boolean;
}

export interface Choice {
  readonly replica: Replica;
  readonly by: "session" | "event" | "cookie" | "address" | "load";
  /** The replica that its session was on, where that is another one. */
  readonly movedFrom: string | undefined;
  /** To be given back to {@link Sticky.release} when the request is over. */
  readonly session: Pinned | undefined;
}

/** A session and its replica. */
export interface Pinned {
  replica: string;
  usedAt: number;
  /** Requests of it that are under way: a page's stream is open for as long as the page is. */
  open: number;
  /** When the edge's other workers were told of it last. */
  sharedAt: number;
}

interface OfSpace {
  /** The last used at the end. */
  readonly sessions: Map<string, Pinned>;
  /** Of whom the last session that came without a cookie is where. */
  readonly addresses: Map<string, string>;
}

export interface StickyLimits {
  readonly sessionsPerSpace: number;
  readonly addressesPerSpace: number;
  readonly forgetAfterMs: number;
}

/** What one Space's visitors can make the edge keep: 5 MB. */
export const stickyLimits: StickyLimits = {
  sessionsPerSpace: 20_000,
  addressesPerSpace: 5_000,
  // Gradio itself drops what it keeps for a session so long after its page was closed.
  forgetAfterMs: 3_600_000,
};

export interface StickyPorts {
  /** Requests under way at a replica. */
  readonly busy: (replica: string) => number;
  /** It could not be reached a moment ago. */
  readonly isShunned: (replica: string) => boolean;
  readonly monotonic: () => number;
  /** Tells the edge's other workers, where there are any. */
  readonly share?: ((told: SharedSession) => void) | undefined;
  readonly limits?: StickyLimits;
}

export class Sticky {
  readonly #ports: StickyPorts;
  readonly #limits: StickyLimits;
  readonly #spaces = new Map<string, OfSpace>();
  #turn = 0;
  /** When others were told last of all sessions that are open. */
  #sharedOpenAt = 0;

  constructor(ports: StickyPorts) {
    this.#ports = ports;
    this.#limits = ports.limits ?? stickyLimits;
  }

  /** One of `replicas`, of which there is one at least. */
  choose(space: string, replicas: readonly Replica[], keys: Keys): Choice {
    const of = this.#spaces.get(space);
    const { session } = keys;
    const pinned = session === undefined ? undefined : this.#fresh(of?.sessions.get(session));
    const kept = byId(replicas, pinned?.replica);
    // A session's replica that does not answer at the moment is still the only one that has it.
    if (pinned !== undefined && kept !== undefined && !this.#isGone(kept, replicas))
      return this.#stay(space, keys, { replica: kept, by: "session", movedFrom: undefined, session: pinned });
    const choice = this.#unpinned(space, replicas, keys);
    if (session === undefined) return choice;
    const entry = pinned ?? { replica: choice.replica.id, usedAt: 0, open: 0, sharedAt: Number.NEGATIVE_INFINITY };
    const movedFrom = pinned === undefined || pinned.replica === choice.replica.id ? undefined : pinned.replica;
    if (movedFrom !== undefined) entry.sharedAt = Number.NEGATIVE_INFINITY;
    entry.replica = choice.replica.id;
    return this.#stay(space, keys, { ...choice, movedFrom, session: entry });
  }

  /**
   * Another worker placed a session, or says that it is still where it was. Of two that placed it at the same time both take the same one:
   * which one is all the same.
   */
  learn({ space, session, replica, movedFrom }: SharedSession): void {
    const of = this.#ofSpace(space);
    const known = of.sessions.get(session);
    const isFirst = known === undefined || known.replica === movedFrom || this.#fresh(known) === undefined;
    const entry = known ?? { replica, usedAt: 0, open: 0, sharedAt: 0 };
    if (isFirst || replica < entry.replica) entry.replica = replica;
    entry.usedAt = entry.sharedAt = this.#ports.monotonic();
    toEnd(of.sessions, session, entry, this.#limits.sessionsPerSpace);
  }

  /** The request is over: its session may be forgotten some time after. */
  release(session: Pinned): void {
    session.open -= 1;
    session.usedAt = this.#ports.monotonic();
  }

  /** Forgets sessions that nobody used for long, and tells the edge's other workers of those whose pages are open still. */
  sweep(): void {
    this.#shareOpen();
    for (const [space, { sessions }] of this.#spaces) {
      for (const [hash, pinned] of sessions) {
        if (this.#fresh(pinned) !== undefined) break;
        sessions.delete(hash);
      }
      if (sessions.size === 0) this.#spaces.delete(space);
    }
  }

  /** Sessions that are kept of a Space. */
  sessionsOf(space: string): number {
    return this.#spaces.get(space)?.sessions.size ?? 0;
  }

  #unpinned(space: string, replicas: readonly Replica[], { eventAt, cookie, address, isFile }: Keys): Choice {
    const found = (by: Choice["by"], replica: Replica): Choice => ({
      replica,
      by,
      movedFrom: undefined,
      session: undefined,
    });
    const usable = (id: string | undefined): Replica | undefined => {
      const replica = byId(replicas, id);
      return replica === undefined || this.#isGone(replica, replicas) ? undefined : replica;
    };
    const ofEvent = usable(eventAt);
    if (ofEvent !== undefined) return found("event", ofEvent);
    const ofCookie = usable(cookie);
    if (ofCookie !== undefined) return found("cookie", ofCookie);
    const ofAddress = isFile === true ? usable(this.#spaces.get(space)?.addresses.get(address)) : undefined;
    if (ofAddress !== undefined) return found("address", ofAddress);
    return found("load", this.#leastBusy(replicas));
  }

  /** Notes that a session is used, where. */
  #stay(space: string, { session = "", cookie, address }: Keys, choice: Choice & { session: Pinned }): Choice {
    const of = this.#ofSpace(space);
    const now = this.#ports.monotonic();
    choice.session.usedAt = now;
    choice.session.open += 1;
    this.#share(space, session, choice, now);
    toEnd(of.sessions, session, choice.session, this.#limits.sessionsPerSpace);
    if (cookie === undefined) toEnd(of.addresses, address, choice.replica.id, this.#limits.addressesPerSpace);
    return choice;
  }

  #shareOpen(): void {
    const now = this.#ports.monotonic();
    if (this.#ports.share === undefined || now - this.#sharedOpenAt < this.#limits.forgetAfterMs / 4) return;
    this.#sharedOpenAt = now;
    for (const [space, { sessions }] of this.#spaces)
      for (const [session, pinned] of sessions)
        if (pinned.open > 0) this.#share(space, session, { session: pinned, movedFrom: undefined }, now);
  }

  /** As often as others need to hear of it so as not to forget it. */
  #share(
    space: string,
    session: string,
    { session: pinned, movedFrom }: Pick<Choice & { session: Pinned }, "session" | "movedFrom">,
    now: number,
  ): void {
    const { share } = this.#ports;
    if (share === undefined || now - pinned.sharedAt < this.#limits.forgetAfterMs / 4) return;
    pinned.sharedAt = now;
    share({ type: "session", space, session, replica: pinned.replica, movedFrom });
  }

  #ofSpace(space: string): OfSpace {
    const known = this.#spaces.get(space);
    if (known !== undefined) return known;
    const of: OfSpace = { sessions: new Map(), addresses: new Map() };
    this.#spaces.set(space, of);
    return of;
  }

  #fresh(pinned: Pinned | undefined): Pinned | undefined {
    if (pinned === undefined || pinned.open > 0) return pinned;
    return this.#ports.monotonic() - pinned.usedAt > this.#limits.forgetAfterMs ? undefined : pinned;
  }

  #isGone(replica: Replica, replicas: readonly Replica[]): boolean {
    return this.#ports.isShunned(replica.id) && replicas.some(({ id }) => !this.#ports.isShunned(id));
  }

  /** The least busy, in turn among equals. */
  #leastBusy(replicas: readonly Replica[]): Replica {
    const { length } = replicas;
    const from = length === 1 ? 0 : this.#turn++ % length;
    let best = replicas[from] as Replica;
    let least = this.#load(best, replicas);
    for (let i = 1; i < length; i++) {
      const replica = replicas[(from + i) % length] as Replica;
      const load = this.#load(replica, replicas);
      if (load < least) [best, least] = [replica, load];
    }
    return best;
  }

  #load(replica: Replica, replicas: readonly Replica[]): number {
    return this.#isGone(replica, replicas) ? Number.POSITIVE_INFINITY : this.#ports.busy(replica.id);
  }
}

function byId(replicas: readonly Replica[], wanted: string | undefined): Replica | undefined {
  return wanted === undefined ? undefined : replicas.find(({ id }) => id === wanted);
}

/** Puts it last; the first goes where there are too many. */
function toEnd<Value>(map: Map<string, Value>, key: string, value: Value, max: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= max) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
