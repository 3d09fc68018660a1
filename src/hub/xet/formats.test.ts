/** The Xet protocol's formats against what hf_xet 1.8.0 wrote (test/vectors/xet), and against what nobody should write. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import fc from "fast-check";
import { fromHex, toHex } from "./hash-text.ts";
import { emptyFile, XetHashes, type Leaf } from "./hashes.ts";
import { jobs, Tools } from "./jobs.ts";
import { readLz4Frame } from "./lz4.ts";
import { readShard, writeXorbShard, type Shard } from "./shard.ts";
import { joinPlain, XorbReader, xorbChunksMax } from "./xorb.ts";
import { leavesOf as leavesOfRows, XorbTable } from "./xorb-table.ts";
import { bytesOf, cut, lz4Frame, packings, packShard, packXorb, sha256, uploadOf } from "./writer.suite.ts";

const vector = (name: string): Buffer => readFileSync(join(import.meta.dirname, "../../../test/vectors/xet", name));
const mixed = { xorb: vector("mixed.xorb"), shard: vector("mixed.shard") };

/** By hf_xet.hash_files, of `shake_256(seed).digest(size)`. */
const hashed = [
  { seed: "waybill one", size: 5, hash: "d7e39cdaff1797127bb691898dd4ea1d64fa6091f89f9001939b376e28664b93" },
  { seed: "waybill two", size: 131072, hash: "7e082554f9c0168a6cfe3bd912948e3a8cee522df62e31915a6e231bdff190a9" },
  { seed: "waybill three", size: 700001, hash: "010011ab4101bcef54d2ce275131802b86faaf885ef3617bd388e1a62d215e97" },
  { seed: "waybill many", size: 25165827, hash: "991bc1ba6091cfd6fffa125e792d8b153fd8a104ca68642cd91284917152323b" },
];
const zeros = { size: 1_000_000, hash: "c0c85185f4307d40facfd366573176e54fc9c76041e44e32d52489780a6d1eaa" };

let hashes: XetHashes;
before(async () => {
  hashes = new XetHashes();
});

const leavesOf = (chunks: readonly Uint8Array[]): Leaf[] =>
  chunks.map((chunk) => ({ hash: hashes.chunk(chunk), length: chunk.length }));

/** The chunks, or what is wrong. */
function read(xorb: Uint8Array, pieceBytes = xorb.length): readonly Buffer[] | string {
  const chunks: Buffer[] = [];
  const reader = new XorbReader(({ bytes }) => chunks.push(Buffer.from(bytes)));
  for (let at = 0; at < xorb.length; at += pieceBytes) {
    const wrong = reader.feed(xorb.subarray(at, at + pieceBytes));
    if (wrong !== undefined) return wrong;
  }
  return reader.end() ?? chunks;
}

describe("hashes", () => {
  test("are hf_xet's, for files of any size", () => {
    for (const { seed, size, hash } of hashed)
      assert.equal(hashes.file(leavesOf(cut(bytesOf(seed, size)))), hash, `${seed}, ${size} bytes`);
    assert.equal(hashes.file(leavesOf(cut(Buffer.alloc(zeros.size)))), zeros.hash);
    assert.equal(hashes.file([]), emptyFile);
    assert.equal(
      hashes.file(leavesOf([Buffer.from("Hello World!")])),
      "a9dae0ad88b060bdd7e7c87abdcf95b132c95a0414b06d4f6beb68d287b87165",
    );
  });

  test("of a file that is converted stay its own while others of the same thread are hashed", () => {
    const bytes = bytesOf("waybill three", 700_001);
    const tools = new Tools();
    const job = jobs.convert(tools);
    for (let at = 0; at < bytes.length; at += 100_000) {
      job.take(bytes.subarray(at, at + 100_000));
      tools.hashes.chunk(Buffer.from("another's"));
    }
    assert.equal(job.end().hash, hashed[2]?.hash);
  });

  test("are written and read in the protocol's order", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (hash) =>
        assert.deepEqual(fromHex(toHex(hash)), new Uint8Array(hash)),
      ),
    );
    assert.equal(fromHex("xyz"), undefined);
  });
});

