/**
 * Takes apart an LZ4 frame whose content has a known length. Of our own because of that bound: a frame of 16 MiB can stand for four
 * gigabytes, and what is read here was written by strangers. Checksums are passed over, as a chunk's hash says more.
 */

const magic = 0x184d2204;
const flag = { blockChecksum: 0x10, contentSize: 0x08, contentChecksum: 0x04, dictionary: 0x01 };
const rawBlock = 0x80000000;
/** The least that a match copies. */
const matchMin = 4;

/** Fills `content` with the frame's; says what is wrong with one that has not exactly so many bytes, which may have filled a part of it. */
export function readLz4Frame(frame: Uint8Array, content: Uint8Array): string | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 11 || view.getUint32(0, true) !== magic) return "it is no LZ4 frame";
  const flags = frame[4] as number;
  if (flags >> 6 !== 1) return "its LZ4 frame is of an unknown version";
  if (flags & flag.dictionary) return "its LZ4 frame wants a dictionary";
  let at = 7 + (flags & flag.contentSize ? 8 : 0);
  let filled = 0;
  for (;;) {
    if (at + 4 > frame.length) return "its LZ4 frame is cut off";
    const word = view.getUint32(at, true);
    at += 4;
    if (word === 0) break;
    const end = at + (word & ~rawBlock);
    if (end > frame.length) return "its LZ4 frame is cut off";
    const block = frame.subarray(at, end);
    const next = word & rawBlock ? copyRaw(block, content, filled) : readBlock(block, content, filled);
    if (typeof next === "string") return next;
    filled = next;
    at = end + (flags & flag.blockChecksum ? 4 : 0);
  }
  if (at + (flags & flag.contentChecksum ? 4 : 0) !== frame.length) return "something follows its LZ4 frame";
  return filled === content.length
    ? undefined
    : `its LZ4 frame has ${filled} bytes, and ${content.length} were announced`;
}

function copyRaw(block: Uint8Array, into: Uint8Array, filled: number): number | string {
  if (filled + block.length > into.length) return tooLong;
  into.set(block, filled);
  return filled + block.length;
}

const tooLong = "its LZ4 frame has more bytes than were announced";
const broken = "its LZ4 block is broken";

function readBlock(block: Uint8Array, into: Uint8Array, from: number): number | string {
  let [at, filled] = [0, from];
  const extended = (length: number): number => {
    if (length !== 15) return length;
    for (let byte = 255; byte === 255; length += byte) {
      if (at >= block.length || length > into.length) return Infinity;
      byte = block[at++] as number;
    }
    return length;
  };
  while (at < block.length) {
    const token = block[at++] as number;
    const literals = extended(token >> 4);
    if (at + literals > block.length) return broken;
    if (filled + literals > into.length) return tooLong;
    into.set(block.subarray(at, at + literals), filled);
    at += literals;
    filled += literals;
    if (at === block.length) break; // The last sequence has literals alone.
    if (at + 2 > block.length) return broken;
    const distance = (block[at] as number) | ((block[at + 1] as number) << 8);
    at += 2;
    const match = extended(token & 15) + matchMin;
    if (distance === 0 || distance > filled) return broken;
    if (filled + match > into.length) return tooLong;
    copyMatch(into, filled, distance, match);
    filled += match;
  }
  return filled;
}

/** What it copies may be part of what it writes: a repeated pattern. */
function copyMatch(into: Uint8Array, at: number, distance: number, length: number): void {
  if (distance >= length) {
    into.copyWithin(at, at - distance, at - distance + length);
    return;
  }
  for (let n = 0; n < length; n++) into[at + n] = into[at + n - distance] as number;
}
