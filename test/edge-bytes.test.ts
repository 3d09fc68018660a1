/** What passes edge and shim is what was sent, byte by byte, for many visitors at a time who take it in fits. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { connect, createServer as createNetServer } from "node:net";
import type { AddressInfo, Server as NetServer, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { SocketMemory } from "../src/http/socket-memory.ts";
import { appHost, edgeWorld } from "./support/edge-world.ts";
import type { EdgeWorld } from "./support/edge-world.ts";
import { eventually } from "./support/eventually.ts";
import { shimDoor } from "./support/shim-door.ts";

const bodyBytes = 3_000_000;
/** Of each kind at a time: more than pieces of memory are kept for. */
const visitors = 10;

/** No two kilobytes of it are the same, nor those of another's. */
function bodyOf(seed: number): Buffer {
  const body = Buffer.allocUnsafe(bodyBytes);
  for (let at = 0; at < bodyBytes; at += 8) body.writeDoubleLE(seed + at / 8, Math.min(at, bodyBytes - 8));
  return body;
}

const digest = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** A connection on which so many plain requests were asked and answered. */
async function connected(port: number, plain: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  for (let asked = 0; asked < plain; asked++) {
    let text = "";
    const take = (piece: Buffer): void => void (text += piece.toString("latin1"));
    socket.on("data", take).write(get("/plain"));
    await eventually("a plain answer", () => text.endsWith("\r\n\r\nok"));
    socket.off("data", take);
  }
  return socket;
}

/** When all others of this process, edge and app among them, have had so many turns. */
function afterTurns(turns: number, then: () => void): void {
  setImmediate(() => (turns > 1 ? afterTurns(turns - 1, then) : then()));
}

/** All that comes until it is so much behind the head, or the end; taken in fits, the more of them the later. */
function exchange(socket: Socket, parts: readonly (string | Buffer)[], isWhole: (body: Buffer) => boolean) {
  const pieces: Buffer[] = [];
  let bytes = 0;
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly head: string; readonly body: Buffer }>();
  const look = (): void => {
    if (bytes < bodyBytes) return;
    const all = Buffer.concat(pieces);
    const end = all.indexOf("\r\n\r\n");
    const body = all.subarray(end + 4);
    if (!isWhole(body)) return;
    socket.destroy();
    resolve({ head: all.toString("latin1", 0, end), body });
  };
  socket.on("data", (piece: Buffer) => {
    pieces.push(piece);
    bytes += piece.length;
    if (pieces.length % 3 === 0) {
      socket.pause();
      afterTurns(20 * (pieces.length % 5), () => socket.resume());
    }
    look();
  });
  socket.on("error", reject).on("close", () => reject(new Error(`closed after ${bytes} bytes`)));
  for (const part of parts) socket.write(part);
  return promise;
}

const length = (body: Buffer): boolean => body.length >= bodyBytes;
const get = (target: string, more = ""): string => `GET ${target} HTTP/1.1\r\nHost: ${appHost}\r\n${more}\r\n`;

function unchunked(body: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; ;) {
    const end = body.indexOf("\r\n", at);
    const size = Number.parseInt(body.toString("latin1", at, end), 16);
    if (size === 0) return Buffer.concat(pieces);
    pieces.push(body.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}

describe("edge and shim", () => {
  let world: EdgeWorld;
  let app: Server;
  let door: NetServer;
  const folder = mkdtempSync(join(tmpdir(), "waybill-bytes-"));

  before(async () => {
    app = createServer((request, response) => {
      const [, way, seed] = (request.url ?? "").split("/");
      if (way === "plain") return void response.writeHead(200, { "content-length": 2 }).end("ok");
      if (way === "echo") return void request.pipe(response.writeHead(200, { "content-length": bodyBytes }));
      if (way === "sized") response.setHeader("content-length", bodyBytes);
      const body = bodyOf(Number(seed));
      if (way === "sized") return void response.end(body);
      for (let at = 0; at < bodyBytes; at += 50_000) response.write(body.subarray(at, at + 50_000));
      response.end();
    });
    app.on("upgrade", (_, socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
      socket.pipe(socket);
    });
    app.listen(0, "127.0.0.1");
    await once(app, "listening");
    const path = join(folder, "in.sock");
    door = await shimDoor(path, (app.address() as AddressInfo).port);
    world = await edgeWorld((_, response) => response.end());
    const replicas = [{ id: "r_1", socket: path }];
    world.directory.set(appHost, { space: "alice/demo", owner: "alice", state: { kind: "running", replicas } });
  });
  after(async () => {
    await world.close();
    door.close();
    app.close();
    app.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  });

  const ways = {
    "an answer with a length": async (n: number, on: Socket) => (await exchange(on, [get(`/sized/${n}`)], length)).body,
    "an answer in chunks": async (n: number, on: Socket) =>
      unchunked((await exchange(on, [get(`/chunks/${n}`)], (body) => body.indexOf("\r\n0\r\n\r\n") >= 0)).body),
    "an upload and its echo": async (n: number, on: Socket) => {
      const head = get("/echo", `Content-Length: ${bodyBytes}\r\n`).replace("GET", "POST");
      return (await exchange(on, [head, bodyOf(n)], length)).body;
    },
    "a WebSocket's bytes both ways": async (n: number, on: Socket) => {
      const more =
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
      return (await exchange(on, [get("/socket", more), bodyOf(n)], length)).body;
    },
  };

  test("carry all of it for many at a time, each way beside the others", { timeout: 120_000 }, async () => {
    const seeds = Array.from({ length: visitors }, (_, n) => n + 1);
    const all = Object.entries(ways).flatMap(([what, carry], way) =>
      seeds.map(async (seed) => {
        const own = way * visitors + seed;
        // On every other connection others were carried before, as far as each may be.
        const on = await connected(world.edge.port, seed % 2 === 0 ? 0 : 3);
        assert.equal(digest(await carry(own, on)), digest(bodyOf(own)), `${what}, ${seed}`);
      }),
    );
    await Promise.all(all);
    assert.deepEqual(world.errors, []);
  });
});

test(
  "this Node's accepted sockets are read as those with `onread`, and wait and end as ever",
  { timeout: 60_000 },
  async () => {
    const memory = new SocketMemory();
    const server = createNetServer({ allowHalfOpen: true, pauseOnConnect: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const visitor = connect((server.address() as AddressInfo).port, "127.0.0.1");
    try {
      const [accepted] = (await once(server, "connection")) as [Socket];
      let [text, events, ended] = ["", 0, false];
      accepted.on("data", () => (events += 1)).on("end", () => (ended = true));
      const take = (bytes: Buffer): boolean => {
        text += bytes.toString();
        if (text === "one") accepted.pause();
        return true;
      };
      assert.equal(memory.adopt(accepted, take), true);
      accepted.resume();
      visitor.write("one");
      await eventually("the first came", () => text === "one");
      visitor.end("two");
      await eventually("the rest is on its way", () => visitor.writableFinished);
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(text, "one");
      accepted.resume();
      await eventually("the end", () => ended);
      assert.deepEqual([text, events], ["onetwo", 0]);
      accepted.end();
    } finally {
      visitor.destroy();
      server.close();
    }
  },
);
