/** JSON Lines over a stream: one object with a `type` a line, bounded. */
import type { Duplex } from "node:stream";
import { frameMaxBytes } from "../contract/agent.ts";

/** Calls `onFrame` for each line. A line that is too long or not an object with a `type` ends the stream with an error. */
export function readFrames<Message extends { readonly type: string }>(
  stream: Duplex,
  onFrame: (message: Message) => void,
): void {
  let held: Buffer[] = [];
  let heldBytes = 0;
  stream.on("data", (bytes: Buffer) => {
    let rest = bytes;
    for (let end = rest.indexOf(10); end !== -1 && !stream.destroyed; end = rest.indexOf(10)) {
      const line = Buffer.concat([...held, rest.subarray(0, end)]).toString("utf8");
      rest = rest.subarray(end + 1);
      held = [];
      heldBytes = 0;
      const message = parse<Message>(line);
      if (message) onFrame(message);
      else stream.destroy(new Error("a frame is a JSON object with a type"));
    }
    heldBytes += rest.length;
    if (rest.length > 0) held.push(rest);
    if (heldBytes > frameMaxBytes) stream.destroy(new Error(`a frame has at most ${frameMaxBytes} bytes`));
  });
}

/** Writes one frame; false once the other end is gone. */
export function writeFrame<Message extends { readonly type: string }>(stream: Duplex, message: Message): boolean {
  if (stream.destroyed || stream.writableEnded) return false;
  stream.write(`${JSON.stringify(message)}\n`);
  return true;
}

function parse<Message>(line: string): Message | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const framed = typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";
  return framed ? (value as Message) : undefined;
}
