/** An answer's bytes on their way to the visitor, who may take them more slowly than they come. */
import type { ServerResponse } from "node:http";

import type { Upstream } from "./upstream.ts";

export class Delivery {
  readonly #response: ServerResponse;
  /** The last bytes that came, not yet written: head, body and end of a short answer then leave in one write. */
  #held: Buffer | undefined;
  #began = false;
  #paused = false;
  /** All of it came: what it came on carries other answers. */
  #isOver = false;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  /** Nothing that was taken waits here, or for the visitor. */
  get isThrough(): boolean {
    return this.#held === undefined && this.#response.writableLength === 0;
  }

  take(bytes: Buffer, from: Upstream | undefined): void {
    this.#began = true;
    if (this.#held !== undefined) this.#write(this.#held, from);
    this.#held = bytes;
  }

  /** More is to come, and nobody knows when: the first event of a stream may be minutes away, and its head leaves at once. */
  flush(from: Upstream | undefined): void {
    if (this.#held !== undefined) this.#write(this.#held, from);
    else if (!this.#began) this.#response.flushHeaders();
    this.#held = undefined;
  }

  end(): void {
    this.#isOver = true;
    this.#response.end(this.#held);
    this.#held = undefined;
  }

  #write(bytes: Buffer, from: Upstream | undefined): void {
    if (this.#response.write(bytes) || from === undefined || this.#paused) return;
    this.#paused = true;
    from.pause();
    this.#response.once("drain", () => {
      this.#paused = false;
      if (!this.#isOver) from.resume();
    });
  }
}
