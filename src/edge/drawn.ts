/** Names of requests and traces, whose random characters are drawn many at a time; each is given out once. */
import { idAlphabet, idLength } from "../stdx/ids.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { randomPoolBytes } from "./limits.ts";

const traceLength = 32;
const parentLength = 16;

export class Drawn {
  readonly #random: RandomBytes;
  #ids = "";
  #idAt = 0;
  #hex = "";
  #hexAt = 0;

  constructor(random: RandomBytes) {
    this.#random = random;
  }

  /** As `newId` makes them. */
  requestId(): string {
    if (this.#idAt === this.#ids.length) {
      this.#ids = base32Of(Buffer.from(this.#random(randomPoolBytes)));
      this.#idAt = 0;
    }
    const at = this.#idAt;
    this.#idAt = at + idLength;
    return `q_${this.#ids.slice(at, at + idLength)}`;
  }

  /** A new trace, not sampled: nobody's word from outside counts (W3C Trace Context §3.2.2.5). */
  traceparent(): string {
    const at = this.#hexAt;
    if (at + traceLength + parentLength > this.#hex.length) {
      this.#hex = Buffer.from(this.#random(randomPoolBytes)).toString("hex");
      this.#hexAt = 0;
      return this.traceparent();
    }
    const parentAt = at + traceLength;
    this.#hexAt = parentAt + parentLength;
    return `00-${this.#hex.slice(at, parentAt)}-${this.#hex.slice(parentAt, this.#hexAt)}-00`;
  }
}

const codes = Buffer.from(idAlphabet, "latin1");

/** A character for each byte, of five bits of it. */
function base32Of(bytes: Buffer): string {
  for (let i = 0; i < bytes.length; i++) bytes[i] = codes[(bytes[i] as number) & 31] as number;
  return bytes.toString("latin1");
}
