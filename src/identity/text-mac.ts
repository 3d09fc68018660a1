/**
 * HMAC-SHA256 (RFC 2104) of many texts by one key: two one-shot hashes of memory that is used again. `createHmac` makes an object for each,
 * which costs twice as much, and the collector again.
 */
import { hash } from "node:crypto";
import { assert } from "../stdx/assert.ts";

/** Of SHA-256, in bytes: RFC 2104 §2. */
const blockLength = 64;
const hashLength = 32;
const innerPad = 0x36;
const outerPad = 0x5c;

export class TextMac {
  readonly textMaxLength: number;
  /** The key in its inner pad, then the text. */
  readonly #inner: Buffer;
  /** The key in its outer pad, then the hash of that. */
  readonly #outer: Buffer;

  /** `key`: at most 64 bytes. */
  constructor(key: Uint8Array, textMaxLength: number) {
    assert(key.length <= blockLength, "a longer key would be hashed first");
    this.textMaxLength = textMaxLength;
    this.#inner = padded(key, innerPad, textMaxLength);
    this.#outer = padded(key, outerPad, hashLength);
  }

  /** Base64url, of a text of ASCII that is no longer than `textMaxLength`. */
  of(text: string): string {
    assert(text.length <= this.textMaxLength, "a text has to fit");
    const end = blockLength + this.#inner.write(text, blockLength, "latin1");
    this.#outer.write(hash("sha256", this.#inner.subarray(0, end), "latin1"), blockLength, "latin1");
    return hash("sha256", this.#outer, "base64url");
  }
}

function padded(key: Uint8Array, pad: number, more: number): Buffer {
  const bytes = Buffer.alloc(blockLength + more, pad);
  for (const [at, byte] of key.entries()) bytes[at] = byte ^ pad;
  return bytes;
}
