/** What is recorded and said of files on their way, behind a real server: how far one came, who was waited for, and what ended it. */
import assert from "node:assert/strict";
import { rmSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createConnection } from "node:net";
import type { AddressInfo } from "node:net";
import { dirname } from "node:path";
import { describe, test } from "node:test";
import type { Explanation } from "../src/evidence/verdict.ts";
import { signTicket } from "../src/hub/lfs-address.ts";
import { paceLimits } from "../src/hub/pace.ts";
import type { Transfer } from "../src/hub/transfers.ts";
import { clock } from "./support/commits.ts";
import { eventually } from "./support/eventually.ts";
import { largeFile, lfsWorld, type LfsWorld } from "./support/lfs-world.ts";
import { needs } from "./support/needs.ts";
import { pointerTo } from "./support/sha256.ts";
import { SmallDisk } from "./support/small-disk.ts";
import { memoryTransfers } from "./support/transfers.ts";

const ownDisk = await needs("own-disk");
const small = Buffer.from("small");

/** What is told of the only transfer that has entries. */
const toldOf = (world: LfsWorld, what: string): Promise<Explanation> =>
  eventually(what, () => {
    const [entry] = world.emitter.entries;
    return entry && world.explain(entry.work);
  });

const codeOf = ({ verdict }: Explanation): string | null =>
  verdict && `${verdict.boundary}/${verdict.code} ${verdict.owner} ${verdict.certainty}`;

