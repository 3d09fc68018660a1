/** Sends evidence on: the node's own spools and those that dead shims left. One batch of each is on its way at a time. */
import type { EvidenceBatch } from "../contract/agent.ts";
import type { EvidenceSource } from "./ports.ts";

/** A batch that is not acknowledged within this is sent again: a repeat is harmless. */
const acknowledgeWithinMs = 10_000;

interface Sent {
  readonly source: EvidenceSource;
  /** Nobody writes to it any more: it is let go when all of it is stored. */
  readonly final: boolean;
  batch: EvidenceBatch | undefined;
  sentAt: number;
}

export class Shipping {
  readonly #send: (batch: EvidenceBatch) => boolean;
  readonly #now: () => number;
  readonly #sources = new Map<string, Sent>();

  /** `send` returns false while nobody is connected. `now` never steps back. */
  constructor(send: (batch: EvidenceBatch) => boolean, now: () => number) {
    this.#send = send;
    this.#now = now;
  }

  /** `name` tells sources apart: the agent's own, or a replica. `final`: its emitter is dead. */
  add(name: string, source: EvidenceSource, final = false): void {
    if (!this.#sources.has(name)) this.#sources.set(name, { source, final, batch: undefined, sentAt: 0 });
  }

  /** Whether all of a final source is stored. */
  isDone(name: string): boolean {
    return !this.#sources.has(name);
  }

  /** Sends what is new. Call from time to time. */
  pump(): void {
    for (const [name, sent] of this.#sources) {
      if (sent.batch && this.#now() - sent.sentAt >= acknowledgeWithinMs) this.#again(sent);
      if (!sent.batch && !this.#next(sent) && sent.final) this.#sources.delete(name);
    }
  }

  /** A new connection: whatever was on its way may not have arrived. */
  again(): void {
    for (const sent of this.#sources.values()) this.#again(sent);
    this.pump();
  }

  /** True where the acknowledged records are of one of these sources; a living shim's are not. */
  acknowledge(stored: { readonly emitter: string; readonly epoch: number; readonly seq: number }): boolean {
    const sent = [...this.#sources.values()].find(
      ({ batch }) => batch?.emitter === stored.emitter && batch.epoch === stored.epoch,
    );
    if (!sent) return false;
    sent.source.acknowledge(stored);
    if (stored.seq < lastSeq(sent.batch as EvidenceBatch)) return true;
    sent.batch = undefined;
    this.#next(sent);
    return true;
  }

  #again(sent: Sent): void {
    sent.batch = undefined;
    sent.source.rewind();
  }

  /** False where there is nothing more to send. */
  #next(sent: Sent): boolean {
    const batch = sent.source.next();
    if (!batch) return false;
    if (this.#send(batch)) {
      sent.batch = batch;
      sent.sentAt = this.#now();
    } else this.#again(sent);
    return true;
  }
}

function lastSeq({ records }: EvidenceBatch): number {
  return records.reduce((last, { body }) => Math.max(last, (body as { seq: number }).seq), 0);
}
