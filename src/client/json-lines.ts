/** Reads JSON Lines from a response's body as they arrive. */

/** A longer line is not one of ours; it is refused before it fills the memory. */
const lineMaxCharacters = 1 << 20;

/** Yields each line's value; empty lines keep the connection alive and are left out. Throws on a line that is not JSON. */
export async function* readJsonLines<Value>(body: ReadableStream<Uint8Array>): AsyncGenerator<Value> {
  let held = "";
  for await (const text of body.pipeThrough(new TextDecoderStream() as never) as unknown as AsyncIterable<string>) {
    const lines = (held + text).split("\n");
    held = lines.pop() as string;
    for (const line of lines) if (line.trim() !== "") yield JSON.parse(line) as Value;
    if (held.length > lineMaxCharacters) throw new Error(`a line of more than ${lineMaxCharacters} characters`);
  }
  if (held.trim() !== "") yield JSON.parse(held) as Value;
}
