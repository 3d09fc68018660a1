/** Bytes and their spellings, without Node: in a browser a receipt is checked by the same code. */

// Beyond the language, and part of every runtime.
declare const TextEncoder: new () => { encode(text: string): Uint8Array<ArrayBuffer> };
declare const TextDecoder: new (
  name: string,
  options: { fatal: boolean; ignoreBOM: boolean },
) => { decode(bytes: Uint8Array): string };

export type Bytes = Uint8Array<ArrayBuffer>;

/** SHA-256, at once or later: Node has the first, browsers the second. */
export type Digest = (bytes: Bytes) => Uint8Array | Promise<Uint8Array>;

export function utf8(text: string): Bytes {
  return new TextEncoder().encode(text);
}

/** Undefined where they are no UTF-8. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined; // Not silent: the answer says that it is no text.
  }
}

export function joined(...parts: readonly Uint8Array[]): Bytes {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
type Alphabet = "base64" | "base64url";
const alphabets: Readonly<Record<Alphabet, string>> = { base64: `${digits}+/`, base64url: `${digits}-_` };
const values: Readonly<Record<Alphabet, ReadonlyMap<string, number>>> = {
  base64: new Map([...alphabets.base64].map((letter, value) => [letter, value])),
  base64url: new Map([...alphabets.base64url].map((letter, value) => [letter, value])),
};

/** RFC 4648: `base64` with padding, `base64url` without. */
export function encoded(bytes: Uint8Array, alphabet: Alphabet): string {
  const letters = alphabets[alphabet];
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const [a = 0, b = 0, c = 0] = [bytes[at], bytes[at + 1], bytes[at + 2]];
    const rest = bytes.length - at;
    text += (letters[a >> 2] ?? "") + (letters[((a & 3) << 4) | (b >> 4)] ?? "");
    text += rest > 1 ? (letters[((b & 15) << 2) | (c >> 6)] ?? "") : alphabet === "base64" ? "=" : "";
    text += rest > 2 ? (letters[c & 63] ?? "") : alphabet === "base64" ? "=" : "";
  }
  return text;
}

/** Undefined where the text is not the one spelling of some bytes: padding, spare bits and letters count. */
export function decoded(text: string, alphabet: Alphabet): Bytes | undefined {
  const bare = alphabet === "base64" ? text.replace(/={1,2}$/, "") : text;
  const bytes = new Uint8Array(Math.floor((bare.length * 3) / 4));
  let [held, bits, at] = [0, 0, 0];
  for (const letter of bare) {
    const value = values[alphabet].get(letter);
    if (value === undefined) return undefined;
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = (held >> bits) & 0xff;
  }
  return encoded(bytes, alphabet) === text ? bytes : undefined;
}

export function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
