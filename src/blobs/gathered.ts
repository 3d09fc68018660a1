/** Larger pieces of a stream of small ones: what a connection gives, 64 KiB and less, costs more in each call than its bytes do. */

/**
 * Pieces of that size, but for the last. `memory` gives what each is put together in, so many bytes: where it is the same again, a piece is
 * good until the next is asked for; without it each has its own.
 */
export async function* gathered(
  bytes: AsyncIterable<Uint8Array>,
  pieceBytes: number,
  memory: () => Uint8Array = () => new Uint8Array(pieceBytes),
): AsyncGenerator<Uint8Array> {
  let into: Uint8Array | undefined;
  let filled = 0;
  for await (const piece of bytes) {
    for (let at = 0; at < piece.length;) {
      into ??= memory();
      const part = piece.subarray(at, at + pieceBytes - filled);
      into.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < pieceBytes) continue;
      yield into;
      [into, filled] = [undefined, 0];
    }
  }
  if (into !== undefined && filled > 0) yield into.subarray(0, filled);
}
