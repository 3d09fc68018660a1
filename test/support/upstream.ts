/** An upstream for tests: a unix socket that speaks the preamble, in front of an app on a TCP port, and counts as a shim does. */
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";

import { parsePreamble } from "../../src/contract/preamble.ts";
import type { ConnectionAnswer } from "../../src/contract/preamble.ts";

export interface Carried {
  acceptedBytes: number;
  returnedBytes: number;
  connected: boolean;
  closed: boolean;
  /** Brings it up to date, where whoever took the connection over writes on it. */
  count?: () => void;
  /** All that the edge sent for the app, where it is asked to keep it. */
  readonly bytes: Buffer[];
}

export interface TestUpstream {
  readonly path: string;
  /** By connection, `<emitter>/<epoch>/<n>`. */
  readonly connections: Map<string, Carried>;
  /** Works that the edge asked about. */
  readonly asked: string[];
  close(): Promise<void>;
}

/** `appPort` is read at each connection. `keep`: remember the bytes. `onOpen`: takes the connection over instead of the app; `counts`: what it writes counts as the app's. */
export async function testUpstream(
  path: string,
  appPort: () => number,
  how: { keep?: boolean; onOpen?: (socket: Socket) => void; counts?: boolean } = {},
): Promise<TestUpstream> {
  const connections = new Map<string, Carried>();
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy()).on("close", () => sockets.delete(socket));
    socket.once("readable", () => {
      const bytes = (socket.read() as Buffer | null) ?? Buffer.alloc(0);
      const end = bytes.indexOf("\n");
      const preamble = parsePreamble(bytes.toString("latin1", 0, end));
      if (preamble === undefined) return void socket.destroy();
      const id = `${preamble.emitter}/${preamble.epoch}/${preamble.connection}`;
      if (preamble.kind === "ask") {
        asked.push(preamble.work ?? "");
        const of = connections.get(id);
        of?.count?.();
        return void socket.end(`${JSON.stringify(answerOf(of))}\n`);
      }
      const carried: Carried = { acceptedBytes: 0, returnedBytes: 0, connected: false, closed: false, bytes: [] };
      connections.set(id, carried);
      socket.unshift(bytes.subarray(end + 1));
      socket.on("close", () => {
        carried.closed = true;
      });
      if (how.onOpen !== undefined) {
        if (how.counts === true)
          carried.count = () => {
            carried.returnedBytes = socket.bytesWritten;
            carried.connected ||= socket.bytesWritten > 0;
          };
        how.onOpen(socket);
      } else carry(socket, appPort(), carried, how.keep === true);
    });
  });
  await listening(server, path);
  return {
    path,
    connections,
    asked,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

function carry(edge: Socket, port: number, carried: Carried, keep: boolean): void {
  const app = connect({ host: "127.0.0.1", port, noDelay: true });
  app.on("connect", () => {
    carried.connected = true;
  });
  edge.on("data", (bytes: Buffer) => {
    if (keep) carried.bytes.push(bytes);
    const more = app.write(bytes, (error) => {
      if (!error) carried.acceptedBytes += bytes.length;
    });
    if (!more) edge.pause();
  });
  app.on("drain", () => edge.resume());
  app.on("data", (bytes: Buffer) => {
    carried.returnedBytes += bytes.length;
    if (!edge.write(bytes)) app.pause();
  });
  edge.on("drain", () => app.resume());
  edge.on("end", () => app.end()).on("close", () => app.destroy());
  app.on("end", () => edge.end()).on("close", () => edge.destroySoon());
  app.on("error", () => edge.destroy());
}

function answerOf(carried: Carried | undefined): ConnectionAnswer {
  if (carried === undefined) return { state: "unknown" };
  const { connected, acceptedBytes, returnedBytes, closed } = carried;
  return { state: closed ? "closed" : "open", connected, acceptedBytes, returnedBytes, entry: null };
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => resolve());
  });
}
