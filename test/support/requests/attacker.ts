/** A process that holds many connections to an edge in a bad manner, or asks it well and measures: `node attacker.ts KIND COUNT PORT HOST`. */
import { connect } from "node:net";
import type { Socket } from "node:net";

const [kind = "", count = "0", port = "0", host = ""] = process.argv.slice(2);
const everyMs = 1_000;
/** New connections at a time: a backlog holds no more. */
const openingMax = 200;
const head = (line: string, more = ""): string => `${line} HTTP/1.1\r\nHost: ${host}\r\n${more}`;
const upgrade =
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/** What is sent first, and then a byte of which a second; whether answers are read. */
const manners: Record<string, { readonly first: string; readonly more: string; readonly reads: boolean }> = {
  idle: { first: "", more: "", reads: true },
  "slow heads": { first: head("GET /", "X-Slow: "), more: "x", reads: true },
  "slow bodies": { first: head("POST /", "Content-Length: 1000000\r\n\r\n"), more: "x", reads: true },
  "slow readers": { first: head("GET /flood", "\r\n"), more: "", reads: false },
  "half-open WebSockets": { first: head("GET /ws", upgrade), more: "", reads: true },
  "heads of 16 kB": { first: head("GET /", `X: ${"y".repeat(17_000)}\r\n\r\n`), more: "again", reads: true },
};

if (kind === "probe") await probe(Number(count));
else await attack();

async function attack(): Promise<void> {
  const manner = manners[kind];
  if (manner === undefined) throw new Error(`no manner ${kind}`);
  const sockets = new Set<Socket>();
  const open = (): Promise<void> =>
    new Promise((resolve) => {
      const socket = connect({ host: "127.0.0.1", port: Number(port) });
      socket.on("connect", () => {
        sockets.add(socket);
        socket.write(manner.first);
        if (!manner.reads) socket.pause();
        else socket.resume();
        resolve();
      });
      socket.on("error", () => resolve());
      socket.on("close", () => sockets.delete(socket));
    });
  const fill = async (): Promise<void> => {
    while (sockets.size < Number(count))
      await Promise.all(Array.from({ length: Math.min(openingMax, Number(count) - sockets.size) }, open));
  };
  await fill();
  process.send?.({ holds: sockets.size });
  setInterval(() => {
    if (manner.more === "again") return void fill();
    if (manner.more !== "") for (const socket of sockets) if (socket.writable) socket.write(manner.more);
  }, everyMs);
}

/** Four connections ask one after the other; the times of all answers, in milliseconds. */
async function probe(requests: number): Promise<void> {
  const times: number[] = [];
  const ask = (socket: Socket): Promise<void> =>
    new Promise((resolve, reject) => {
      const began = performance.now();
      let text = "";
      const onData = (part: Buffer): void => {
        text += part.toString("latin1");
        if (!text.endsWith("right")) return;
        socket.off("data", onData).off("close", onClose);
        times.push(performance.now() - began);
        resolve();
      };
      const onClose = (): void => reject(new Error(`closed: ${text}`));
      socket.on("data", onData).once("close", onClose);
      socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    });
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      const socket = connect({ host: "127.0.0.1", port: Number(port) });
      for (let n = 0; n < requests / 4; n++) await ask(socket);
      socket.destroy();
    }),
  );
  process.send?.({ times });
  process.disconnect?.();
}
