/**
 * A connection between server and agent that breaks: it may lose, repeat and reorder what it carries, and its two ends learn of
 * its end at different times. A network over TCP does less; what holds here holds there.
 */
import type { Link, ToAgent, ToServer } from "../src/contract/agent.ts";
import type { Prng } from "../src/stdx/prng.ts";
import type { Faults } from "./configuration.ts";
import type { Life, VirtualTime } from "./time.ts";

export interface Wires {
  readonly time: VirtualTime;
  readonly random: Prng;
  readonly count: (what: string) => void;
  /** The faults in force now. */
  faults(): Pick<Faults, "lost" | "duplicated" | "reordered" | "delayMs">;
}

/** Without them a connection does not begin, and nobody would say anything again. */
const neverLost: readonly string[] = ["hello", "welcome"];
/** Whoever lost a message notices at the latest by its connection's end. */
const noticedWithinMs = 8_000;

export class Connection {
  readonly server: LinkEnd<ToAgent, ToServer>;
  readonly agent: LinkEnd<ToServer, ToAgent>;
  /** Nothing passes, and nobody has noticed yet. */
  isCut = false;
  #isOpen = true;
  readonly #wires: Wires;

  constructor(wires: Wires, serverLife: Life, agentLife: Life) {
    this.#wires = wires;
    this.server = new LinkEnd(this, wires, serverLife);
    this.agent = new LinkEnd(this, wires, agentLife);
    this.server.connect(this.agent);
    this.agent.connect(this.server);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const end of [this.server, this.agent]) end.closeIn(this.#wires.random.int(50));
  }

  /** It closes for sure, some time from now. */
  failsSoon(life: Life): void {
    this.#wires.time.after(this.#wires.random.int(noticedWithinMs), life, () => this.close());
  }
}

class LinkEnd<Out extends ToAgent | ToServer, In extends ToAgent | ToServer> implements Link<Out, In> {
  readonly #connection: Connection;
  readonly #wires: Wires;
  readonly life: Life;
  #peer: LinkEnd<In, Out> | undefined;
  #onMessage: ((message: In) => void) | undefined;
  #held: In[] = [];
  readonly #onClose: (() => void)[] = [];
  #isClosed = false;
  /** A report that is acknowledged with all before it, or one of the cards, was lost: as over TCP, nothing follows it. */
  #isMute = false;
  #arrivesAt = 0;
  /** When the first message arrives: none comes before it. */
  #opensAt = 0;

  constructor(connection: Connection, wires: Wires, life: Life) {
    this.#connection = connection;
    this.#wires = wires;
    this.life = life;
  }

  connect(peer: LinkEnd<In, Out>): void {
    this.#peer = peer;
  }

  send(message: Out): void {
    const connection = this.#connection;
    const { random, time, count } = this.#wires;
    const soon = (): number => Math.max(this.#opensAt, time.now + random.int(2_000));
    if (!connection.isOpen || this.#isClosed || connection.isCut || this.#isMute) return;
    const { lost, duplicated, reordered } = this.#wires.faults();
    count("messages");
    if (!neverLost.includes(message.type)) {
      const isCounted = message.type === "meter";
      // That a card's memory did not come back is told before the end that waited for it, and no network of ours turns that round.
      const isAhead = message.type === "cards";
      if (random.chance(lost)) {
        count("messagesLost");
        this.#isMute ||= isCounted || isAhead;
        if (isCounted || random.chance(0.5) || isAhead) connection.failsSoon(this.life);
        return;
      }
      if (random.chance(duplicated)) {
        count("messagesDuplicated");
        this.#deliver(message, soon());
      }
      if (!isCounted && random.chance(reordered) && !isAhead) {
        count("messagesReordered");
        return this.#deliver(message, soon());
      }
    }
    this.#arrivesAt = Math.max(this.#arrivesAt, time.now + random.int(this.#wires.faults().delayMs));
    this.#opensAt ||= this.#arrivesAt;
    if (this.#arrivesAt - time.now > 100) count("messagesDelayed");
    this.#deliver(message, this.#arrivesAt);
  }

  onMessage(listener: (message: In) => void): void {
    this.#onMessage = listener;
    for (const message of this.#held.splice(0)) listener(message);
  }

  onClose(listener: () => void): void {
    this.#onClose.push(listener);
  }

  close(): void {
    this.#connection.close();
  }

  closeIn(ms: number): void {
    this.#wires.time.after(ms, this.life, () => {
      if (this.#isClosed) return;
      this.#isClosed = true;
      for (const listener of this.#onClose) listener();
    });
  }

  #deliver(message: Out, at: number): void {
    const peer = this.#peer as LinkEnd<In, Out>;
    this.#wires.time.after(at - this.#wires.time.now, peer.life, () => peer.#take(message));
  }

  #take(message: In): void {
    if (this.#isClosed || this.#connection.isCut) return;
    if (this.#onMessage) this.#onMessage(message);
    else this.#held.push(message);
  }
}
