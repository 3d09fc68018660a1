/** Connections over one WebSocket, between sockets of two ends: in order, bounded, each with its own ends. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { buffer } from "node:stream/consumers";
import { WebSocket, WebSocketServer } from "ws";
import { accept, acceptStreams, refuse, StreamOpener } from "../src/link/streams.ts";
import { eventually } from "./support/eventually.ts";

/** One end opens what connects to `inside`, the other brings it to whoever listens for `onLocal`. */
class World implements AsyncDisposable {
  readonly opener = new StreamOpener({ withinMs: 20_000 });
  readonly #folder = mkdtempSync(join(tmpdir(), "wb-st-"));
  readonly #far: Server;
  readonly #near: Server;
  readonly #sockets: WebSocketServer;
  onLocal: (socket: Socket) => void = (socket) => void socket.pipe(socket);

  static async open(): Promise<World> {
    const world = new World();
    await once(world.#sockets, "listening");
    return world;
  }

  private constructor() {
    this.#far = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => undefined);
      this.onLocal(socket);
    }).listen(join(this.#folder, "far"));
    this.#near = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      void this.opener.carry(socket, "known");
    }).listen(join(this.#folder, "near"));
    this.#sockets = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
    this.#sockets.on("connection", (socket) =>
      acceptStreams(socket, (stream, to) => {
        if (to !== "known") return refuse(stream);
        const local = connect({ path: join(this.#folder, "far"), allowHalfOpen: true });
        local.once("connect", () => accept(stream, local));
      }),
    );
  }

  async join(): Promise<WebSocket> {
    const { port } = this.#sockets.address() as AddressInfo;
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
    // In the very turn: what the other end says first comes with it.
    socket.once("open", () => this.opener.attach(socket));
    await once(socket, "open");
    return socket;
  }

  connect(): Socket {
    const socket = connect({ path: join(this.#folder, "near"), allowHalfOpen: true });
    socket.on("error", () => undefined);
    return socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.opener[Symbol.dispose]();
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#sockets.close();
    this.#near.close();
    this.#far.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

test("what either side says arrives whole, and one side's end leaves the other to finish", async () => {
  await using world = await World.open();
  world.onLocal = (socket) => {
    const parts: Buffer[] = [];
    socket
      .on("data", (part: Buffer) => parts.push(part))
      .on("end", () => socket.end(Buffer.concat([...parts, ...parts])));
  };
  await world.join();
  const all = await Promise.all(
    Array.from({ length: 20 }, async (_, n) => {
      const said = Buffer.alloc(300_000 + n, n);
      const socket = world.connect();
      socket.end(said);
      return (await buffer(socket)).equals(Buffer.concat([said, said]));
    }),
  );
  assert.deepEqual(new Set(all), new Set([true]));
});

test("a side that does not read holds up its own connection, and no other", async () => {
  await using world = await World.open();
  const unread: Socket[] = [];
  world.onLocal = (socket) => void (unread.length === 0 ? unread.push(socket.pause()) : socket.pipe(socket));
  await world.join();
  const slow = world.connect();
  const piece = Buffer.alloc(1 << 16);
  await eventually("the first is there", () => {
    slow.write(piece);
    return unread.length === 1;
  });
  let written = 0;
  for (; written < 64 << 20 && slow.writableLength < 4 << 20; written += piece.length) {
    slow.write(piece);
    await new Promise(setImmediate);
  }
  assert(slow.writableLength >= 4 << 20, "it has to wait");
  const other = world.connect();
  other.end("said");
  assert.equal((await buffer(other)).toString(), "said");
  slow.destroy();
});

test("those who leave in the middle of an answer break nobody else's connection", async () => {
  await using world = await World.open();
  const socket = await world.join();
  const other = world.connect();
  other.write("first");
  await once(other, "data");
  for (let left = 0; left < 1_200; left += 100)
    await Promise.all(
      Array.from({ length: 100 }, async () => {
        const visit = world.connect();
        visit.write("said");
        await once(visit, "data");
        visit.destroy();
        await once(visit, "close");
      }),
    );
  other.write("last");
  assert.equal(String((await once(other, "data"))[0]), "last");
  assert.equal(socket.readyState, WebSocket.OPEN);
});

test("a side that is gone ends the other as soon as that says more", async () => {
  await using world = await World.open();
  const arrived = Promise.withResolvers<Socket>();
  world.onLocal = arrived.resolve;
  await world.join();
  const socket = world.connect();
  socket.write("one");
  const far = await arrived.promise;
  far.resume();
  const ended = new Promise((done) => far.once("close", done));
  socket.destroy();
  // As with any socket: who is gone is noticed by who writes.
  const writes = setInterval(() => far.write("lost"), 5);
  await ended;
  clearInterval(writes);
});

test("a name that the other end does not know breaks the connection off", async () => {
  await using world = await World.open();
  await world.join();
  const socket = world.connect();
  const other = createServer({ pauseOnConnect: true }, (one) => void world.opener.carry(one, "stranger"));
  other.listen(0, "127.0.0.1");
  await once(other, "listening");
  const strange = connect((other.address() as AddressInfo).port, "127.0.0.1").on("error", () => undefined);
  strange.resume();
  strange.write("?");
  await once(strange, "close");
  other.close();
  socket.destroy();
});

test("a connection waits for a session, ends with it, and the next goes over the next", async () => {
  await using world = await World.open();
  const early = world.connect();
  early.write("early");
  assert.equal(world.opener.line, undefined);
  const first = await world.join();
  assert.equal(String((await once(early, "data"))[0]), "early");
  const line = world.opener.line;
  first.terminate();
  early.resume();
  await once(early, "end");
  assert.equal(world.opener.line, undefined, "whoever hears of the break finds the line lost");
  await world.join();
  const next = world.connect();
  next.end("next");
  assert.equal((await buffer(next)).toString(), "next");
  assert.notEqual(world.opener.line, line);
});
