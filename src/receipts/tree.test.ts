import assert from "node:assert/strict";
import { hash as nodeHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { isExtended, isIncluded, leafInput } from "./tree.ts";
import type { TreeHead } from "./tree.ts";
import { grown, levelWidth, partialTiles, ProvingTree, tileAt, tilePath } from "./tiles.ts";
import type { Tile } from "./tiles.ts";

const sha256 = (bytes: Uint8Array): Uint8Array => nodeHash("sha256", bytes, "buffer");
const leafOf = (text: string): Uint8Array => sha256(leafInput(Buffer.from(text)));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** A tree in memory, and each tile that it ever wrote. */
class Grove {
  size = 0;
  readonly #tiles = new Map<string, Tile>();
  readonly tree = new ProvingTree(sha256, async (place) => this.#tiles.get(tilePath(place))?.hashes);

  add(leaves: readonly Uint8Array[]): void {
    const partial = partialTiles(this.size).map((place) => this.#tiles.get(tilePath(place)) as Tile);
    for (const tile of grown(sha256, this.size, partial, leaves)) this.#tiles.set(tilePath(tile), tile);
    this.size += leaves.length;
  }

  get kept(): readonly Tile[] {
    return [...this.#tiles.values()];
  }

  async head(size = this.size): Promise<TreeHead> {
    return { size, root: await this.tree.root(size) };
  }
}

const numbered = (count: number, from = 0): Uint8Array[] =>
  Array.from({ length: count }, (_, n) => leafOf(String(from + n)));

/** By the definition of RFC 9162 §2.1.1, word by word. */
function definedRoot(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256(Buffer.alloc(0));
  if (leaves.length === 1) return leaves[0] as Uint8Array;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return sha256(Buffer.concat([Buffer.from([1]), definedRoot(leaves.slice(0, k)), definedRoot(leaves.slice(k))]));
}

interface Vectors {
  readonly inclusion: readonly {
    readonly name: string; readonly leafIdx: number; readonly treeSize: number; readonly root: string; readonly leafHash: string;
    readonly proof: readonly string[] | null; readonly wantErr: boolean;
  }[]; // prettier-ignore
  readonly consistency: readonly {
    readonly name: string; readonly size1: number; readonly size2: number; readonly root1: string; readonly root2: string;
    readonly proof: readonly string[] | null; readonly wantErr: boolean;
  }[]; // prettier-ignore
}

const file = join(import.meta.dirname, "../../test/vectors/merkle-proofs.json");
const vectors = JSON.parse(readFileSync(file, "utf8")) as Vectors;
const bytes = (text: string | null): Buffer => Buffer.from(text ?? "", "base64");

describe("proofs by other people's vectors", () => {
  test("each proof of inclusion holds or does not as its vector says", async () => {
    const told: boolean[] = [];
    for (const { name, leafIdx, treeSize, root, leafHash, proof, wantErr } of vectors.inclusion) {
      const leaf = { index: leafIdx, hash: bytes(leafHash) };
      const head = { size: treeSize, root: bytes(root) };
      const holds = await isIncluded(sha256, leaf, head, (proof ?? []).map(bytes));
      assert.equal(holds, !wantErr, name);
      told.push(holds);
    }
    assert.deepEqual([told.length, told.includes(true)], [98, true]);
  });

  test("each proof of consistency holds or does not as its vector says", async () => {
    const told: boolean[] = [];
    for (const { name, size1, size2, root1, root2, proof, wantErr } of vectors.consistency) {
      const [earlier, later] = [
        { size: size1, root: bytes(root1) },
        { size: size2, root: bytes(root2) },
      ];
      const holds = await isExtended(sha256, earlier, later, (proof ?? []).map(bytes));
      // Its two roots are the same 11 bytes: no root of ours.
      const isOurs = name !== "consistency/additional/sizes-are-equal-one-and-proof-is-empty";
      assert.equal(holds, !wantErr && isOurs, name);
      told.push(holds);
    }
    assert.deepEqual([told.length, told.includes(true)], [98, true]);
  });

  test("the roots of the first trees of Certificate Transparency's eight entries are the known ones", async () => {
    const entries = [
      "",
      "00",
      "10",
      "2021",
      "3031",
      "40414243",
      "5051525354555657",
      "606162636465666768696a6b6c6d6e6f",
    ];
    const grove = new Grove();
    grove.add(entries.map((entry) => sha256(leafInput(Buffer.from(entry, "hex")))));
    const roots = await Promise.all([0, 1, 2, 3, 4, 5, 6, 7, 8].map((size) => grove.tree.root(size)));
    assert.deepEqual(roots.map(hex), [
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
      "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
      "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
      "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
      "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
      "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]);
  });
});

/** How many leaves come at once, and after one another; some trees end beyond a full tile. */
const growths = fc.array(fc.nat(300), { minLength: 1, maxLength: 4 });

describe("a tree of tiles", () => {
  test("has the root of the definition, in whatever portions its leaves come", async () => {
    await fc.assert(
      fc.asyncProperty(growths, async (portions) => {
        const grove = new Grove();
        const leaves: Uint8Array[] = [];
        for (const portion of portions) {
          const next = numbered(portion, leaves.length);
          leaves.push(...next);
          grove.add(next);
          assert.equal(hex(await grove.tree.root(grove.size)), hex(definedRoot(leaves)));
        }
      }),
      { numRuns: 30 },
    );
  });

  test("L37: proves each leaf in each of its sizes, and nothing of a proof may be another", async () => {
    const grove = new Grove();
    grove.add(numbered(700));
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 700 }),
        fc.nat(699),
        fc.nat(10),
        fc.nat(31),
        async (size, at, n, byte) => {
          const index = at % size;
          const [leaf, head] = [{ index, hash: leafOf(String(index)) }, await grove.head(size)];
          const proof = await grove.tree.inclusion(index, size);
          assert.ok(await isIncluded(sha256, leaf, head, proof));
          assert.ok(!(await isIncluded(sha256, { index, hash: leafOf("x") }, head, proof)));
          assert.ok(!(await isIncluded(sha256, { ...leaf, index: (index + 1) % size }, head, proof)) || size === 1);
          assert.ok(!(await isIncluded(sha256, leaf, head, [...proof, leaf.hash])));
          if (proof.length === 0) return;
          assert.ok(!(await isIncluded(sha256, leaf, head, proof.slice(1))));
          const changed = proof.map((hash) => Uint8Array.from(hash));
          (changed[n % proof.length] as Uint8Array)[byte]! ^= 1;
          assert.ok(!(await isIncluded(sha256, leaf, head, changed)));
        },
      ),
      { numRuns: 120 },
    );
  });

  test("proves that each of its sizes is the beginning of each larger one, and of no other tree's", async () => {
    const [grove, other] = [new Grove(), new Grove()];
    grove.add(numbered(700));
    other.add([...numbered(3), leafOf("another"), ...numbered(696, 4)]);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 700 }), fc.integer({ min: 1, max: 700 }), async (a, b) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        const [earlier, later] = [await grove.head(from), await grove.head(to)];
        const proof = await grove.tree.consistency(from, to);
        assert.ok(await isExtended(sha256, earlier, later, proof));
        assert.ok(from === to || !(await isExtended(sha256, later, earlier, proof)));
        if (from < 4) return;
        const rewritten = await other.tree.consistency(from, to);
        assert.ok(!(await isExtended(sha256, earlier, await other.head(to), rewritten)));
        assert.ok(!(await isExtended(sha256, earlier, await other.head(to), proof)));
      }),
      { numRuns: 120 },
    );
  });

  test("goes on from one tile a level: 70,000 leaves are 273 full tiles, and what the format's example says of the others", async () => {
    const grove = new Grove();
    grove.add(numbered(69_000));
    grove.add(numbered(1_000, 69_000));
    const widths = (level: number, isFull: boolean): number[] =>
      grove.kept
        .filter((tile) => tile.level === level && (tile.hashes.length === 8192) === isFull)
        .map(({ hashes }) => hashes.length / 32);
    assert.deepEqual([widths(0, true).length, widths(1, true).length], [273, 1]);
    assert.deepEqual([widths(0, false), widths(1, false), widths(2, false)], [[112], [17], [1]]);
    assert.deepEqual(partialTiles(70_000), [
      { level: 0, index: 273 },
      { level: 1, index: 1 },
      { level: 2, index: 0 },
    ]);
    assert.equal(levelWidth(70_000, 1), 273);
    const [earlier, later] = [await grove.head(66_000), await grove.head()];
    assert.ok(await isExtended(sha256, earlier, later, await grove.tree.consistency(66_000, 70_000)));
    const leaf = { index: 65_536, hash: leafOf("65536") };
    assert.ok(await isIncluded(sha256, leaf, later, await grove.tree.inclusion(65_536, 70_000)));
  });

  test("a tile's address has its number in groups of three, and one spelling", () => {
    assert.equal(tilePath({ level: 0, index: 1_234_067 }), "tile/0/x001/x234/067");
    assert.equal(tilePath({ level: 2, index: 7 }, 17), "tile/2/007.p/17");
    fc.assert(
      fc.property(fc.nat(63), fc.nat(2 ** 40), fc.integer({ min: 1, max: 256 }), (level, index, width) => {
        assert.deepEqual(tileAt(tilePath({ level, index }, width)), { level, index, width });
      }),
    );
    for (const path of [
      "tile/00/000",
      "tile/0/0",
      "tile/0/x000/001",
      "tile/0/000.p/0",
      "tile/0/000.p/256",
      "tile/0/000.p/01",
      "tile/entries/000",
      "tile/0/000/",
      "tile/0/001/x000",
    ])
      assert.equal(tileAt(path), undefined, path);
  });
});
