/** Larger pieces of a stream of small ones: what a connection gives, 64 KiB and less, costs more in each call than its bytes do. */

/** Pieces of at least that size, but for the last, each with memory of its own. */
export async function* gathered(bytes: AsyncIterable<Uint8Array>, leastBytes: number): AsyncGenerator<Uint8Array> {
  let [parts, length]: [Uint8Array[], number] = [[], 0];
  const take = (): Uint8Array => {
    const whole = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    [parts, length] = [[], 0];
    return whole;
  };
  for await (const piece of bytes) {
    parts.push(piece);
    length += piece.length;
    if (length >= leastBytes) yield take();
  }
  if (length > 0) yield take();
}
