/** What is recorded and said of files on their way, behind a real server: how far one came, who was waited for, and what ended it. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createConnection, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Explanation } from "../src/evidence/verdict.ts";
import { signTicket } from "../src/hub/lfs-address.ts";
import { LfsFace, type LfsFaceLimits } from "../src/hub/lfs-face.ts";
import { LfsStore, type LfsLimits } from "../src/hub/lfs-store.ts";
import { paceLimits } from "../src/hub/pace.ts";
import { openRepositories } from "../src/hub/repository.ts";
import type { Transfer } from "../src/hub/transfers.ts";
import { largeWorld } from "../src/hub/xet/world.suite.ts";
import { clock, random } from "./support/commits.ts";
import { eventually } from "./support/eventually.ts";
import { memoryTransfers } from "./support/transfers.ts";

const large = randomBytes(24 << 20);
const pointerTo = (bytes: Uint8Array) => ({
  oid: createHash("sha256").update(bytes).digest("hex"),
  size: bytes.length,
});
const file = pointerTo(large);

/** git-lfs' face with alice's Space, which has one large file; a token is the account's name. */
async function open(limits: Partial<LfsFaceLimits> = {}, room: Partial<LfsLimits> = {}) {
  const folder = mkdtempSync(join(tmpdir(), "wb-transfers-"));
  const repositories = openRepositories({ folder: join(folder, "repositories"), clock, random });
  await repositories.createRepository("alice/app");
  const store = new LfsStore(random, { freeMinBytes: 0, ...room });
  const key = randomBytes(32);
  const whole = async function* () {
    yield large;
  };
  await store.put(repositories.repositoryOf("alice/app"), file, whole(), "alice");
  const world = await largeWorld();
  const told = memoryTransfers();
  const { failures } = told;
  const face = new LfsFace({
    ...{ repositories, store, transfers: told.transfers, key, clock, random, limits },
    ...{ large: world.files, storage: world.storage, xet: { key, instance: "here" } },
    desk: {
      callerOf: async (field) => {
        const account = field?.replace("Bearer ", "");
        const via = { kind: "token", id: "t_1" } as const;
        const may = () => true;
        return { caller: account === undefined ? null : { account, admin: true, via, may, grants: may } };
      },
      standing: () => "public",
      storedAs: ({ id }) => id,
      mayRead: async () => true,
      mayWrite: async () => true,
      ensure: async () => ({ ok: true }),
      onFailure: (_, error) => void failures.push(error),
    },
  });
  const server = createServer((request, response) => void face.serve(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const sockets: Socket[] = [];
  return {
    ...told,
    cutShort: (oid: string) =>
      truncateSync(
        join(repositories.repositoryOf("alice/app"), "lfs/objects", oid.slice(0, 2), oid.slice(2, 4), oid),
        16 << 20,
      ),
    lose: (oid: string) =>
      rmSync(join(repositories.repositoryOf("alice/app"), "lfs/objects", oid.slice(0, 2), oid.slice(2, 4), oid)),
    /** A file lies where a folder is to be. */
    breakDisk: () =>
      writeFileSync(
        join(repositories.repositoryOf("alice/app"), "lfs/objects", pointerTo(Buffer.from("small")).oid.slice(0, 2)),
        "",
      ),
    /** Given without asking whether there is room. */
    uploadAddress(pointer: { oid: string; size: number }, by: string): string {
      const ticket = { operation: "upload", repository: "alice/app", by, ...pointer } as const;
      const query = signTicket(key, ticket, clock.wall());
      return `http://127.0.0.1:${port}/spaces/alice/app.git/info/lfs/objects/${pointer.oid}?${query}`;
    },
    async addressOf(operation: "upload" | "download", pointer: { oid: string; size: number }, by?: string) {
      const answer = await fetch(`http://127.0.0.1:${port}/spaces/alice/app.git/info/lfs/objects/batch`, {
        method: "POST",
        headers: by === undefined ? {} : { authorization: `Bearer ${by}` },
        body: JSON.stringify({ operation, objects: [pointer] }),
      });
      const { objects } = (await answer.json()) as { objects: [{ actions: Record<string, { href: string }> }] };
      return objects[0].actions[operation]?.href ?? "";
    },
    /** One who asks, and then reads and sends nothing. */
    stall(href: string): Socket {
      const socket = createConnection(port, "127.0.0.1").on("error", () => undefined);
      sockets.push(socket);
      const { pathname, search } = new URL(href);
      socket.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: x\r\n\r\n`);
      return socket;
    },
    /** The only transfer that has entries. */
    told: (what: string): Promise<Explanation> =>
      eventually(what, () => {
        const [entry] = told.emitter.entries;
        return entry && told.explain(entry.work);
      }),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      await world[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

const codeOf = ({ verdict }: Explanation): string | null =>
  verdict && `${verdict.boundary}/${verdict.code} ${verdict.owner} ${verdict.certainty}`;

describe("files on their way", () => {
  test("one that went well is one packed record, which says what passed and in how long", async () => {
    await using world = await open();
    const answer = await fetch(await world.addressOf("download", file, "bob"), {
      headers: { range: "bytes=1048576-" },
    });
    assert.equal((await answer.arrayBuffer()).byteLength, (24 << 20) - (1 << 20));
    const id = answer.headers.get("x-waybill-id") ?? "";
    assert.match(id, /^tr_/);
    await eventually("its record", () => world.emitter.packs.some(({ work }) => work === id));
    const { outcome, sentence } = world.explain(id);
    assert.equal(outcome, "ok");
    assert.match(
      sentence,
      /^The download of a file of spaces\/alice\/app by git-lfs was delivered: 24\.1 MB passed, from byte 1048576 on\. It took .* The file is sha256:[0-9a-f]{64}\.$/,
    );
    const small = Buffer.from("small");
    const sent = await fetch(await world.addressOf("upload", pointerTo(small), "alice"), {
      method: "PUT",
      body: small,
    });
    await eventually("the upload's", () => world.emitter.packs.length === 2);
    assert.match(
      world.explain(sent.headers.get("x-waybill-id") ?? "").sentence,
      /was taken, verified and kept: 5 bytes passed\./,
    );
    assert.deepEqual(
      world.emitter.packs[1]?.stages.map(([hop]) => hop),
      ["transfer.auth", "transfer.negotiate", "transfer.move", "transfer.verify"],
    );
    assert.deepEqual([world.emitter.entries, world.failures], [[], []]);
  });

  test("bytes that are not what was announced are refused, and it is the sender's to mend", async () => {
    await using world = await open();
    const href = await world.addressOf("upload", pointerTo(Buffer.from("small")), "alice");
    assert.equal((await fetch(href, { method: "PUT", body: "smell" })).status, 422);
    const told = await world.told("the refusal");
    assert.equal(codeOf(told), "transfer/digest-mismatch visitor proved");
    assert.match(told.sentence, /^This file was not taken: its SHA-256 is .*, not the .* that was announced\.$/);
    assert.equal(told.verdict?.facts.length, 1);
  });

  test("a part behind the file's end, and a content that is gone, are told apart", async () => {
    await using world = await open();
    const href = await world.addressOf("download", file, "bob");
    assert.equal((await fetch(href, { headers: { range: `bytes=${file.size}-` } })).status, 416);
    assert.equal(codeOf(await world.told("the range")), "transfer/range-mismatch visitor proved");
    await using emptied = await open();
    const gone = await emptied.addressOf("download", file, "bob");
    emptied.lose(file.oid);
    assert.equal((await fetch(gone)).status, 404);
    assert.equal(codeOf(await emptied.told("the content")), "transfer/content-missing visitor proved");
  });

  test("what there is no place, no room or no way for is told apart, and is the platform's where it is", async () => {
    const small = Buffer.from("small");
    const put = async (world: Awaited<ReturnType<typeof open>>) =>
      (await fetch(await world.addressOf("upload", pointerTo(small), "alice"), { method: "PUT", body: small })).status;
    await using full = await open({ places: { atOnce: 1, perCaller: 1, anonymous: 1, withinMs: 200 } });
    const first = await full.addressOf("download", file, "bob");
    const held = full.stall(first);
    await new Promise((heard) => held.once("data", heard));
    held.pause();
    assert.equal((await fetch(first)).status, 503);
    assert.equal(codeOf(await full.told("no place")), "transfer/busy platform proved");
    await using broken = await open();
    broken.breakDisk();
    assert.equal(await put(broken), 500);
    assert.equal(codeOf(await broken.told("a disk that fails")), "transfer/failed platform proved");
    assert.equal(broken.failures.length, 1);
    await using filled = await open({}, { freeMinBytes: Number.MAX_SAFE_INTEGER });
    const href = filled.uploadAddress(pointerTo(small), "alice");
    assert.equal((await fetch(href, { method: "PUT", body: small })).status, 507);
    assert.equal(codeOf(await filled.told("a full disk")), "transfer/disk-full platform proved");
  });

  test("a client that stands still is waited for, said so meanwhile, and given up in the end", async () => {
    await using world = await open({ pace: { ...paceLimits, patienceMs: 3_000, quietAfterMs: 300 } });
    world.stall(await world.addressOf("download", file, "bob"));
    const seen = await world.told("that it stands still");
    assert.equal(seen.outcome, "open");
    assert.match(
      seen.sentence,
      /is under way\. When it was looked at last, nothing had passed for .*, and the client was being waited for: .* of 25\.1 MB passed\.$/,
    );
    const ended = await eventually("its end", () => {
      const told = world.explain(seen.id);
      return told.verdict !== null && told;
    });
    assert.equal(codeOf(ended), "transfer/stalled visitor proved");
    assert.match(ended.sentence, /of 25\.1 MB passed\. The platform waited for the client for .*\.$/);
    assert.match(ended.verdict?.ruledOutBecause["platform"] ?? "", /waited for the client/);
  });

  test("a file that cannot be read to its end is the platform's fault, and no client has left", async () => {
    await using world = await open();
    const socket = world.stall(await world.addressOf("download", file, "bob"));
    await new Promise((heard) => socket.once("data", heard));
    socket.pause();
    world.cutShort(file.oid);
    socket.resume();
    assert.equal(codeOf(await world.told("that it failed")), "transfer/failed platform proved");
    assert.match(String(world.failures[0]), /bytes could be read, and not 25165824/);
  });

  test("a client that leaves in the middle has left", async () => {
    await using world = await open();
    const socket = world.stall(await world.addressOf("download", file, "bob"));
    await new Promise((heard) => socket.once("data", heard));
    socket.destroy();
    assert.equal(codeOf(await world.told("that it left")), "transfer/client-left visitor proved");
  });

  test("of a client that has left before it was known what is to be moved, nothing watches the pace", async () => {
    const { transfers } = memoryTransfers();
    const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
    const begun = Promise.withResolvers<Transfer>();
    await using server = createServer((request, response) => {
      const about = { direction: "download", via: "http", repository: "spaces/alice/app", account: null } as const;
      const transfer = transfers.begin(request, response, { ...about, pace: paceLimits });
      response.once("close", () => begun.resolve(transfer));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const socket = createConnection(port, "127.0.0.1").on("error", () => undefined);
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await new Promise<void>((resolve) => server.once("request", () => resolve()));
    socket.destroy();
    const transfer = await begun.promise;
    const before = timers();
    transfer.negotiated({ ofBytes: 1 });
    assert.equal(timers(), before);
  });

  test("what anybody may cause as often as they like is counted", async () => {
    await using world = await open();
    const href = await world.addressOf("download", file);
    const beyond = await fetch(href, { headers: { range: `bytes=${file.size}-` } });
    const expired = await fetch(href.replace(/expires=\d+/, "expires=1").replace(/signature=[^&]*/, "signature=x"));
    assert.deepEqual([beyond.status, expired.status], [416, 403]);
    assert.deepEqual(
      world.counted.map(({ code }) => code),
      ["transfer/range-mismatch", "transfer/url-expired"],
    );
    assert.deepEqual(
      [beyond, expired].map(({ headers }) => headers.get("x-waybill-id")),
      ["n_1", "n_2"],
    );
    assert.deepEqual(world.emitter.entries, []);
  });
});