describe("files on their way", () => {
  test("one that went well is one packed record, which says what passed and in how long", async () => {
    await using world = await lfsWorld();
    const answer = await fetch(await world.addressOf("download", largeFile, "bob"), {
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
    await using world = await lfsWorld();
    const href = await world.addressOf("upload", pointerTo(Buffer.from("small")), "alice");
    assert.equal((await fetch(href, { method: "PUT", body: "smell" })).status, 422);
    const told = await toldOf(world, "the refusal");
    assert.equal(codeOf(told), "transfer/digest-mismatch visitor proved");
    assert.match(told.sentence, /^This file was not taken: its SHA-256 is .*, not the .* that was announced\.$/);
    assert.equal(told.verdict?.facts.length, 1);
  });

  test("a part behind the file's end, and a content that is gone, are told apart", async () => {
    await using world = await lfsWorld();
    const href = await world.addressOf("download", largeFile, "bob");
    assert.equal((await fetch(href, { headers: { range: `bytes=${largeFile.size}-` } })).status, 416);
    assert.equal(codeOf(await toldOf(world, "the range")), "transfer/range-mismatch visitor proved");
    await using emptied = await lfsWorld();
    const gone = await emptied.addressOf("download", largeFile, "bob");
    rmSync(emptied.objectFile(largeFile.oid));
    assert.equal((await fetch(gone)).status, 404);
    assert.equal(codeOf(await toldOf(emptied, "the content")), "transfer/content-missing visitor proved");
  });

  test("what there is no place, no room or no way for is told apart, and is the platform's where it is", async () => {
    const put = async (world: LfsWorld) =>
      (await fetch(await world.addressOf("upload", pointerTo(small), "alice"), { method: "PUT", body: small })).status;
    await using full = await lfsWorld({ places: { atOnce: 1, perCaller: 1, anonymous: 1, withinMs: 200 } });
    const first = await full.addressOf("download", largeFile, "bob");
    const held = full.stall(first);
    await new Promise((heard) => held.once("data", heard));
    held.pause();
    assert.equal((await fetch(first)).status, 503);
    assert.equal(codeOf(await toldOf(full, "no place")), "transfer/busy platform proved");
    await using broken = await lfsWorld();
    // A file lies where a folder is to be.
    writeFileSync(dirname(dirname(broken.objectFile(pointerTo(small).oid))), "");
    assert.equal(await put(broken), 500);
    assert.equal(codeOf(await toldOf(broken, "a disk that fails")), "transfer/failed platform proved");
    assert.equal(broken.failures.length, 1);
    await using filled = await lfsWorld({}, { freeMinBytes: Number.MAX_SAFE_INTEGER });
    // Given without asking whether there is room.
    const ticket = { operation: "upload", repository: "alice/app", by: "alice", ...pointerTo(small) } as const;
    const path = `/spaces/alice/app.git/info/lfs/objects/${ticket.oid}?${signTicket(filled.key, ticket, clock.wall())}`;
    const sent = await fetch(`http://127.0.0.1:${filled.port}${path}`, { method: "PUT", body: small });
    assert.equal(sent.status, 507);
    assert.equal(codeOf(await toldOf(filled, "a full disk")), "transfer/disk-full platform proved");
  });

  test(
    "a disk that becomes full while a file comes is told as that, and nothing of the file stays",
    ownDisk,
    async () => {
      using disk = new SmallDisk(64 << 20);
      await using world = await lfsWorld({}, {}, disk.path);
      const bytes = Buffer.alloc(16 << 20, "x");
      const href = await world.addressOf("upload", pointerTo(bytes), "alice");
      const half = bytes.length / 2;
      const body = new ReadableStream<Uint8Array>({
        start: (sent) => sent.enqueue(bytes.subarray(0, half)),
        pull: (sent) => {
          disk.fill();
          sent.enqueue(bytes.subarray(half));
          sent.close();
        },
      });
      const length = { "content-length": String(bytes.length) };
      const answer = await fetch(href, { method: "PUT", headers: length, body, duplex: "half" });
      assert.equal(answer.status, 507, await answer.text());
      assert.equal(codeOf(await toldOf(world, "the full disk")), "transfer/disk-full platform proved");
      disk.free();
      assert.equal((await fetch(href, { method: "PUT", body: bytes })).status, 200);
    },
  );

  test("a part from one who may only propose is refused with its reason: files of pull requests come whole", async () => {
    await using world = await lfsWorld();
    const ticket = { operation: "upload", repository: "alice/app", by: "proposer", ...pointerTo(small) } as const;
    const query = signTicket(world.key, ticket, clock.wall());
    const path = `/spaces/alice/app.git/info/lfs/objects/${ticket.oid}/parts/1?${query}`;
    const sent = await fetch(`http://127.0.0.1:${world.port}${path}`, { method: "PUT", body: small });
    assert.equal(sent.status, 403);
    const told = await toldOf(world, "the refusal");
    assert.match(codeOf(told) ?? "", /^transfer\/url-expired /);
    assert.match(told.sentence, /^A file of a pull request comes whole/);
  });

  test("a client that stands still is waited for, said so meanwhile, and given up in the end", async () => {
    await using world = await lfsWorld({ pace: { ...paceLimits, patienceMs: 3_000, quietAfterMs: 300 } });
    world.stall(await world.addressOf("download", largeFile, "bob"));
    const seen = await toldOf(world, "that it stands still");
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
    await using world = await lfsWorld();
    const socket = world.stall(await world.addressOf("download", largeFile, "bob"));
    await new Promise((heard) => socket.once("data", heard));
    socket.pause();
    truncateSync(world.objectFile(largeFile.oid), 16 << 20);
    socket.resume();
    assert.equal(codeOf(await toldOf(world, "that it failed")), "transfer/failed platform proved");
    assert.match(String(world.failures[0]), /bytes could be read, and not 25165824/);
  });

  test("one that broke off and is begun again says which try it is, and leads to the one before", async () => {
    await using world = await lfsWorld();
    const href = await world.addressOf("download", largeFile, "bob");
    const socket = world.stall(href);
    await new Promise((heard) => socket.once("data", heard));
    socket.destroy();
    const first = await toldOf(world, "that it left");
    const answer = await fetch(href, { headers: { range: `bytes=${20 << 20}-` } });
    await answer.arrayBuffer();
    const second = await eventually("the second's record", () => world.emitter.packs[0]);
    assert.deepEqual([second.facts["tries"], second.facts["link"], second.facts["storedBy"]], [2, [first.id], "lfs"]);
    assert.equal(typeof second.facts["moveMs"], "number");
    await (await fetch(href)).arrayBuffer();
    const third = await eventually("the third's record", () => world.emitter.packs[1]);
    assert.equal(third.facts["tries"], undefined);
  });

  test("a client that leaves in the middle has left", async () => {
    await using world = await lfsWorld();
    const socket = world.stall(await world.addressOf("download", largeFile, "bob"));
    await new Promise((heard) => socket.once("data", heard));
    socket.destroy();
    assert.equal(codeOf(await toldOf(world, "that it left")), "transfer/client-left visitor proved");
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
    await using world = await lfsWorld();
    const href = await world.addressOf("download", largeFile, null);
    const beyond = await fetch(href, { headers: { range: `bytes=${largeFile.size}-` } });
    const expired = await fetch(href.replace(/until=\d+/, "until=1").replace(/signature=[^&]*/, "signature=x"));
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
