/** The door for callers from inside: a unix socket of the node's gateway, whose first line names the replica that calls. */
import { chmodSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import type { Duplex } from "node:stream";

import { insideLineMaxBytes, parseInside } from "../contract/egress.ts";
import type { InsideCaller } from "../contract/egress.ts";
import { connectionsMax } from "../http/limits.ts";

export interface InsideDoor {
  /** Only the platform's own user may connect: who can open it can name any caller. */
  readonly path: string;
  /** What follows the line is HTTP. */
  readonly onCaller: (socket: Socket, caller: InsideCaller) => void;
  readonly onError: (error: unknown) => void;
  /** Whose listening socket it takes callers from; without it it makes its own. */
  readonly sockets?: ((place: { readonly path: string }) => Promise<object>) | undefined;
}

/** The gateway writes it before anything else of the connection. */
const lineWithinMs = 5_000;
const newline = 10;

/** Rejects where the socket cannot be made. */
export async function openInsideDoor({ path, onCaller, onError, sockets }: InsideDoor): Promise<Server> {
  const door = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
    readInsideCaller(socket, onCaller),
  );
  door.maxConnections = connectionsMax;
  // What lies there is an earlier platform's: the data folder is ours alone.
  if (sockets === undefined) rmSync(path, { force: true });
  const place = (await sockets?.({ path })) ?? { path };
  return new Promise((resolve, reject) => {
    door.once("error", reject);
    door.listen(place, () => {
      if (sockets === undefined) chmodSync(path, 0o600);
      door.off("error", reject).on("error", onError);
      resolve(door);
    });
  });
}

/** Reads the first line; `onCaller` is given what follows it. A connection that does not say who calls is dropped. */
export function readInsideCaller<Connection extends Duplex>(
  socket: Connection,
  onCaller: (socket: Connection, caller: InsideCaller) => void,
): void {
  let read = Buffer.alloc(0);
  const drop = (): void => void socket.destroy();
  const late = setTimeout(drop, lineWithinMs);
  const take = (bytes: Buffer): void => {
    read = Buffer.concat([read, bytes]);
    const end = read.indexOf(newline);
    if (end < 0 && read.length < insideLineMaxBytes) return;
    clearTimeout(late);
    socket.off("data", take).off("end", drop).off("error", drop).pause();
    const caller = end < 0 ? undefined : parseInside(read.toString("latin1", 0, end));
    if (caller === undefined) return drop();
    if (end + 1 < read.length) socket.unshift(read.subarray(end + 1));
    // Whoever takes it only later pauses it.
    socket.resume();
    onCaller(socket, caller);
  };
  socket.once("close", () => clearTimeout(late));
  socket.on("error", drop).on("end", drop).on("data", take).resume();
}
