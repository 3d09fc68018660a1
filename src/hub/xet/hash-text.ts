/** A hash of the Xet protocol as it is written. Apart from what computes them, which takes megabytes of memory: the threads alone load that. */

/** Bytes of a hash. */
export const hashBytes = 32;

/** The protocol's way to write a hash: each eight bytes from the last to the first. */
export function toHex(hash: Uint8Array): string {
  return swapped(hash).toString("hex");
}

/** Undefined where the text is no hash. */
export function fromHex(text: string): Uint8Array | undefined {
  return isHash(text) ? new Uint8Array(swapped(Buffer.from(text, "hex"))) : undefined;
}

const isHash = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);

function swapped(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes).swap64();
}
