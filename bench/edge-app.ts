/**
 * The app behind all proxies of the edge's benchmark: it costs little, so that most of the machine is theirs. It listens at a unix socket,
 * where it takes the edge's preamble, or at a port, as an app behind a shim does.
 */
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";

export const smallBytes = 1_024;
export const bigBytes = 1 << 20;
/** Between two events of one stream. */
export const eventEveryMs = 500;
export const event = `data: ${JSON.stringify({ msg: "estimation", rank: 3, queue_size: 12, rank_eta: 4.2 })}\n\n`;

const head = (more: string): string =>
  `HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\nServer: bench\r\n${more}\r\n\r\n`;
const sized = (type: string, bytes: number, text: string): Buffer =>
  Buffer.from(`${head(`Content-Type: ${type}\r\nContent-Length: ${bytes}`)}${text}`);
const small = sized("application/json", smallBytes, JSON.stringify({ text: "x".repeat(smallBytes - 11) }));
const big = sized("application/octet-stream", bigBytes, "x".repeat(bigBytes));
const streamHead = head("Content-Type: text/event-stream\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked");
const chunk = `${event.length.toString(16)}\r\n${event}\r\n`;
// RFC 6455 §1.3 has this key with this answer.
const switching =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/** Understands what the benchmark's own requests become on the way here, and no other HTTP. */
export function openApp(
  at: { readonly path: string } | { readonly host: string; readonly port: number },
): Promise<Server> {
  const server = createServer({ noDelay: true }, serve);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ ...at, backlog: 4_096 }, () => resolve(server));
  });
}

function serve(socket: Socket): void {
  let rest = "";
  let begun = false;
  let bodyLeft = 0;
  let echoes = false;
  const take = (): void => {
    for (let end = rest.indexOf("\r\n\r\n"); end >= 0; end = rest.indexOf("\r\n\r\n")) {
      const request = rest.slice(0, end);
      rest = rest.slice(end + 4);
      const path = request.slice(request.indexOf(" ") + 1, request.indexOf(" HTTP/1.1"));
      if (path === "/socket") {
        echoes = true;
        socket.write(switching);
        if (rest !== "") socket.write(rest, "latin1");
        return;
      }
      if (path === "/events") return stream(socket);
      bodyLeft = Number(/^content-length: *(\d+)/im.exec(request)?.[1] ?? 0) - rest.length;
      if (bodyLeft > 0) {
        rest = "";
        return;
      }
      socket.write(path === "/big" ? big : small);
    }
  };
  socket.on("error", () => socket.destroy());
  socket.on("data", (bytes: Buffer) => {
    if (echoes) return void socket.write(bytes);
    if (bodyLeft > 0) {
      bodyLeft -= bytes.length;
      if (bodyLeft <= 0) socket.write(small);
      return;
    }
    rest += bytes.toString("latin1");
    if (!begun && rest.startsWith("waybill/1 ")) rest = rest.slice(rest.indexOf("\n") + 1);
    begun = true;
    take();
  });
}

/** Streams begin at different moments of the pause between two events, so that they do not all speak at once. */
function stream(socket: Socket): void {
  socket.write(streamHead + chunk);
  const timer = setInterval(() => socket.write(chunk), eventEveryMs);
  socket.on("close", () => clearInterval(timer));
}
