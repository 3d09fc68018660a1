/** What leaves in one write, put together in memory that is used again: a text of many parts is made flat before it is written, and copied then. */
import type { Socket } from "node:net";

/** A short answer with its head, or the head of a request whose target and headers are as long as may be. */
const packetMaxBytes = 16_384;

export class Packet {
  #memory = Buffer.allocUnsafeSlow(packetMaxBytes);

  /** `parts` are latin1. As `write` of the socket has it: false where the rest should wait for `drain`. */
  write(socket: Socket, parts: readonly string[], body?: Buffer): boolean {
    let length = body?.length ?? 0;
    for (const part of parts) length += part.length;
    // It may have to wait, and the next one is not to.
    if (length > packetMaxBytes || socket.writableLength > 0 || socket.connecting)
      return writeApart(socket, parts, body);
    let at = 0;
    for (const part of parts) at += this.#memory.write(part, at, "latin1");
    body?.copy(this.#memory, at);
    const more = socket.write(this.#memory.subarray(0, length));
    if (socket.writableLength > 0) this.#memory = Buffer.allocUnsafeSlow(packetMaxBytes);
    return more;
  }
}

function writeApart(socket: Socket, parts: readonly string[], body: Buffer | undefined): boolean {
  socket.cork();
  let more = socket.write(parts.join(""), "latin1");
  if (body !== undefined && body.length > 0) more = socket.write(body);
  socket.uncork();
  return more;
}
