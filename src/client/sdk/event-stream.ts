/** Reads `text/event-stream`: one `{ event, data }` an event, comments and unknown fields left out. */

export interface ServerEvent {
  readonly event: string;
  readonly data: string;
}

/** An event of the Device API is a few hundred bytes; a peer that sends more without ending one is not speaking it. */
const eventMaxCharacters = 64 * 1024;

/** Yields each event as its blank line arrives, however the bytes were cut into chunks. Throws on an event that never ends. */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  mostCharacters = eventMaxCharacters,
): AsyncGenerator<ServerEvent> {
  let held = "";
  for await (const text of body.pipeThrough(new TextDecoderStream() as never) as unknown as AsyncIterable<string>) {
    held = (held + text).replaceAll("\r\n", "\n");
    for (let end = held.indexOf("\n\n"); end >= 0; end = held.indexOf("\n\n")) {
      const event = parseEvent(held.slice(0, end));
      held = held.slice(end + 2);
      if (event) yield event;
    }
    if (held.length > mostCharacters) throw new Error(`an event of more than ${mostCharacters} characters`);
  }
}

function parseEvent(block: string): ServerEvent | undefined {
  let event = "message";
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const value = line.slice(colon + 1).replace(/^ /, "");
    if (line.startsWith("event:")) event = value;
    if (line.startsWith("data:")) data.push(value);
  }
  return data.length > 0 || event !== "message" ? { event, data: data.join("\n") } : undefined;
}
