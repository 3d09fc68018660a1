/**
 * Memory that nobody reads any more is given back at once. It lies outside of the engine's heap, and no collection is begun for what does:
 * tens of megabytes of it would wait for the next one. Nothing is done where other bytes lie in the same allocation. Whoever still
 * reads it finds it empty; what the system still reads may not be given back.
 */
export function giveBack({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && byteLength === buffer.byteLength && !buffer.detached) buffer.transfer(0);
}
