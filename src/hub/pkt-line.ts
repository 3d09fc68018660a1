/** git's pkt-lines (gitprotocol-common) and the side band of an answer to a push (gitprotocol-pack, "side-band-64k"). Pure. */

/** A packet holds at most this many bytes after its length; one of the side band has one less for its band. */
const payloadMaxBytes = 65_516;

export const flush: Buffer = Buffer.from("0000");

export function packet(payload: Uint8Array | string): Buffer {
  const bytes = Buffer.from(payload);
  return Buffer.concat([Buffer.from((bytes.length + 4).toString(16).padStart(4, "0")), bytes]);
}

/** `progress`: shown as `remote: …`; `fatal`: shown likewise, and the client ends with an error. */
const bands = { progress: 2, fatal: 3 } as const;

/** Text for the person who pushes, in as many packets as it takes. An empty text is a sign of life. */
export function sideband(band: keyof typeof bands, text: string): Buffer {
  const bytes = Buffer.from(text);
  const packets: Buffer[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += payloadMaxBytes - 1) {
    packets.push(packet(Buffer.concat([Buffer.from([bands[band]]), bytes.subarray(at, at + payloadMaxBytes - 1)])));
  }
  return Buffer.concat(packets);
}

/**
 * Passes the answer of `git receive-pack` on, whole packets at a time, and keeps its last flush back: until that comes the client
 * listens, so more can be said. A client without the side band gets its answer as it is.
 */
export class HeldAnswer {
  #rest = Buffer.alloc(0);
  #banded: boolean | undefined;
  #flushed = false;

  /** What can be passed on now. */
  push(chunk: Uint8Array): Buffer {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const out: Buffer[] = [];
    for (let length = this.#whole(); length > 0; length = this.#whole()) {
      const one = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      this.#banded ??=
        length > 4 &&
        Object.values<number>(bands)
          .concat(1)
          .includes(one[4] as number);
      // A flush in the middle is none of ours to keep.
      if (this.#flushed) out.push(flush);
      this.#flushed = this.#banded && one.equals(flush);
      if (!this.#flushed) out.push(one);
    }
    return Buffer.concat(out);
  }

  /** Whether more may be said before the {@link flush} that is still owed. */
  get isOpen(): boolean {
    return this.#banded === true && this.#flushed;
  }

  /** Whether the client was promised a side band. */
  get isBanded(): boolean {
    return this.#banded === true;
  }

  /** Bytes of a packet that never became whole. */
  end(): Buffer {
    return this.#rest;
  }

  /** The length of the whole packet at the front; 0 where there is none yet. What is no packet at all is passed on as it is. */
  #whole(): number {
    if (this.#rest.length < 4) return 0;
    const digits = this.#rest.toString("latin1", 0, 4);
    if (!/^[0-9a-f]{4}$/i.test(digits)) return this.#rest.length;
    const length = Math.max(4, Number.parseInt(digits, 16));
    return this.#rest.length < length ? 0 : length;
  }
}
