/**
 * What replicas say, on its way to the server: in order for each of them, and after the cards that it speaks of were looked at. A bad
 * end may be a card's fault; and what frees a slot waits until the memory of the worker that was there is back too (L22).
 */
import type { DeviceFacts, ToAgent, ToServer } from "../contract/agent.ts";
import { isEnd } from "./held-replica.ts";
import type { CardWatch } from "./ports.ts";

/** Many times what one node's slots hold at once; of an older call all cards are looked at. */
const callsMax = 1_000;
/** Ends that a card's fault may look like. */
const badEnds: readonly string[] = ["raised", "lease-end", "worker-exit", "worker-killed", "app-exit", "app-killed"];

export interface WordsOptions {
  readonly devices: readonly Pick<DeviceFacts, "index" | "uuid">[];
  /** Undefined where nothing can be wrong with them. */
  readonly cards: () => Pick<CardWatch, "look" | "returned"> | undefined;
  readonly send: (message: ToServer) => void;
}

export class ReplicasWords {
  readonly #options: WordsOptions;
  /** By replica: the last that is held back. */
  readonly #held = new Map<string, Promise<void>>();
  /** The card that each call was granted, by its uuid. */
  readonly #cardOf = new Map<string, string>();

  constructor(options: WordsOptions) {
    this.#options = options;
  }

  granted({ call, device }: Extract<ToAgent, { type: "grant" }>): void {
    this.#cardOf.delete(call);
    this.#cardOf.set(call, device.uuid);
    const oldest = this.#cardOf.keys().next().value;
    if (this.#cardOf.size > callsMax && oldest !== undefined) this.#cardOf.delete(oldest);
  }

  tell(message: ToServer): void {
    const { send } = this.#options;
    const replica = replicaOf(message);
    const before = replica === undefined ? undefined : this.#held.get(replica);
    const first = this.#first(message);
    if (replica === undefined || (before === undefined && first === undefined)) return send(message);
    const told = Promise.resolve(before)
      .then(first)
      .then(() => {
        send(message);
        if (this.#held.get(replica) === told) this.#held.delete(replica);
      });
    this.#held.set(replica, told);
  }

  /** Whether something that this replica said is not sent yet. */
  holdsBack(replica: string): boolean {
    return this.#held.has(replica);
  }

  /** Resolves when nothing is held back. */
  async settled(): Promise<void> {
    while (this.#held.size > 0) await Promise.all(this.#held.values());
  }

  /** What has to be done before it is sent. */
  #first(message: ToServer): (() => Promise<void>) | undefined {
    const cards = this.#options.cards();
    const freed = this.#freed(message);
    if (cards === undefined) return undefined;
    if (freed !== undefined) return () => cards.returned(freed);
    return isBadEnd(message) ? () => cards.look() : undefined;
  }

  /** The cards on which it says that slots are free; undefined where it says nothing of that kind. */
  #freed(message: ToServer): readonly string[] | undefined {
    const all = this.#options.devices.map(({ uuid }) => uuid);
    switch (message.type) {
      case "meter": {
        const { report } = message;
        if (report.kind === "worker-gone") return this.#cardsOf(report.slot);
        if (report.kind !== "ended" || report.workerAlive) return undefined;
        const card = this.#cardOf.get(report.call);
        return card === undefined ? all : [card];
      }
      case "cleared":
        return this.#cardsOf(message.slot);
      case "replica":
        // What its shim did not live to say, or an agent before this one to pass on.
        return isEnd(message.status) ? all : undefined;
      default:
        return undefined;
    }
  }

  /** Of a slot `<node>/<card>/<n>`. */
  #cardsOf(slot: string): readonly string[] {
    const index = Number(slot.split("/").at(-2));
    return this.#options.devices.flatMap((device) => (device.index === index ? [device.uuid] : []));
  }
}

function replicaOf(message: ToServer): string | undefined {
  if (message.type === "replica") return message.status.replica;
  return message.type === "meter" || message.type === "cleared" ? message.replica : undefined;
}

function isBadEnd(message: ToServer): boolean {
  return message.type === "meter" && message.report.kind === "ended" && badEnds.includes(message.report.cause);
}
