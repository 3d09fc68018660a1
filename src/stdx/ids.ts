/** Random identifiers: a prefix that says what it names, and 80 random bits, so that nobody counts through them. */

/** Fills a new array with `count` random bytes; the caller's world decides where they come from. */
export type RandomBytes = (count: number) => Uint8Array;

/** Crockford's base 32, in lower case. */
export const idAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
/** Characters of an id behind its prefix. */
export const idLength = 16;
const idBytes = (idLength * 5) / 8;

/** A fresh id, `<prefix>_` and 16 characters of Crockford's base 32 (80 random bits). */
export function newId(prefix: string, random: RandomBytes): string {
  return `${prefix}_${base32(random(idBytes))}`;
}

/** Whether `text` has the form that {@link newId} gives for `prefix`. */
export function isId(prefix: string, text: string): boolean {
  return (
    text.length === prefix.length + 1 + idLength &&
    text.startsWith(`${prefix}_`) &&
    /^[0-9a-hjkmnp-tv-z]{16}$/.test(text.slice(prefix.length + 1))
  );
}

/** Crockford's base 32 in lower case, most significant bits first; the last character is padded with zero bits. */
export function base32(bytes: Uint8Array): string {
  let out = "";
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out += idAlphabet[(held >>> bits) & 31];
    }
    held &= (1 << bits) - 1;
  }
  return bits === 0 ? out : out + idAlphabet[(held << (5 - bits)) & 31];
}
