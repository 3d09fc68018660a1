/** The Xet protocol's server, asked as its clients ask, and as nobody should. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { casPath, XetFace } from "../src/hub/xet/face.ts";
import { toHex } from "../src/hub/xet/hash-text.ts";
import { XetHashes } from "../src/hub/xet/hashes.ts";
import { readShard, type Shard } from "../src/hub/xet/shard.ts";
import { signToken, tokenSeconds, type XetToken } from "../src/hub/xet/tickets.ts";
import { XorbReader, xorbMaxBytes } from "../src/hub/xet/xorb.ts";
import { largeWorld, random, type LargeWorld } from "../src/hub/xet/world.suite.ts";
import { bytesOf, packings, packShard, partOf, uploadOf, type Upload } from "../src/hub/xet/writer.suite.ts";
import { instant } from "../src/stdx/time.ts";
import { memoryTransfers } from "./support/transfers.ts";

interface PlanOf {
  readonly offset_into_first_range: number;
  readonly terms: readonly { hash: string; unpacked_length: number; range: { start: number; end: number } }[];
  readonly xorbs?: Readonly<
    Record<
      string,
      readonly {
        url: string;
        ranges: readonly { chunks: { start: number; end: number }; bytes: { start: number; end: number } }[];
      }[]
    >
  >;
  readonly fetch_info?: Readonly<
    Record<
      string,
      readonly { url: string; range: { start: number; end: number }; url_range: { start: number; end: number } }[]
    >
  >;
}

describe("the Xet protocol's server", () => {
  const key = randomBytes(32);
  let world: LargeWorld;
  let hashes: XetHashes;
  let server: ReturnType<typeof createServer>;
  let base: string;
  const told = memoryTransfers();
  const readers = new Set(["alice", "bob", ""]);
  const writers = new Set(["alice", "bob"]);
  const few = { atOnce: 3, perCaller: 1, anonymous: 1, withinMs: 300 };
  /** Whoever is called so waits for it. */
  let isDecided = Promise.withResolvers<undefined>();
  before(async () => {
    hashes = new XetHashes();
    world = await largeWorld({ accountMaxBytes: 200 << 20 });
    const face = new XetFace({
      ...{ store: world.xet, storage: world.storage, key, instance: "here", random },
      transfers: told.transfers,
      clock: { wall: world.clock.wall, monotonic: () => performance.now() },
      limits: { answers: few },
      desk: {
        folderOf: (repository) =>
          repository.endsWith("/absent") ? undefined : world.repository(repository.slice("spaces/".length)),
        mayRead: async (_repository, account) => readers.has(account),
        gate: async (_repository, account) =>
          account === "waits"
            ? isDecided.promise
            : account === "gated"
              ? { status: 403, code: "identity/gated", says: "spaces/alice/app is gated." }
              : undefined,
        mayWrite: async (_repository, account) => writers.has(account),
        mayPropose: async (_repository, account) => readers.has(account),
        onFailure: (_what, error) => world.failures.push(error),
      },
    });
    server = createServer((request, response) => {
      if (!face.serve(request, response)) response.writeHead(418).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await world[Symbol.asyncDispose]();
  });

  const tokenOf = (change: Partial<XetToken> = {}, at = world.clock.now): string =>
    signToken(key, { ...world.scope("alice"), right: "write", ...change }, at).token;
  const ask = (
    path: string,
    { token = tokenOf(), ...init }: RequestInit & { token?: string } = {},
  ): Promise<Response> =>
    fetch(`${base}${casPath("here", "alice")}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${token}`, ...(init.headers as Record<string, string>) },
    });
  const post = (path: string, body: Uint8Array, token = tokenOf()): Promise<Response> =>
    ask(path, { method: "POST", body: new Uint8Array(body), token });
  const bring = async (seed: string, size = 500_000): Promise<Upload> => {
    const upload = uploadOf(hashes, bytesOf(seed, size), (n) => packings[n % 3] ?? "none");
    const xorb = await post(`/v1/xorbs/default/${upload.xorb}`, upload.packed);
    assert.deepEqual([xorb.status, await xorb.json()], [200, { was_inserted: true }]);
    const shard = await post("/v1/shards", packShard([upload.file]));
    assert.deepEqual([shard.status, await shard.json()], [200, { result: 1 }]);
    return upload;
  };
  const unpacked = (packed: Uint8Array): Buffer => {
    const chunks: Buffer[] = [];
    const reader = new XorbReader(({ bytes }) => chunks.push(Buffer.from(bytes)));
    assert.equal(reader.feed(packed) ?? reader.end(), undefined);
    return Buffer.concat(chunks);
  };

  test("a right that was taken ends what was begun by it: xorbs, shards and questions for chunks", async () => {
    const { file, packed, xorb } = uploadOf(hashes, bytesOf("taken", 100_000), () => "none");
    writers.delete("alice");
    const answers = [
      await post(`/v1/xorbs/default/${xorb}`, packed),
      await post("/v1/shards", packShard([file])),
      await ask(`/v1/chunks/default/${"a".repeat(64)}`),
    ];
    writers.add("alice");
    assert.deepEqual(
      answers.map(({ status }) => status),
      [403, 403, 403],
    );
  });

  test("a shard's wish for chunks that are too small is refused before they are looked at", async () => {
    const { file } = await bring("small chunks", 200_000);
    const { verification: _, ...bare } = file;
    const [term] = bare.terms;
    assert.ok(term);
    const many = Array.from({ length: 20_000 }, () => ({ ...term, to: term.from + 1, bytes: 1 }));
    const answer = await post("/v1/shards", packShard([{ ...bare, terms: many }]));
    assert.equal(answer.status, 400);
    assert.match(await answer.text(), /too small: 20000/);
    const more = Array.from({ length: 60_000 }, () => term);
    const beyond = await post("/v1/shards", packShard([{ ...bare, terms: more }]));
    assert.match(await beyond.text(), /has 60000 terms/);
  });

  test("offers no grants, so that xorbs are sent here", async () => {
    assert.equal((await post(`/v1/xorb-grants/default/${"a".repeat(64)}`, Buffer.from("{}"))).status, 404);
    assert.equal((await fetch(`${base}/v1/telemetry`, { method: "POST" })).status, 418, "another part's address");
  });

  test("plans and chunks that are asked for have a bound at once, of each caller too: one more waits a while and is told so", async () => {
    isDecided = Promise.withResolvers();
    readers.add("waits");
    const plan = (account: string): Promise<Response> =>
      ask(`/v2/reconstructions/${"a".repeat(64)}`, { token: tokenOf({ account, right: "read" }) });
    const first = plan("waits");
    const second = await plan("waits");
    assert.deepEqual([second.status, second.headers.get("retry-after")], [503, "5"]);
    assert.equal((await plan("bob")).status, 404, "another caller has a place");
    isDecided.resolve(undefined);
    assert.equal((await first).status, 404);
    assert.equal((await plan("waits")).status, 404, "and the place is free again");
    readers.delete("waits");
  });

  for (const version of ["v1", "v2"] as const)
    test(`gives any part of a file by a plan of ${version}`, async () => {
      const { bytes, file } = await bring(`plan ${version}`);
      for (const [from, to] of [
        [0, bytes.length],
        [0, 1],
        [123_456, 345_678],
        [bytes.length - 1, bytes.length],
      ] as const) {
        const answer = await ask(`/${version}/reconstructions/${file.hash}`, {
          headers: { range: `bytes=${from}-${to - 1}` },
        });
        const plan = (await answer.json()) as PlanOf;
        const parts: Buffer[] = [];
        for (const { hash, range, unpacked_length: length } of plan.terms) {
          const one = plan.xorbs?.[hash]?.[0];
          const place =
            one === undefined
              ? plan.fetch_info?.[hash]?.map(({ url, range: chunks, url_range: at }) => ({ url, chunks, bytes: at }))[0]
              : { url: one.url, ...one.ranges[0] };
          assert.deepEqual(place?.chunks, range);
          const got = await fetch(place.url, { headers: { range: `bytes=${place.bytes?.start}-${place.bytes?.end}` } });
          assert.equal(got.status, 206);
          const content = unpacked(new Uint8Array(await got.arrayBuffer()));
          assert.equal(content.length, length);
          parts.push(content);
        }
        const start = plan.offset_into_first_range;
        assert.ok(
          Buffer.concat(parts)
            .subarray(start, start + to - from)
            .equals(bytes.subarray(from, to)),
        );
      }
    });

  test("says 416 at the end of a file and after it, and 404 of one that the repository has not", async () => {
    const { bytes, file } = await bring("ends");
    const beyond = await ask(`/v2/reconstructions/${file.hash}`, { headers: { range: `bytes=${bytes.length}-` } });
    assert.deepEqual([beyond.status, beyond.headers.get("content-range")], [416, `bytes */${bytes.length}`]);
    assert.equal((await ask(`/v2/reconstructions/${"e".repeat(64)}`)).status, 404);
    const other = tokenOf({ repository: "spaces/alice/other", right: "read" });
    assert.equal((await ask(`/v2/reconstructions/${file.hash}`, { token: other })).status, 404);
  });

  test("gives several ranges in one answer, and none that the file has not", async () => {
    const upload = await bring("ranges");
    const table = await world.xet.table(upload.xorb);
    const content = Buffer.concat(upload.chunks.slice(1, 3));
    const small = partOf(hashes, upload, { from: 1, to: 3 });
    await post("/v1/shards", packShard([small]));
    const plan = (await (await ask(`/v2/reconstructions/${small.hash}`)).json()) as PlanOf;
    const { url = "" } = plan.xorbs?.[upload.xorb]?.[0] ?? {};
    const ranges = [1, 2].map((n) => table.packed({ from: n, to: n + 1 }));
    const range = `bytes=${ranges.map(({ start, end }) => `${start}-${end - 1}`).join(", ")}`;
    const both = await fetch(url, { headers: { range } });
    const boundary = /^multipart\/byteranges; boundary=(.+)$/.exec(both.headers.get("content-type") ?? "")?.[1];
    const text = Buffer.from(await both.arrayBuffer());
    assert.equal(text.length, Number(both.headers.get("content-length")));
    for (const { start, end } of ranges) assert.ok(text.includes(upload.packed.subarray(start, end)));
    assert.equal(text.toString("latin1").split(`--${boundary}`).length, 4);
    for (const asked of ["bytes=0-10", `bytes=${ranges[0]?.start}-${(ranges[1]?.end ?? 0) + 5}`, "bytes=0-1,5-9"]) {
      const refused = await fetch(url, { headers: { range: asked } });
      const got = Buffer.from(await refused.arrayBuffer());
      assert.ok(refused.status === 403 || !got.includes(upload.packed.subarray(0, 11)), asked);
    }
    const all = await fetch(url);
    assert.ok(unpacked(new Uint8Array(await all.arrayBuffer())).equals(content), "without a range: what the file has");
    assert.equal((await fetch(url.replace(upload.xorb, "b".repeat(64)))).status, 403);
  });

  test("a token is for one right, one repository and a quarter of an hour; a minute late is let pass", async () => {
    const { packed, xorb, file } = uploadOf(hashes, bytesOf("rights", 100_000));
    const read = tokenOf({ right: "read" });
    assert.equal((await post(`/v1/xorbs/default/${xorb}`, packed, read)).status, 403);
    assert.equal((await post("/v1/shards", packShard([file]), read)).status, 403);
    assert.equal((await ask(`/v1/chunks/default/${xorb}`, { token: read })).status, 403);
    assert.equal((await post(`/v1/xorbs/default/${xorb}`, packed, "xet_x.y")).status, 401);
    const before = (seconds: number): string => tokenOf({}, instant(world.clock.now - seconds * 1000));
    assert.equal((await post(`/v1/xorbs/default/${xorb}`, packed, before(tokenSeconds + 59))).status, 200);
    assert.equal((await post(`/v1/xorbs/default/${xorb}`, packed, before(tokenSeconds + 60))).status, 401);
    const gone = tokenOf({ repository: "spaces/alice/absent" });
    assert.equal((await post("/v1/shards", packShard([file]), gone)).status, 404);
  });

  test("who may not read the repository any more gets nothing by what was given before", async () => {
    const { file } = await bring("revoked");
    const token = tokenOf({ right: "read", account: "bob", owner: "alice" });
    const plan = (await (await ask(`/v2/reconstructions/${file.hash}`, { token })).json()) as PlanOf;
    const url = Object.values(plan.xorbs ?? {})[0]?.[0]?.url ?? "";
    assert.equal((await fetch(url)).status, 206);
    readers.delete("bob");
    assert.equal((await fetch(url)).status, 403);
    assert.equal((await ask(`/v2/reconstructions/${file.hash}`, { token })).status, 404);
    readers.add("bob");
  });

  test("tells of a shard's checking line by line, where the client reads that", async () => {
    const { packed, xorb, file } = uploadOf(hashes, bytesOf("lines", 100_000));
    await post(`/v1/xorbs/default/${xorb}`, packed);
    const lines = async (shard: Uint8Array): Promise<object[]> =>
      (await (await post("/v2/shards", shard)).text())
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as object);
    const told = await lines(packShard([file]));
    assert.deepEqual(told.at(-1), { type: "result", result: 1 });
    assert.deepEqual(told[0], { type: "validating", verified: file.terms[0]?.bytes, total: file.terms[0]?.bytes });
    assert.deepEqual(await lines(packShard([file])), [{ type: "result", result: 0 }], "known: nothing to wait for");
    const wrong = await lines(packShard([{ ...file, sha256: "0".repeat(64) }]));
    assert.match(JSON.stringify(wrong.at(-1)), /"type":"error","message":"The SHA-256 of file/);
    const early = await post("/v2/shards", packShard([{ ...file, hash: "1".repeat(64) }]));
    assert.equal(early.status, 400);
  });

  test("tells who brought a chunk of all that is beside it", async () => {
    const { leaves, xorb } = await bring("chunks");
    const chunk = toHex(leaves[0]?.hash ?? new Uint8Array());
    const told = await ask(`/v1/chunks/default-merkledb/${chunk}`);
    const shard = readShard(Buffer.from(await told.arrayBuffer())) as Shard;
    assert.deepEqual([[...shard.files], shard.xorbs], [[], [xorb]]);
    const bob = tokenOf({ ...world.scope("bob") });
    assert.equal((await ask(`/v1/chunks/default/${chunk}`, { token: bob })).status, 404);
  });

  test("takes no xorb that its account has no room for, before it has come", async () => {
    const limit = (await world.storage.usedBy("alice")) + 1_000;
    await world.catalog.largeFiles.setLimit("alice", limit, world.clock.now);
    const { packed, xorb } = uploadOf(hashes, bytesOf("room", 100_000));
    const refused = await post(`/v1/xorbs/default/${xorb}`, packed);
    assert.equal(refused.status, 413);
    assert.match(((await refused.json()) as { error: string }).error, /alice may keep \d+ bytes/);
    await world.catalog.largeFiles.setLimit("alice", null, world.clock.now);
    assert.equal((await post(`/v1/xorbs/default/${xorb}`, packed)).status, 200);
    const huge = await post(`/v1/xorbs/default/${xorb}`, Buffer.alloc(xorbMaxBytes + (2 << 20))).catch(() => undefined);
    assert.ok(huge === undefined || huge.status === 413);
  });

  test("an address of another platform is not this one's", async () => {
    const answer = await fetch(`${base}${casPath("there", "alice")}/v1/chunks/default/${"a".repeat(64)}`);
    assert.equal(answer.status, 404);
    assert.match(((await answer.json()) as { error: string }).error, /another platform/);
  });

  test("none of that was a failure of its own", () => assert.deepEqual(world.failures, []));
});
