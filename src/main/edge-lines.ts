/** JSON documents, one a line, over a socket of this machine. */
import type { Socket } from "node:net";
import { edgeLineMaxChars } from "../contract/edge.ts";

/** What the other end has not read yet: more means that nobody reads there. */
const unreadMaxBytes = 2 * edgeLineMaxChars;

/** `onDocument` throws, or what comes is no document: the socket is destroyed with that error. */
export function readLines(socket: Socket, onDocument: (document: unknown) => void): void {
  let pieces: string[] = [];
  let chars = 0;
  socket.setEncoding("utf8").on("data", (text: string) => {
    let from = 0;
    try {
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
        const line = pieces.join("") + text.slice(from, end);
        pieces = [];
        chars = 0;
        from = end + 1;
        onDocument(JSON.parse(line));
      }
    } catch (error) {
      return void socket.destroy(error as Error);
    }
    pieces.push(text.slice(from));
    chars += text.length - from;
    if (chars > edgeLineMaxChars) socket.destroy(new Error(`a line of more than ${edgeLineMaxChars} characters`));
  });
}

export function writeLine(socket: Socket, document: object): void {
  if (!socket.writable) return;
  socket.write(`${JSON.stringify(document)}\n`);
  if (socket.writableLength > unreadMaxBytes) socket.destroy(new Error("the other end reads nothing"));
}
