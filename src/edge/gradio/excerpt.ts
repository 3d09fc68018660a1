/** Keeps what may be read of bytes that pass: all of a short text, the beginning and the end of a long one. Its memory is bounded. */

export class Excerpt {
  readonly #headMax: number;
  readonly #tailMax: number;
  #head: Buffer[] = [];
  #headBytes = 0;
  #tail: Buffer = Buffer.alloc(0);
  #bytes = 0;

  /** In bytes: up to `headMax` the text is whole; beyond it the last `tailMax` are kept too. */
  constructor(headMax: number, tailMax: number) {
    this.#headMax = headMax;
    this.#tailMax = tailMax;
  }

  /** The bytes are copied: they may be a part of a much larger buffer. */
  push(bytes: Buffer): void {
    this.#bytes += bytes.length;
    const room = this.#headMax - this.#headBytes;
    if (room > 0) {
      const piece = Buffer.from(bytes.subarray(0, room));
      this.#head.push(piece);
      this.#headBytes += piece.length;
    }
    if (bytes.length <= room) return;
    const rest = bytes.subarray(Math.max(room, 0)).subarray(-this.#tailMax);
    this.#tail = Buffer.concat([this.#tail, rest]).subarray(-this.#tailMax);
  }

  get isWhole(): boolean {
    return this.#bytes <= this.#headMax;
  }

  /** All of it, or its beginning. A character that is cut there is spoilt. */
  get head(): string {
    return Buffer.concat(this.#head).toString("utf8");
  }

  /** The last `tailMax` bytes. */
  get tail(): string {
    const isCut = this.#bytes > this.#headBytes + this.#tail.length;
    const end = isCut ? this.#tail : Buffer.concat([...this.#head, this.#tail]).subarray(-this.#tailMax);
    return end.toString("utf8");
  }

  clear(): void {
    this.#head = [];
    this.#headBytes = 0;
    this.#tail = Buffer.alloc(0);
    this.#bytes = 0;
  }
}