describe("a file's chunks", () => {
  test("are cut at the same places however the bytes come", () => {
    const bytes = bytesOf("waybill three", 700_001);
    const whole = cut(bytes).map(({ length }) => length);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200_000 }), (piece) =>
        assert.deepEqual(
          cut(bytes, piece).map(({ length }) => length),
          whole,
        ),
      ),
      { numRuns: 20 },
    );
  });

  test("have 8 to 128 KiB each, but for the last", () => {
    for (const bytes of [Buffer.alloc(1_000_000), bytesOf("sizes", 2_000_000)]) {
      const lengths = cut(bytes).map(({ length }) => length);
      assert.equal(
        lengths.reduce((sum, length) => sum + length, 0),
        bytes.length,
      );
      assert.ok(lengths.slice(0, -1).every((length) => length >= 8 << 10 && length <= 128 << 10));
    }
  });
});

describe("hf_xet's own xorb and shard", () => {
  test("are read: the files that they stand for have the hashes that it names, by Xet and by SHA-256", () => {
    const shard = readShard(mixed.shard);
    assert.ok(typeof shard !== "string", JSON.stringify(shard));
    const chunks = read(mixed.xorb);
    assert.ok(typeof chunks !== "string", String(chunks));
    const leaves = leavesOf(chunks);
    const xorb = hashes.xorb(leaves);
    assert.equal(xorb, "afa54810bcfa3bf5e77f1238b0f4556cc3697771d82f06b4503dc9b432c18503");
    assert.deepEqual(shard.xorbs, [xorb]);
    assert.equal(shard.files.count, 4);
    for (const { hash, terms, verification, sha256: digest } of shard.files) {
      const parts = terms.map(({ from, to }): readonly Leaf[] => leaves.slice(from, to));
      assert.deepEqual(new Set(terms.map((term) => term.xorb)), new Set([xorb]));
      assert.equal(hashes.file(parts.flat()), hash);
      assert.deepEqual(
        parts.map((part) => hashes.verification(part)),
        verification,
      );
      assert.equal(
        sha256(Buffer.concat(terms.flatMap(({ from, to }): readonly Buffer[] => chunks.slice(from, to)))),
        digest,
      );
    }
  });

  test("use all three packings, so all three are known to be read", () => {
    const schemes = new Set<number>();
    for (let at = 0; at < mixed.xorb.length; at += 8 + mixed.xorb.readUIntLE(at + 1, 3))
      schemes.add(mixed.xorb[at + 4] as number);
    assert.deepEqual(
      [...schemes].toSorted((a, b) => a - b),
      [0, 1, 2],
    );
  });
});

