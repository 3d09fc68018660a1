/** git-lfs' face behind a server of its own, with limits that are soon reached: whose bytes move, and who is given up. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createConnection, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { LfsFace, type LfsFaceLimits } from "../../src/hub/lfs-face.ts";
import { LfsStore } from "../../src/hub/lfs-store.ts";
import { largeWorld } from "../../src/hub/xet/world.suite.ts";
import { paceLimits } from "../../src/hub/pace.ts";
import { openRepositories } from "../../src/hub/repository.ts";
import { clock, random } from "../support/commits.ts";
import { until } from "../support/platform.ts";
import { memoryTransfers } from "../support/transfers.ts";

const large = randomBytes(24 << 20);
const pointerTo = (bytes: Uint8Array) => ({
  oid: createHash("sha256").update(bytes).digest("hex"),
  size: bytes.length,
});
const file = pointerTo(large);

/** A face with alice's Space, which has one large file; a token is the account's name. */
async function open(limits: Partial<LfsFaceLimits>) {
  const folder = mkdtempSync(join(tmpdir(), "wb-lfs-"));
  const repositories = openRepositories({ folder: join(folder, "repositories"), clock, random });
  await repositories.createRepository("alice/app");
  const store = new LfsStore(random, { freeMinBytes: 0 });
  await store.put(
    repositories.repositoryOf("alice/app"),
    file,
    (async function* () {
      yield large;
    })(),
    "alice",
  );
  const failures: unknown[] = [];
  const world = await largeWorld();
  const face = new LfsFace({
    repositories,
    store,
    large: world.files,
    storage: world.storage,
    xet: { key: randomBytes(32), instance: "here" },
    transfers: memoryTransfers().transfers,
    desk: {
      callerOf: async (field) => ({
        caller:
          field === undefined
            ? null
            : {
                account: field.replace("Bearer ", ""),
                admin: true,
                via: { kind: "token", id: "t_1" },
                may: () => true,
                grants: () => true,
              },
      }),
      standing: () => "public",
      storedAs: ({ id }) => id,
      mayRead: async () => true,
      mayWrite: async () => true,
      ensure: async () => ({ ok: true }),
      onFailure: (_, error) => void failures.push(error),
    },
    key: randomBytes(32),
    clock,
    random,
    limits,
  });
  const server = createServer((request, response) => void face.serve(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const sockets: Socket[] = [];
  const served = new Set<number | undefined>();
  server.on("connection", (socket) => {
    const { remotePort } = socket;
    served.add(remotePort);
    socket.once("close", () => served.delete(remotePort));
  });
  const addressOf = async (
    operation: "upload" | "download",
    pointer: { oid: string; size: number },
    by?: string,
  ): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${port}/spaces/alice/app.git/info/lfs/objects/batch`, {
      method: "POST",
      headers: by === undefined ? {} : { authorization: `Bearer ${by}` },
      body: JSON.stringify({ operation, objects: [pointer] }),
    });
    const { objects } = (await answer.json()) as { objects: [{ actions: Record<string, { href: string }> }] };
    return objects[0].actions[operation]?.href ?? "";
  };
  return {
    failures,
    addressOf,
    /** How many of those who stall are connected still. */
    stalled: () => sockets.filter(({ localPort }) => served.has(localPort)).length,
    /** One who asks, and then reads and sends nothing. */
    stall(href: string, method: "GET" | "PUT" = "GET", length = 0): Socket {
      const socket = createConnection(port, "127.0.0.1");
      sockets.push(socket);
      socket.on("error", () => undefined); // Given up by the other side, as it should be.
      const { pathname, search } = new URL(href);
      socket.write(`${method} ${pathname}${search} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`);
      return socket;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      await world[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

const statusOf = async (href: string): Promise<number> => {
  const answer = await fetch(href);
  await answer.body?.cancel();
  return answer.status;
};

describe("git-lfs' face", () => {
  test("readers without a token leave places for those with one, and none of them takes an upload's", async () => {
    await using world = await open({ places: { atOnce: 2, perCaller: 2, anonymous: 1, withinMs: 500 } });
    const nameless = await world.addressOf("download", file);
    world.stall(nameless);
    await until("its place is held", async () => (await statusOf(nameless)) === 503);
    assert.equal(await statusOf(await world.addressOf("download", file, "bob")), 200);
    const small = Buffer.from("small");
    const upload = await world.addressOf("upload", pointerTo(small), "alice");
    assert.equal((await fetch(upload, { method: "PUT", body: small })).status, 200);
    assert.deepEqual(world.failures, []);
  });

  test("whose address it is cannot be changed to another's", async () => {
    await using world = await open({});
    const href = await world.addressOf("download", file);
    assert.equal(await statusOf(href.replace("by=&", "by=bob&")), 403);
  });

  test("one who leaves before its turn, or in the middle, frees its place at once", async () => {
    await using world = await open({ places: { atOnce: 1, perCaller: 1, anonymous: 1, withinMs: 120_000 } });
    const href = await world.addressOf("download", file);
    const first = world.stall(href);
    const second = world.stall(href);
    const next = statusOf(href);
    second.destroy();
    first.destroy();
    const since = performance.now();
    assert.equal(await next, 200);
    assert.ok(performance.now() - since < 60_000);
  });

  test("one who takes or sends some bytes a second is ended, and leaves no bytes", async () => {
    await using world = await open({ pace: { ...paceLimits, patienceMs: 1_000, minBytesPerSecond: 64 << 10 } });
    const reader = world.stall(await world.addressOf("download", file));
    const unsent = randomBytes(1 << 20);
    const sender = world.stall(await world.addressOf("upload", pointerTo(unsent), "alice"), "PUT", unsent.length);
    const drips = setInterval(() => {
      reader.read(1);
      sender.write(unsent.subarray(0, 1));
    }, 100);
    await until("the sender is ended", () => sender.resume().destroyed);
    await until("the reader is ended", () => world.stalled() === 0);
    clearInterval(drips);
    let bytes = 0;
    reader.on("data", (piece: Buffer) => (bytes += piece.length));
    await until("it has read what came", () => reader.destroyed);
    assert.ok(bytes < large.length, "it was not given all");
    // The same file can be sent again: nothing of it counts as stored.
    const again = await world.addressOf("upload", pointerTo(unsent), "alice");
    assert.equal((await fetch(again, { method: "PUT", body: unsent })).status, 200);
  });
});
