/**
 * `in.sock`: each connection of an edge is one connection to the app, announced by a preamble; or a question about one.
 * The bytes that the app's socket accepted are counted when each write is done: `bytesWritten` would count what is only buffered.
 */
import { createServer, Socket, type OnReadOpts, type Server } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { parsePreamble, preambleMaxBytes, type ConnectionAnswer, type Preamble } from "../../contract/preamble.ts";
import type { Emitter } from "../../evidence/entry.ts";
import { SocketMemory } from "../../http/socket-memory.ts";
import { ConnectionTable, type Connection } from "./connections.ts";

export interface InboundHost {
  /**
   * A stream to the app, connected or not yet (`connect` follows); undefined while there is nothing to connect to. What comes is read by
   * `onread`, or is a `data` event where that is no socket.
   */
  connect(onread: OnReadOpts): Duplex | undefined;
  /** Something comes for the app on this connection: the connection itself, or bytes. */
  incoming(on: object): void;
  /** The app has begun to answer what came on it last, or the connection is over. */
  answered(on: object): void;
  /** Whether the platform has begun to end the app. */
  stopping(): boolean;
  /** A question could not be answered: the disk refused its entry. */
  onFailure(error: unknown): void;
  readonly evidence: Pick<Emitter, "write" | "sync">;
}

/** An edge writes the preamble with its first packet. */
const preambleWithinMs = 5_000;
/** A loopback connection is made or refused at once; a listener that does neither has a full backlog. */
export const connectWithinMs = 10_000;
/** An edge opens 512 at most, and asks about those that broke; each is two of this process's file descriptors. */
const connectionsMax = 2_048;
/** A question waits for the end of both sockets for at most this long, since a visitor waits for the answer. */
const finalWithinMs = 1_000;
/** An edge that asks has closed its side: what is still open of ours is closed after this part of the wait. */
const closeAfterMs = 500;

/** The server for `in.sock`; the caller listens and closes. */
export function inboundServer(
  host: InboundHost,
  table: ConnectionTable = new ConnectionTable(),
  withinMs = connectWithinMs,
): Server {
  const carried = new Map<Connection, Carried>();
  const memory = new SocketMemory();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    readPreamble(socket, (preamble, rest) => {
      if (preamble.kind === "open") return open(host, memory, table, carried, socket, preamble, rest, withinMs);
      answer(host, table, carried, socket, preamble).catch((error: unknown) => {
        // An edge that gets no answer says "unknown", and that is what it is.
        socket.destroy();
        host.onFailure(error);
      });
    });
  });
  server.maxConnections = connectionsMax;
  return server;
}

interface Carried {
  readonly inbound: Socket;
  readonly app: Duplex | undefined;
  readonly closed: Promise<void>;
}

function readPreamble(socket: Socket, then: (preamble: Preamble, rest: Buffer) => void): void {
  let held: Buffer = Buffer.alloc(0);
  const late = setTimeout(() => socket.destroy(), preambleWithinMs);
  socket.once("close", () => clearTimeout(late));
  const onData = (bytes: Buffer): void => {
    held = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
    const end = held.indexOf(10);
    if (end === -1 && held.length < preambleMaxBytes) return;
    socket.off("data", onData);
    socket.pause();
    clearTimeout(late);
    const preamble = end === -1 || end >= preambleMaxBytes ? undefined : parsePreamble(held.toString("latin1", 0, end));
    if (preamble) then(preamble, held.subarray(end + 1));
    else socket.destroy();
  };
  socket.on("data", onData);
}

function open(
  host: InboundHost,
  memory: SocketMemory,
  table: ConnectionTable,
  carried: Map<Connection, Carried>,
  inbound: Socket,
  { emitter, epoch, connection: number }: Preamble,
  first: Buffer,
  withinMs: number,
): void {
  const connection = table.open({ emitter, epoch, connection: number });
  if (!connection) return void inbound.destroy();
  host.incoming(connection);
  const toEdge = (bytes: Buffer): boolean => {
    connection.returnedBytes += bytes.length;
    host.answered(connection);
    if (!inbound.write(bytes)) app?.pause();
    return inbound.writableLength === 0;
  };
  const app = host.connect(memory.reader(toEdge, "in order"));
  if (app) endUnopened(app, withinMs);
  const closed = app ? carry(host, memory, inbound, app, connection, first, toEdge) : refuse(inbound, connection);
  const note = (): boolean => (connection.stopping = host.stopping());
  if (app) app.once("close", note);
  else note();
  carried.set(connection, { inbound, app, closed });
  void closed.then(() => {
    connection.closed = true;
    host.answered(connection);
    carried.delete(connection);
  });
}

async function refuse(inbound: Socket, connection: Connection): Promise<void> {
  connection.connected = false;
  inbound.destroy();
}

function endUnopened(app: Duplex, withinMs: number): void {
  if (!(app as Socket).connecting) return;
  const says = `nobody accepted the connection within ${withinMs} ms`;
  const late = setTimeout(() => app.destroy(Object.assign(new Error(says), { code: "ETIMEDOUT" })), withinMs);
  for (const event of ["connect", "close"]) app.once(event, () => clearTimeout(late));
}