describe("a xorb", () => {
  const content = fc.array(
    fc.tuple(
      fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 300 }),
        fc
          .tuple(fc.uint8Array({ minLength: 1, maxLength: 9 }), fc.integer({ min: 1, max: 400 }))
          .map(([part, times]) =>
            Uint8Array.from({ length: part.length * times }, (_, n) => part[n % part.length] ?? 0),
          ),
      ),
      fc.constantFrom(...packings),
    ),
    { minLength: 1, maxLength: 6 },
  );

  test("gives back what was packed, in every packing and however it comes", () => {
    fc.assert(
      fc.property(content, fc.integer({ min: 1, max: 500 }), (chunks, piece): void => {
        const packed = packXorb(
          chunks.map(([bytes]) => bytes),
          (n) => chunks[n]?.[1] ?? "none",
        );
        const found = read(packed, piece);
        assert.deepEqual(
          found,
          chunks.map(([bytes]) => Buffer.from(bytes)),
        );
      }),
    );
  });

  test("in which any one byte is another is refused, or is one of another name, but where the bytes say nothing", () => {
    const chunks = [bytesOf("a", 200), Buffer.alloc(300, "ab"), Buffer.alloc(400, "abcd")];
    const packed = packXorb(chunks, (n) => packings[n] ?? "none");
    const name = hashes.xorb(leavesOf(chunks));
    fc.assert(
      fc.property(fc.nat({ max: packed.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change): void => {
        const changed = Buffer.from(packed);
        changed[at] = (changed[at] ?? 0) ^ change;
        const found = read(changed);
        if (typeof found === "string") return;
        // What an LZ4 frame says of itself beside its blocks is not read: the chunks are the same then.
        const same = Buffer.concat(found).equals(Buffer.concat(chunks));
        assert.equal(hashes.xorb(leavesOf(found)) === name, same);
        assert.ok(!same || isFrameHead(packed, at), `byte ${at}`);
      }),
    );
  });

  test("that is cut off anywhere is refused", () => {
    const packed = packXorb([bytesOf("a", 200), Buffer.alloc(3_000, "ab")], (n) => packings[n] ?? "none");
    for (let end = 0; end < packed.length; end += 7) {
      const found = read(packed.subarray(0, end));
      assert.ok(typeof found === "string" || found.length < 2, `cut at ${end}`);
    }
    assert.equal(read(Buffer.alloc(0)), "the xorb has no chunk");
  });

  const header = (packed: number, scheme: number, length: number): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeUIntLE(packed, 1, 3);
    bytes[4] = scheme;
    bytes.writeUIntLE(length, 5, 3);
    return bytes;
  };

  for (const [what, xorb, says] of [
    ["a chunk of 16 MiB", header(100, 1, 0xffffff), /chunk 0 of the xorb would have 16777215 bytes/],
    ["an empty chunk", header(0, 0, 0), /chunk 0 of the xorb would have 0 bytes/],
    ["packed bytes beyond all sense", header(0xffffff, 1, 100), /would have 16777215 packed bytes/],
    ["a packing that nobody knows", Buffer.concat([header(3, 9, 3), Buffer.from("abc")]), /not known \(9\)/],
    ["a length that lies", Buffer.concat([header(3, 0, 4), Buffer.from("abc")]), /3 bytes instead of the 4/],
    ["a version of the future", Buffer.from([1, 3, 0, 0, 0, 3, 0, 0]), /unknown version/],
    [
      "a frame that would unpack to more than it says",
      Buffer.concat([header(lz4Frame(Buffer.alloc(100_000)).length, 1, 50), lz4Frame(Buffer.alloc(100_000))]),
      /more bytes than were announced/,
    ],
    [
      "a frame that has less than it says",
      Buffer.concat([header(lz4Frame(Buffer.alloc(50)).length, 1, 100), lz4Frame(Buffer.alloc(50))]),
      /has 50 bytes, and 100 were announced/,
    ],
  ] as const)
    test(`with ${what} is refused`, () => {
      const found = read(xorb);
      assert.match(typeof found === "string" ? found : "taken", says);
    });

  test("of more chunks than one may have is refused", () => {
    const found = read(packXorb(Array.from({ length: xorbChunksMax + 1 }, () => Buffer.from("x"))));
    assert.equal(found, "the xorb has more than 8192 chunks");
  });

  test("may have a footer, which is passed over", () => {
    const found = read(Buffer.concat([packXorb([Buffer.from("abc")]), Buffer.from("XETBLOB and more")]));
    assert.deepEqual(found, [Buffer.from("abc")]);
  });
});

test("chunks that are not packed are put together where they lie; others, and what is cut off, are left to be unpacked", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 50 }), fc.constantFrom(...packings)), {
        minLength: 1,
      }),
      fc.nat({ max: 7 }),
      (drawn, missing) => {
        const chunks = drawn.map(([chunk]) => chunk);
        const packed = packXorb(chunks, (n) => drawn[n]?.[1] ?? "none");
        const isPlain = drawn.every(([, how]) => how === "none");
        assert.equal(joinPlain(packed.subarray(0, packed.length - 1 - missing)), undefined);
        const joined = joinPlain(packed);
        assert.deepEqual(joined && Buffer.from(joined), isPlain ? Buffer.concat(chunks) : undefined);
      },
    ),
  );
});

/** Whether the byte is in the head of an LZ4 frame, or a chunk's header. */
function isFrameHead(packed: Buffer, byte: number): boolean {
  for (let at = 0; at < packed.length; at += 8 + packed.readUIntLE(at + 1, 3))
    if (packed[at + 4] !== 0 && byte >= at + 8 && byte < at + 8 + 15) return true;
  return false;
}

