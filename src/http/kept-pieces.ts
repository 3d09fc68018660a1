/** What was read into memory of {@link SocketMemory} and given on, while it is not known that nobody looks at it any more. */
import type { SocketMemory } from "./socket-memory.ts";

/** Shorter ones are copies, or not worth a call. */
const leastBytes = 32_768;
/** As many as wait for somebody slow before their sender does; the oldest beyond them is the collector's. */
const keptMax = 4;

export class KeptPieces {
  readonly #memory: Pick<SocketMemory, "release">;
  #kept: Buffer[] = [];

  constructor(memory: Pick<SocketMemory, "release">) {
    this.#memory = memory;
  }

  keep(bytes: Buffer): void {
    if (bytes.length >= leastBytes && this.#kept.push(bytes) > keptMax) this.#kept.shift();
  }

  /** Nobody looks at any of them. */
  release(): void {
    if (this.#kept.length === 0) return;
    for (const bytes of this.#kept) this.#memory.release(bytes);
    this.#kept = [];
  }

  /** It will not be known of these. */
  forget(): void {
    if (this.#kept.length > 0) this.#kept = [];
  }
}
