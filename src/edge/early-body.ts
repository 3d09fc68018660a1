/** A request's body that is read before it is known where the request goes, up to a bound; then it is given on as if it came. */
import type { IncomingMessage } from "node:http";

export interface EarlyBodyOptions {
  readonly maxBytes: number;
  /** All of it is here, or as much as may be held. */
  readonly onReady: () => void;
}

export class EarlyBody {
  readonly #request: IncomingMessage;
  readonly #options: EarlyBodyOptions;
  readonly #pieces: Buffer[] = [];
  #bytes = 0;
  #isWhole = false;
  #isReady = false;
  readonly #onData = (bytes: Buffer): void => {
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes > this.#options.maxBytes) this.stop();
  };
  readonly #onEnd = (): void => {
    this.#isWhole = this.#request.complete;
    this.stop();
  };

  constructor(request: IncomingMessage, options: EarlyBodyOptions) {
    this.#request = request;
    this.#options = options;
    request.on("data", this.#onData).on("end", this.#onEnd);
  }

  /** Goes on with what has come. */
  stop(): void {
    if (this.#isReady) return;
    this.#isReady = true;
    this.#request.off("data", this.#onData).off("end", this.#onEnd).pause();
    this.#options.onReady();
  }

  get isWhole(): boolean {
    return this.#isWhole;
  }

  get pieces(): readonly Buffer[] {
    return this.#pieces;
  }

  /** Undefined where it is not whole. */
  get text(): string | undefined {
    return this.#isWhole ? Buffer.concat(this.#pieces).toString("utf8") : undefined;
  }
}
