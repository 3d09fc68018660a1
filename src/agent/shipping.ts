/** Sends evidence on: the node's own spools and those that dead shims left. One batch of each is on its way at a time. */
import type { EvidenceBatch } from "../contract/agent.ts";
import type { EvidenceSource } from "./ports.ts";

/** A batch that is not acknowledged within this is sent again: a repeat is harmless. */
const acknowledgeWithinMs = 10_000;

interface Sent {
  readonly source: EvidenceSource;
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

  /** `name` tells sources apart: the agent's own, or a replica. */
  add(name: string, source: EvidenceSource): void {
    if (!this.#sources.has(name)) this.#sources.set(name, { source, batch: undefined, sentAt: 0 });
  }

  /** Whether everything of this source that was there at the last look is stored. */
  isDone(name: string): boolean {
    const sent = this.#sources.get(name);
    return !sent || sent.batch === undefined;
  }

  remove(name: string): void {
    this.#sources.delete(name);
  }

  /** Sends what is new. Call from time to time. */
  pump(): void {
    for (const sent of this.#sources.values()) {
      if (sent.batch && this.#now() - sent.sentAt >= acknowledgeWithinMs) this.#again(sent);
      if (!sent.batch) this.#next(sent);
    }
  }

  /** A new connection: whatever was on its way may not have arrived. */
  again(): void {
    for (const sent of this.#sources.values()) this.#again(sent);
    this.pump();
  }

  /** True where the acknowledged records are of one of these sources; a living shim's are not. */
  acknowledge(stored: { readonly emitter: string; readonly epoch: number; readonly seq: number }): boolean {
    const sent = [...this.#sources.values()].find(({ batch }) => batch?.emitter === stored.emitter && batch.epoch === stored.epoch);
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

  #next(sent: Sent): void {
    const batch = sent.source.next();
    if (!batch) return;
    if (!this.#send(batch)) return this.#again(sent);
    sent.batch = batch;
    sent.sentAt = this.#now();
  }
}

function lastSeq({ records }: EvidenceBatch): number {
  return records.reduce((last, { body }) => Math.max(last, (body as { seq: number }).seq), 0);
}
