/** What the keeper of large files finds, and what it removes. */
import assert from "node:assert/strict";
import { rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { instant } from "../stdx/time.ts";
import { HubKeeper } from "./keeper.ts";
import { findLarge, LfsStore } from "./lfs-store.ts";
import { XetHashes } from "./xet/hashes.ts";
import { readShard, type Shard } from "./xet/shard.ts";
import { XetStore } from "./xet/store.ts";
import { bytesOf, packShard, sha256, uploadOf, type Upload } from "./xet/writer.suite.ts";
import { largeWorld, random, type LargeWorld } from "./xet/world.suite.ts";

const whose = (stored: string) => ({ holder: `spaces/${stored}`, owner: stored.split("/")[0] ?? "" });

let hashes: XetHashes;
before(async () => {
  hashes = new XetHashes();
});

async function* whole(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function open() {
  const world = await largeWorld();
  const { xet, threads, clock } = world;
  const keeper = new HubKeeper({
    xet,
    threads,
    clock,
    random,
    whose,
    repositories: join(world.folder, "repositories"),
  });
  const scope = world.scope("alice");
  const folder = world.repository("alice/app");
  return {
    world,
    keeper,
    folder,
    async store(seed: string): Promise<Upload> {
      const upload = uploadOf(hashes, bytesOf(seed, 300_000));
      assert.ok((await xet.putXorb(upload.xorb, whole(upload.packed), scope)).ok);
      assert.ok((await xet.putShard(readShard(packShard([upload.file])) as Shard, scope, { folder })).ok);
      return upload;
    },
    later: (ms: number) => (clock.now = instant(clock.now + ms)),
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

const fileOf = (world: LargeWorld, { xorb }: Upload): string => world.blobs.fileOf({ kind: "xorbs", digest: xorb });
const noteOf = (folder: string, { file: { sha256: oid } }: Upload): string =>
  join(folder, "lfs", "xet", "notes", oid.slice(0, 2), oid.slice(2, 4), oid);

describe("verifying", () => {
  test("finds nothing wrong with what is whole", async () => {
    await using hub = await open();
    await hub.store("whole");
    const bytes = bytesOf("lfs", 1_000);
    const lfs = new LfsStore(random, { freeMinBytes: 0 });
    await lfs.put(hub.folder, { oid: sha256(bytes), size: 1_000 }, whole(bytes), "alice");
    const found = await hub.keeper.verify();
    assert.deepEqual([found.problems, found.xorbs, found.files], [[], 1, 2]);
  });

  for (const [what, break_, says] of [
    ["a xorb that is cut off", (world, upload) => truncateSync(fileOf(world, upload), 100_000), /has no table/],
    ["a xorb that is gone", (world, upload) => rmSync(fileOf(world, upload)), /known, and its bytes are not there/],
    [
      "a xorb with other bytes",
      (world, upload) => {
        const blob = Buffer.concat([upload.packed]);
        const table = Buffer.from(hashTable(upload));
        blob[50_000] = (blob[50_000] ?? 0) ^ 1;
        writeFileSync(fileOf(world, upload), Buffer.concat([blob, table]));
      },
      /it is the xorb/,
    ],
    [
      "a file of git-lfs with other bytes",
      (world) => {
        const folder = join(world.repository("alice/app"), "lfs", "objects", "11", "11");
        const name = "1".repeat(64);
        rmSync(folder, { recursive: true, force: true });
        world.repository("alice/app.git/lfs/objects/11/11/x");
        writeFileSync(join(folder, name), "other");
      },
      /damaged: its SHA-256 is/,
    ],
  ] as const satisfies readonly (readonly [string, (world: LargeWorld, upload: Upload) => void, RegExp])[])
    test(`finds ${what}`, async () => {
      await using hub = await open();
      const upload = await hub.store(what);
      break_(hub.world, upload);
      const { problems } = await hub.keeper.verify();
      assert.match(problems.join("\n"), says);
    });
});

/** As it stands behind the xorb's bytes. */
function hashTable({ leaves }: Upload): Uint8Array {
  const rows = leaves.map(({ hash, length }) => ({ hash, length }));
  let packedEnd = 0;
  const bytes = Buffer.alloc(rows.length * 40 + 16);
  for (const [n, { hash, length }] of rows.entries()) {
    packedEnd += length + 8;
    bytes.set(hash, n * 40);
    bytes.writeUInt32LE(length, n * 40 + 32);
    bytes.writeUInt32LE(packedEnd, n * 40 + 36);
  }
  bytes.writeUInt32LE(rows.length, rows.length * 40);
  bytes.writeUInt32LE(packedEnd, rows.length * 40 + 4);
  bytes.set(Buffer.from("WBXORB1\0"), rows.length * 40 + 8);
  return bytes;
}

describe("collecting", () => {
  test("removes what no repository has, when nobody has needed it for long enough, and nothing else", async () => {
    await using hub = await open();
    const [kept, gone] = [await hub.store("kept"), await hub.store("gone")];
    const loose = uploadOf(hashes, bytesOf("loose", 200_000));
    await hub.world.xet.putXorb(loose.xorb, whole(loose.packed), hub.world.scope("alice"));
    rmSync(noteOf(hub.folder, gone));
    const { world, keeper } = hub;
    // The blobs' own age is the disk's.
    const nothing = { files: 0, xorbs: 0, bytes: 0 };
    assert.deepEqual(await keeper.collect(world.clock.now), nothing, "all of it came just then");
    const now = hub.later(Date.now() - world.clock.now + 60_000);
    const found = await keeper.collect(now);
    assert.deepEqual([found.files, found.xorbs], [1, 2]);
    assert.deepEqual((await keeper.verify()).problems, []);
    assert.ok(await world.xet.sha256Of(kept.file.hash));
    assert.equal(await world.xet.sha256Of(gone.file.hash), undefined);
    assert.deepEqual(await keeper.collect(now), nothing);
    const again = await hub.store("gone");
    const object = await findLarge(hub.folder, again.file.sha256);
    assert.ok(object, "it can be brought again");
  });

  test("knows again what a database from before does not", async () => {
    await using hub = await open();
    const upload = await hub.store("adopted");
    await using other = await open();
    // Another database, the same files.
    const { world } = hub;
    const limits = { fileMaxBytes: 0, shardFilesMaxBytes: 0 };
    const rows = other.world.catalog.largeFiles;
    const xet = new XetStore({
      ...{ blobs: world.blobs, rows },
      threads: world.threads,
      clock: world.clock,
      random,
      limits,
    });
    const repositories = join(world.folder, "repositories");
    const keeper = new HubKeeper({ xet, threads: world.threads, clock: world.clock, random, whose, repositories });
    const now = instant(Date.now() + 60_000);
    world.clock.now = now;
    assert.deepEqual(await keeper.collect(now), { files: 0, xorbs: 0, bytes: 0 });
    assert.equal((await rows.file(upload.file.hash))?.sha256, upload.file.sha256);
    assert.deepEqual(await rows.held([upload.xorb], ["spaces/alice/app"]), new Set([upload.xorb]));
  });
});