/** Carries both ways with half-close and back-pressure; resolves when both ends are closed. */
function carry(
  host: InboundHost,
  memory: SocketMemory,
  inbound: Socket,
  app: Duplex,
  connection: Connection,
  first: Buffer,
  toEdge: (bytes: Buffer) => void,
): Promise<void> {
  const accepted = (bytes: number): void => void (connection.acceptedBytes += bytes);
  const toApp = (bytes: Buffer): boolean => {
    host.incoming(connection);
    connection.handedBytes += bytes.length;
    const more = app.write(bytes);
    const written = isWritten(app);
    if (written) accepted(bytes.length);
    else app.write(nothing, (error) => error ?? accepted(bytes.length));
    if (!more) inbound.pause();
    // What is no socket may keep what was written to it.
    return written && app instanceof Socket;
  };
  memory.adopt(inbound, toApp, "in order");
  const begin = (): void => {
    connection.connected = true;
    if (first.length > 0) toApp(first);
    inbound.on("data", toApp);
    inbound.on("end", () => app.end());
    app.on("drain", () => inbound.resume());
    app.on("data", toEdge);
    app.on("end", () => inbound.end());
    inbound.on("drain", () => app.resume());
    if (!app.writableNeedDrain) inbound.resume();
  };
  if ((app as Socket).connecting) app.once("connect", begin);
  else begin();
  inbound.on("error", () => app.destroy());
  // Nobody reads the app's answer any more, also where the app was told of the request's end before.
  inbound.on("close", () => app.destroy());
  app.on("error", (error: NodeJS.ErrnoException) => {
    connection.connected ??= false;
    connection.errno = error.code ?? error.message;
    // A unix socket cannot be reset: whether the answer was whole, its framing tells, or the question about this connection.
    inbound.destroy();
  });
  app.on("close", () => (app.readableEnded ? inbound.end() : inbound.destroy()));
  return Promise.all([closing(inbound), closing(app)]).then(() => undefined);
}

/** Nothing that was written to it is still on its way, and nothing of it failed: as a rule the kernel has it when `write` returns, which spares a callback. */
function isWritten(stream: Duplex): boolean {
  return stream.writableLength === 0 && stream.errored === null && !stream.destroyed;
}

/** Written behind something, it is done when that is. */
const nothing = Buffer.alloc(0);

function closing(stream: Duplex): Promise<void> {
  return new Promise((resolve) => stream.once("close", () => resolve()));
}

async function answer(
  host: InboundHost,
  table: ConnectionTable,
  carried: Map<Connection, Carried>,
  socket: Socket,
  { emitter, epoch, connection: number, work }: Preamble,
): Promise<void> {
  const asked = table.ask({ emitter, epoch, connection: number });
  if (asked.is === "forgotten") return void socket.destroy();
  if (asked.is === "unknown") return reply(socket, { state: "unknown" });
  await untilFinal(carried.get(asked.connection));
  reply(socket, await finalAnswer(host, asked.connection, work));
}

async function untilFinal(open: Carried | undefined): Promise<void> {
  if (!open) return;
  const stop = new AbortController();
  const wait = async (ms: number): Promise<void> => {
    await Promise.race([open.closed, delay(ms, undefined, { signal: stop.signal }).catch(() => undefined)]);
  };
  await wait(closeAfterMs);
  if (open.inbound.readableEnded || open.inbound.destroyed) {
    open.app?.destroy();
    open.inbound.destroy();
  }
  await wait(finalWithinMs - closeAfterMs);
  stop.abort();
}

async function finalAnswer(
  host: InboundHost,
  connection: Connection,
  work: string | undefined,
): Promise<ConnectionAnswer> {
  const connected = connection.connected ?? false;
  const { acceptedBytes, returnedBytes } = connection;
  const uncertainBytes = connection.handedBytes - acceptedBytes;
  const counts = {
    connected,
    acceptedBytes,
    ...(uncertainBytes > 0 ? { uncertainBytes } : {}),
    ...(connection.errno === null ? {} : { errno: connection.errno }),
    ...(connection.stopping ? { stopping: true as const } : {}),
    returnedBytes,
  };
  if (!connection.closed) return { state: "open", ...counts, entry: null };
  if (work === undefined) return { state: "closed", ...counts, entry: null };
  const { name } = connection;
  const took = connected && acceptedBytes > 0;
  const refused = connection.errno === "ETIMEDOUT" ? "route/connect-timeout" : "route/connect-refused";
  const code = took ? {} : { code: connected ? "route/reset-midway" : refused };
  const entry = host.evidence.write({
    work,
    hop: "app.take",
    mark: took ? "took" : "failed",
    facts: {
      channel: `${name.emitter}/${name.epoch}`,
      number: name.connection,
      connection: name.connection,
      ...counts,
      final: true,
      ...code,
    },
  });
  await host.evidence.sync();
  return { state: "closed", ...counts, entry: entry.id };
}

function reply(socket: Socket, answered: ConnectionAnswer): void {
  socket.end(`${JSON.stringify(answered)}\n`);
  socket.resume();
}
