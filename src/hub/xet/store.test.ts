/** What the store of xorbs takes and gives, and what nobody learns of it. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { findLarge, LfsStore } from "../lfs-store.ts";
import { toHex } from "./hash-text.ts";
import { XetHashes, emptyFile } from "./hashes.ts";
import { readShard, type Shard } from "./shard.ts";
import { allowedOf, sourceOf } from "./sources.ts";
import type { Scope, Taken } from "./store.ts";
import { XorbReader } from "./xorb.ts";
import { bytesOf, inTwo, packings, packShard, partOf, sha256, uploadOf } from "./writer.suite.ts";
import type { SentFile, Upload } from "./writer.suite.ts";
import { largeWorld, random, type LargeWorld } from "./world.suite.ts";

let hashes: XetHashes;
let world: LargeWorld;
before(async () => {
  hashes = new XetHashes();
  world = await largeWorld();
});
after(() => world[Symbol.asyncDispose]());

async function* pieces(bytes: Uint8Array, size = 100_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function all(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

const putXorb = ({ xorb, packed }: Pick<Upload, "xorb" | "packed">, scope: Scope): Promise<Taken> =>
  world.xet.putXorb(xorb, pieces(packed), scope);

function putFiles(files: readonly SentFile[], scope: Scope): Promise<Taken> {
  const shard = readShard(packShard(files)) as Shard;
  return world.xet.putShard(shard, scope, { folder: folderOf(scope) });
}

const folderOf = ({ repository }: Scope): string => world.repository(repository.slice("spaces/".length));
const says = (taken: Taken): string => (taken.ok ? "taken" : taken.says);

async function read(scope: Scope, oid: string, range?: { from: number; to: number }): Promise<Buffer> {
  const object = await findLarge(folderOf(scope), oid);
  assert.ok(object, "the repository has it");
  return all(world.files.open(object, range));
}

let seeds = 0;
const fresh = (size = 400_000): Upload =>
  uploadOf(hashes, bytesOf(`store ${++seeds}`, size), (n) => packings[n % 3] ?? "none");

describe("a file that came by Xet", () => {
  test("is the repository's under its SHA-256, and any part of it can be read", async () => {
    const scope = world.scope("alice", "reading");
    const uploads = [fresh(700_000), fresh(300_000)];
    for (const upload of uploads) assert.deepEqual(await putXorb(upload, scope), { ok: true, fresh: true });
    const [a, b] = uploads as [Upload, Upload];
    // Of two xorbs, one of them twice.
    const parts = [
      { of: a, from: 1, to: a.chunks.length },
      { of: b, from: 0, to: b.chunks.length },
      { of: a, from: 0, to: 3 },
    ];
    const leaves = parts.flatMap(({ of, from, to }) => of.leaves.slice(from, to));
    const bytes = Buffer.concat(parts.flatMap(({ of, from, to }) => of.chunks.slice(from, to)));
    const file = {
      hash: hashes.file(leaves),
      terms: parts.map(({ of, from, to }) => ({
        ...{ xorb: of.xorb, from, to },
        bytes: of.leaves.slice(from, to).reduce((sum, { length }) => sum + length, 0),
      })),
      verification: parts.map(({ of, from, to }) => hashes.verification(of.leaves.slice(from, to))),
      sha256: sha256(bytes),
    };
    assert.deepEqual(await putFiles([file], scope), { ok: true, fresh: true });
    assert.deepEqual(await putFiles([file], scope), { ok: true, fresh: false }, "a replay is harmless");
    assert.ok((await read(scope, file.sha256)).equals(bytes));
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: bytes.length }), fc.nat({ max: bytes.length }), async (x, y) => {
        const range = { from: Math.min(x, y), to: Math.max(x, y) };
        assert.ok((await read(scope, file.sha256, range)).equals(bytes.subarray(range.from, range.to)));
      }),
      { numRuns: 30 },
    );
  });

  test("may be empty", async () => {
    const scope = world.scope("alice", "empty");
    const digest = sha256(Buffer.alloc(0));
    assert.equal(says(await putFiles([{ hash: emptyFile, terms: [], sha256: digest }], scope)), "taken");
    assert.equal((await read(scope, digest)).length, 0);
  });

  test("of which the writer gives no SHA-256 has the one that it has", async () => {
    const scope = world.scope("alice", "without");
    const upload = fresh();
    await putXorb(upload, scope);
    const { sha256: digest, ...file } = upload.file;
    assert.equal(says(await putFiles([file], scope)), "taken");
    assert.ok((await read(scope, digest)).equals(upload.bytes));
  });
});

describe("a xorb is not taken", () => {
  for (const [what, change, expected] of [
    ["under another name", (packed: Buffer) => Buffer.concat([packed, packed]), /what was sent is the xorb/],
    ["that is cut off", (packed: Buffer) => packed.subarray(0, packed.length - 1), /is cut off/],
    ["that is empty", () => Buffer.alloc(0), /no chunk/],
  ] as const)
    test(what, async () => {
      const upload = fresh();
      const taken = await putXorb({ ...upload, packed: change(upload.packed) }, world.scope("alice"));
      assert.match(says(taken), expected);
      assert.equal(await world.blobs.size({ kind: "xorbs", digest: upload.xorb }), undefined);
      assert.equal(await world.xet.rows.xorb(upload.xorb), undefined);
    });

  test("whose sender breaks off", async () => {
    const upload = fresh();
    const broken = (async function* () {
      yield upload.packed.subarray(0, 100_000);
      throw new Error("gone");
    })();
    await assert.rejects(world.xet.putXorb(upload.xorb, broken, world.scope("alice")), /gone/);
    assert.equal(await world.blobs.size({ kind: "xorbs", digest: upload.xorb }), undefined);
  });
});

describe("a file is not taken", () => {
  const term = (upload: Upload, change: Partial<Upload["file"]["terms"][number]>): SentFile => ({
    ...upload.file,
    terms: [{ ...(upload.file.terms[0] as Upload["file"]["terms"][number]), ...change }],
  });
  for (const [what, change, expected] of [
    ["of chunks beyond the xorb", (upload: Upload) => term(upload, { to: 9_999 }), /the xorb [0-9a-f]+ has \d+/],
    ["of a term whose length lies", (upload: Upload) => term(upload, { bytes: 12 }), /has 400000 bytes, not 12/],
    [
      "whose chunks are not those that were verified",
      (upload: Upload) => ({ ...upload.file, verification: ["1".repeat(64)] }),
      /not verified/,
    ],
    ["under another hash", (upload: Upload) => ({ ...upload.file, hash: "2".repeat(64) }), /make the file/],
    ["under another SHA-256", (upload: Upload) => ({ ...upload.file, sha256: "3".repeat(64) }), /The SHA-256 of/],
    ["of a xorb that is not here", (upload: Upload) => term(upload, { xorb: "4".repeat(64) }), /was not sent by you/],
  ] as const)
    test(what, async () => {
      const scope = world.scope("alice", `refused${++seeds}`);
      const upload = fresh();
      await putXorb(upload, scope);
      const sent = change(upload);
      assert.match(says(await putFiles([sent], scope)), expected);
      for (const digest of [upload.file.sha256, sent.sha256 ?? ""])
        assert.equal(await findLarge(folderOf(scope), digest), undefined);
      assert.equal(await sourceOf(world.xet, folderOf(scope), upload.file.hash), undefined);
    });
});

test("files of which a few bytes stand for endless ones are refused before any is read", async () => {
  const scope = world.scope("alice", "endless");
  const upload = fresh();
  await putXorb(upload, scope);
  const [term] = upload.file.terms;
  assert.ok(term);
  const repeated = (times: number): SentFile => ({ hash: upload.file.hash, terms: Array(times).fill(term) });
  assert.match(says(await putFiles([repeated(3_000)], scope)), /too large: one file may have 1073741824 bytes/);
  const many = Array<SentFile>(3).fill(repeated(2_600));
  assert.match(says(await putFiles(many, scope)), /one shard may have 2147483648 bytes together/);
});

describe("of another's bytes nobody learns", () => {
  test("that they are here: naming them is answered as naming what is nowhere", async () => {
    const [alice, bob] = [world.scope("alice"), world.scope("bob")];
    const upload = fresh();
    await putXorb(upload, alice);
    await putFiles([upload.file], alice);
    const mine = says(await putFiles([upload.file], bob));
    const nowhere = fresh();
    const nothing = says(await putFiles([nowhere.file], bob));
    assert.equal(mine.replaceAll(upload.xorb, "X"), nothing.replaceAll(nowhere.xorb, "X"));
    assert.equal(await sourceOf(world.xet, folderOf(bob), upload.file.hash), undefined);
    assert.equal(await findLarge(folderOf(bob), upload.file.sha256), undefined);
  });

  test("by sending the same: a xorb and a file are as new as if nobody had sent them", async () => {
    const [alice, bob] = [world.scope("alice"), world.scope("bob")];
    const upload = fresh();
    for (const scope of [alice, bob]) {
      assert.deepEqual(await putXorb(upload, scope), { ok: true, fresh: true });
      let looked = 0;
      const shard = readShard(packShard([upload.file])) as Shard;
      const options = { folder: folderOf(scope), onProgress: (done: number) => (looked = done) };
      assert.deepEqual(await world.xet.putShard(shard, scope, options), { ok: true, fresh: true });
      assert.equal(looked, upload.bytes.length, "all of it was read, as of what nobody had");
    }
    assert.deepEqual(await putXorb(upload, bob), { ok: true, fresh: false });
  });

  test("by sending the same in other xorbs: each is given the file out of those that were brought to the repository", async () => {
    const [alice, bob] = [world.scope("alice", "same"), world.scope("bob", "same")];
    const upload = fresh();
    await putXorb(upload, alice);
    await putFiles([upload.file], alice);
    const halves = inTwo(hashes, upload);
    for (const half of halves.xorbs) await putXorb(half, bob);
    assert.equal(says(await putFiles([halves.file], bob)), "taken");
    const xorbsOf = async (scope: Scope): Promise<readonly string[] | undefined> =>
      (await sourceOf(world.xet, folderOf(scope), upload.file.hash))?.terms.map(({ xorb }) => xorb);
    assert.deepEqual(await xorbsOf(alice), [upload.xorb]);
    assert.deepEqual(
      await xorbsOf(bob),
      halves.xorbs.map(({ xorb }) => xorb),
    );
    assert.ok((await read(bob, upload.file.sha256)).equals(upload.bytes));
  });

  test("by sending the same by git-lfs: its hash of Xet is worked out anew, as of what nobody had", async () => {
    const bytes = bytesOf("by git-lfs twice", 300_000);
    const oid = sha256(bytes);
    const lfs = new LfsStore(random, { freeMinBytes: 0 });
    for (const scope of [world.scope("alice", "whole"), world.scope("bob", "whole")]) {
      await lfs.put(folderOf(scope), { oid, size: bytes.length }, pieces(bytes), scope.account);
      const object = await findLarge(folderOf(scope), oid);
      assert.ok(object);
      const known = await world.xet.rows.conversion({ sha256: oid });
      if (known) assert.equal(await sourceOf(world.xet, folderOf(scope), known.hash), undefined, "nor by its hash");
      assert.equal(await world.files.xetHashOf(object), undefined, scope.account);
      await world.files.idle();
      const hash = await world.files.xetHashOf(object);
      assert.ok(hash !== undefined && (await sourceOf(world.xet, folderOf(scope), hash)) !== undefined);
    }
    const first = await findLarge(folderOf(world.scope("alice", "whole")), oid);
    assert.notEqual(first && (await world.files.xetHashOf(first)), undefined, "and the first knows it still");
  });

  test("by asking for a chunk: only who brought it is told", async () => {
    const [alice, bob] = [world.scope("alice"), world.scope("bob")];
    const upload = fresh();
    await putXorb(upload, alice);
    await putFiles([upload.file], alice);
    const first = toHex(upload.leaves[0]?.hash ?? new Uint8Array());
    const told = await world.xet.shardOf(first, alice);
    assert.ok(told);
    const shard = readShard(told) as Shard;
    assert.deepEqual([[...shard.files], shard.xorbs], [[], [upload.xorb]]);
    assert.equal(await world.xet.shardOf(first, bob), undefined);
    assert.equal(await world.xet.shardOf("5".repeat(64), alice), undefined);
    assert.equal(await world.xet.shardOf("no hash", alice), undefined);
  });

  test("by a token for one repository: it neither names nor finds what the account has in its others", async () => {
    const whole = world.scope("alice", "private");
    const narrow = world.scope("alice", "open", false);
    const upload = fresh();
    await putXorb(upload, whole);
    await putFiles([upload.file], whole);
    assert.match(says(await putFiles([upload.file], narrow)), /was not sent by you/);
    const first = toHex(upload.leaves[0]?.hash ?? new Uint8Array());
    assert.equal(await world.xet.shardOf(first, narrow), undefined);
    assert.equal(says(await putFiles([upload.file], world.scope("alice", "open"))), "taken", "the account's own may");
  });

  test("by a token for pull requests: it names what its account brought for those, and of the repository's own nothing", async () => {
    const owner = world.scope("alice", "proposed", false);
    const proposer = { ...owner, owner: "bob", account: "bob", proposes: true };
    const [theirs, own] = [fresh(), fresh()];
    await putXorb(theirs, owner);
    await putFiles([theirs.file], owner);
    assert.match(says(await putFiles([theirs.file], proposer)), /was not sent by you/);
    const first = ({ leaves }: Upload): string => toHex(leaves[0]?.hash ?? new Uint8Array());
    assert.equal(await world.xet.shardOf(first(theirs), proposer), undefined);
    await putXorb(own, proposer);
    assert.equal(says(await putFiles([own.file], proposer)), "taken");
    assert.notEqual(await world.xet.shardOf(first(own), proposer), undefined);
    assert.match(says(await putFiles([own.file], { ...proposer, account: "carol" })), /was not sent by you/);
    assert.match(says(await putFiles([own.file], owner)), /was not sent by you/);
    assert.deepEqual(
      await read(owner, own.file.sha256),
      Buffer.from(own.bytes),
      "whoever reads the repository reads it",
    );
  });

  test("by a file that shares its xorb: of the rest of it no byte is given", async () => {
    const scope = world.scope("alice", "shares");
    const upload = fresh();
    await putXorb(upload, scope);
    const file = partOf(hashes, upload, { from: 1, to: 3 });
    assert.equal(says(await putFiles([file], scope)), "taken");
    const source = await sourceOf(world.xet, folderOf(scope), file.hash);
    assert.ok(source);
    const table = await world.xet.table(upload.xorb);
    assert.deepEqual(await allowedOf(source, upload.xorb), [{ from: table.packedEnd(0), to: table.packedEnd(2) }]);
    assert.deepEqual(await allowedOf(source, fresh().xorb), []);
  });
});

describe("a file that came by git-lfs", () => {
  test("has the hash that hf_xet would give it, and its xorbs are given from where it lies", async () => {
    const scope = world.scope("alice", "lfs");
    const bytes = bytesOf("waybill three", 700_001);
    const oid = sha256(bytes);
    const lfs = new LfsStore(random, { freeMinBytes: 0 });
    assert.deepEqual(await lfs.put(folderOf(scope), { oid, size: bytes.length }, pieces(bytes), "alice"), { ok: true });
    const object = await findLarge(folderOf(scope), oid);
    assert.ok(object);
    assert.equal(await world.files.xetHashOf(object), undefined, "nobody waits for it");
    await world.files.idle();
    const hash = await world.files.xetHashOf(object);
    assert.equal(hash, "010011ab4101bcef54d2ce275131802b86faaf885ef3617bd388e1a62d215e97");
    assert.equal(await world.files.xetHashOf(object), hash);

    const source = await sourceOf(world.xet, folderOf(scope), hash);
    assert.ok(source);
    const [term] = source.terms;
    assert.ok(term);
    const table = await source.tableOf(term.xorb);
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: term.to - 1 }), fc.nat({ max: term.to }), async (x, y) => {
        const range = { from: Math.min(x, y), to: Math.max(x, y, Math.min(x, y) + 1) };
        const { start, end } = table.packed(range);
        const chunks: Buffer[] = [];
        const reader = new XorbReader((chunk) => chunks.push(Buffer.from(chunk.bytes)));
        assert.equal(
          reader.feed(await all(source.open(term.xorb, { from: start, to: end }))) ?? reader.end(),
          undefined,
        );
        const before = table.lengthOf({ from: 0, to: range.from });
        assert.ok(Buffer.concat(chunks).equals(bytes.subarray(before, before + table.lengthOf(range))));
      }),
      { numRuns: 20 },
    );
    assert.equal(await sourceOf(world.xet, world.repository("bob/other"), hash), undefined, "only where it is");
    const names = [];
    for await (const { digest } of world.blobs.list("xorbs")) names.push(digest);
    assert.ok(!names.includes(term.xorb), "nothing of it is stored again");
  });

  test("that is damaged on the disk gets no hash, and it is said", async () => {
    const scope = world.scope("alice", "damaged");
    const bytes = bytesOf("damaged", 50_000);
    const lfs = new LfsStore(random, { freeMinBytes: 0 });
    const oid = sha256(bytes);
    await lfs.put(folderOf(scope), { oid, size: bytes.length }, pieces(bytes), "alice");
    const object = await findLarge(folderOf(scope), oid);
    assert.ok(object?.by === "lfs");
    await writeFile(object.file, bytesOf("other", 50_000));
    assert.equal(await world.files.xetHashOf(object), undefined);
    await world.files.idle();
    assert.match(String(world.failures.at(-1)), /damaged: its SHA-256 is/);
    assert.equal(await world.files.xetHashOf(object), undefined);
  });
});
