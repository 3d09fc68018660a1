/** Counts the newlines of what is thrown away: a flood's bytes are looked at once, so they are looked at four at a time. */

const newline = 10;
const inEachByte = 0x01010101;
const lowBits = 0x7f * inEachByte;

/** How many bytes are `\n`. */
export function countNewlines(bytes: Uint8Array): number {
  if (bytes.length < 4) return countOneByOne(bytes, 0, bytes.length);
  const before = -bytes.byteOffset & 3;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + before, (bytes.length - before) >> 2);
  const rest = before + words.length * 4;
  let count = countOneByOne(bytes, 0, before) + countOneByOne(bytes, rest, bytes.length);
  for (let at = 0; at < words.length; at++) {
    // Zero where the byte is a newline; then the highest bit of each byte that is zero, and no other.
    const word = (words[at] as number) ^ (newline * inEachByte);
    const found = ~(((word & lowBits) + lowBits) | word | lowBits);
    if (found !== 0) count += ((found >>> 7) & 1) + ((found >>> 15) & 1) + ((found >>> 23) & 1) + (found >>> 31);
  }
  return count;
}

function countOneByOne(bytes: Uint8Array, from: number, to: number): number {
  let count = 0;
  for (let at = from; at < to; at++) if (bytes[at] === newline) count += 1;
  return count;
}