describe("an LZ4 frame", () => {
  test("fills the memory that it is given with its own content alone, or says what is wrong, whatever it is", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 500 }), (noise, length) => {
        const size = Buffer.alloc(4);
        size.writeUInt32LE(noise.length);
        const frame = Buffer.concat([Buffer.from("04224d18604082", "hex"), size, noise, Buffer.alloc(4)]);
        const [first, second] = [new Uint8Array(length).fill(0x11), new Uint8Array(length).fill(0xee)];
        const wrong = readLz4Frame(frame, first);
        assert.equal(readLz4Frame(frame, second), wrong);
        // What was there before would be in one of them, and is another's.
        if (wrong === undefined) assert.deepEqual(first, second);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("a shard", () => {
  test("gives back what was written", () => {
    const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => toHex(bytes).replace(/^f/, "0"));
    const term = fc.record(
      {
        xorb: hash,
        bytes: fc.nat(),
        from: fc.nat({ max: 100 }),
        to: fc.integer({ min: 101, max: 200 }),
      },
      { noNullPrototype: true },
    );
    const file = fc.tuple(hash, fc.array(term, { maxLength: 5 }), fc.option(hash)).map(([name, terms, digest]) => ({
      hash: name,
      terms,
      ...(digest === null ? {} : { sha256: digest }),
    }));
    fc.assert(
      fc.property(fc.array(file, { maxLength: 4 }), (files) => {
        const found = readShard(packShard(files));
        if (typeof found === "string") return assert.fail(found);
        const named = new Set(files.flatMap(({ terms }) => terms.map(({ xorb }) => xorb)));
        assert.deepEqual([found.files.count, found.files.xorbs, found.xorbs], [files.length, [...named], []]);
        // As often as it is asked for.
        for (const _ of [1, 2])
          assert.deepEqual(
            [...found.files],
            files.map((one) => ({ verification: null, sha256: null, ...one })),
          );
      }),
    );
  });

  test("that is cut off anywhere in its files is refused, and never read beyond its end", () => {
    const { file } = uploadOf(hashes, bytesOf("cut off", 100_000));
    const whole = packShard([file]);
    for (let end = 0; end < whole.length - 96; end += 5)
      assert.equal(typeof readShard(whole.subarray(0, end)), "string");
  });

  test("that announces a billion terms is refused without room for them", () => {
    const lying = packShard([{ hash: emptyFile, terms: [] }]);
    lying.writeUInt32LE(0x3fffffff, 48 + 36);
    assert.equal(readShard(lying), "the shard is cut off");
  });

  test("with a term of no chunk is refused", () => {
    const shard = packShard([{ hash: emptyFile, terms: [{ xorb: emptyFile, bytes: 1, from: 3, to: 3 }] }]);
    assert.match(JSON.stringify(readShard(shard)), /has no chunk/);
  });

  test("whose files name more xorbs than are looked up is refused", () => {
    const named = (n: number) => ({ xorb: sha256(Buffer.from(String(n))), bytes: 1, from: 0, to: 1 });
    const file = (from: number, count: number) => ({
      hash: emptyFile,
      terms: Array.from({ length: count }, (_, n) => named(from + n)),
    });
    const half = 50_000;
    const most = [file(0, half), file(half, half), file(0, 2)];
    assert.notEqual(typeof readShard(packShard(most)), "string");
    assert.equal(readShard(packShard([...most, file(2 * half, 1)])), "the shard's files name more than 100000 xorbs");
  });

  test("about a xorb names it and its chunks, with a footer", () => {
    const { xorb, leaves } = uploadOf(hashes, bytesOf("known", 300_000));
    let packedEnd = 0;
    const table = XorbTable.of(leaves.map((leaf) => ({ ...leaf, packedEnd: (packedEnd += leaf.length + 8) })));
    const shard = writeXorbShard([[xorb, table]], { now: 1_000, until: 2_000 });
    const found = readShard(shard) as Shard;
    assert.deepEqual([[...found.files], found.xorbs], [[], [xorb]]);
    assert.equal(shard.readBigUInt64LE(shard.length - 8), BigInt(shard.length - 200));
    assert.equal(toHex(shard.subarray(96 + 48, 96 + 80)), toHex(leaves[0]?.hash ?? new Uint8Array()));
  });
});

test("a xorb's table is read from the end of its blob, and from nothing else", () => {
  const chunks = leavesOf(cut(bytesOf("table", 500_000)));
  let packedEnd = 0;
  const table = XorbTable.of(chunks.map((leaf) => ({ ...leaf, packedEnd: (packedEnd += leaf.length + 8) })));
  const blob = Buffer.concat([Buffer.alloc(packedEnd), table.bytes]);
  const found = XorbTable.read(blob);
  assert.equal(found?.count, chunks.length);
  assert.equal(found?.packedBytes, packedEnd);
  assert.equal(hashes.xorb(found ? leavesOfRows(found.rows({ from: 0, to: found.count })) : []), hashes.xorb(chunks));
  assert.equal(XorbTable.read(Buffer.alloc(400)), undefined);
  assert.equal(XorbTable.read(blob.subarray(blob.length - 60)), undefined);
});
