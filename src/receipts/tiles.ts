/**
 * The Merkle tree as tiles of 256 hashes (C2SP tlog-tiles): what is kept of it, how it grows, and what is proved from it. A tile of
 * level 0 has hashes of leaves, one of a level above the roots of the full tiles below; the last of each level may be partial.
 * So a tree goes on from one tile a level, however large it is, and a proof reads a few.
 */
import { assert } from "../stdx/assert.ts";
import { joined } from "./bytes.ts";
import { hashBytes, nodeInput } from "./tree.ts";

/** Hashes of a full tile, and the height of the tree in it. */
export const tileWidth = 256;
const tileHeight = 8;

/** SHA-256, at once: a tree grows by millions of hashes. */
export type Hash = (bytes: Uint8Array<ArrayBuffer>) => Uint8Array;

export interface TilePlace {
  readonly level: number;
  readonly index: number;
}

export interface Tile extends TilePlace {
  /** One after the other: as many as the tile has of its 256. */
  readonly hashes: Uint8Array;
}

/** The widest of that place that is kept; undefined where there is none. */
export type ReadTile = (place: TilePlace) => Promise<Uint8Array | undefined>;

/** Hashes that a level has in a tree of this size. */
export function levelWidth(size: number, level: number): number {
  return Math.floor(size / tileWidth ** level);
}

/** The last tiles of a tree, those that are partial. */
export function partialTiles(size: number): readonly TilePlace[] {
  const places: TilePlace[] = [];
  for (let level = 0; levelWidth(size, level) > 0; level++) {
    const width = levelWidth(size, level);
    if (width % tileWidth > 0) places.push({ level, index: Math.floor(width / tileWidth) });
  }
  return places;
}

/** The tiles that are new or wider with these leaves at the end. `partial`: those of {@link partialTiles}. */
export function grown(
  hash: Hash,
  size: number,
  partial: readonly Tile[],
  leaves: readonly Uint8Array[],
): readonly Tile[] {
  const tiles: Tile[] = [];
  let above = leaves;
  for (let level = 0; above.length > 0; level++) {
    const width = levelWidth(size, level);
    const first = Math.floor(width / tileWidth);
    const before = partial.find((tile) => tile.level === level && tile.index === first)?.hashes ?? new Uint8Array();
    assert(before.length === (width % tileWidth) * hashBytes, "a tree goes on from its last tiles", level);
    const all = joined(before, ...above);
    const next: Uint8Array[] = [];
    for (let at = 0; at * tileWidth * hashBytes < all.length; at++) {
      const hashes = all.subarray(at * tileWidth * hashBytes, (at + 1) * tileWidth * hashBytes);
      tiles.push({ level, index: first + at, hashes });
      if (hashes.length === tileWidth * hashBytes) next.push(subtree(hash, hashes));
    }
    above = next;
  }
  return tiles;
}

/** Leaves from `start`, without `end`. */
interface Range {
  readonly start: number;
  readonly end: number;
}

/** Proofs of a tree whose tiles can be read; any size that it has had is as good as its last. */
export class ProvingTree {
  readonly #hash: Hash;
  readonly #read: ReadTile;

  constructor(hash: Hash, read: ReadTile) {
    this.#hash = hash;
    this.#read = read;
  }

  /** Of the tree of that size; of an empty one the hash of nothing (RFC 9162 §2.1.1). */
  async root(size: number): Promise<Uint8Array> {
    return size === 0 ? this.#hash(new Uint8Array()) : this.#range({ start: 0, end: size });
  }

  /** §2.1.3.1. */
  inclusion(leaf: number, size: number): Promise<readonly Uint8Array[]> {
    assert(leaf >= 0 && leaf < size, "a leaf is in the tree of which it is proved", leaf);
    return this.#ranges(pathTo(leaf, { start: 0, end: size }));
  }

  /** §2.1.4.1. */
  consistency(earlier: number, later: number): Promise<readonly Uint8Array[]> {
    assert(earlier > 0 && earlier <= later, "a tree extends one that has leaves and is not larger", earlier);
    return this.#ranges(pathOfPrefix(earlier, { start: 0, end: later }, true));
  }

  async #ranges(ranges: readonly Range[]): Promise<readonly Uint8Array[]> {
    const hashes: Uint8Array[] = [];
    for (const range of ranges) hashes.push(await this.#range(range));
    return hashes;
  }

  async #range({ start, end }: Range): Promise<Uint8Array> {
    const width = end - start;
    const split = largestPowerBelow(width);
    if (width === 1 || width === 2 * split) return this.#node(start, width);
    const [left, right] = [await this.#node(start, split), await this.#range({ start: start + split, end })];
    return this.#hash(nodeInput(left, right));
  }

  /** Of a whole subtree: 2^n leaves that begin at a multiple of that. It lies in one tile. */
  async #node(start: number, width: number): Promise<Uint8Array> {
    const level = Math.floor(Math.log2(width) / tileHeight);
    const [first, count] = [start / tileWidth ** level, width / tileWidth ** level];
    const place = { level, index: Math.floor(first / tileWidth) };
    const tile = await this.#read(place);
    const from = (first % tileWidth) * hashBytes;
    assert(tile && tile.length >= from + count * hashBytes, `tile ${tilePath(place)} has what the tree's size says`);
    return subtree(this.#hash, tile.subarray(from, from + count * hashBytes));
  }
}

/** As its address has it: `tile/0/x001/234`, with `.p/17` where it is 17 hashes wide. */
export function tilePath({ level, index }: TilePlace, width = tileWidth): string {
  const groups = [String(index % 1000).padStart(3, "0")];
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000))
    groups.unshift(`x${String(rest % 1000).padStart(3, "0")}`);
  return `tile/${level}/${groups.join("/")}${width === tileWidth ? "" : `.p/${width}`}`;
}

/** Undefined where a path is none of {@link tilePath}'s. */
export function tileAt(path: string): (TilePlace & { readonly width: number }) | undefined {
  const match = /^tile\/(\d{1,2})\/((?:x\d{3}\/){0,4}\d{3})(?:\.p\/(\d{1,3}))?$/.exec(path);
  if (!match) return undefined;
  const place = { level: Number(match[1]), index: Number((match[2] ?? "").replaceAll(/[x/]/g, "")) };
  const width = match[3] === undefined ? tileWidth : Number(match[3]);
  return width > 0 && tilePath(place, width) === path ? { ...place, width } : undefined;
}

function pathTo(leaf: number, { start, end }: Range): readonly Range[] {
  if (end - start === 1) return [];
  const middle = start + largestPowerBelow(end - start);
  return leaf < middle
    ? [...pathTo(leaf, { start, end: middle }), { start: middle, end }]
    : [...pathTo(leaf, { start: middle, end }), { start, end: middle }];
}

/** `isKnown`: whether the earlier tree's root is the hash of all before `earlier` in this range, so that it need not be told. */
function pathOfPrefix(earlier: number, { start, end }: Range, isKnown: boolean): readonly Range[] {
  if (earlier === end) return isKnown ? [] : [{ start, end }];
  const middle = start + largestPowerBelow(end - start);
  return earlier <= middle
    ? [...pathOfPrefix(earlier, { start, end: middle }, isKnown), { start: middle, end }]
    : [...pathOfPrefix(earlier, { start: middle, end }, false), { start, end: middle }];
}

/** The largest power of two that is smaller; 1 of 1. */
function largestPowerBelow(width: number): number {
  let power = 1;
  while (power * 2 < width) power *= 2;
  return power;
}

/** The root over hashes whose count is a power of two. */
function subtree(hash: Hash, hashes: Uint8Array): Uint8Array {
  let level: Uint8Array[] = [];
  for (let at = 0; at < hashes.length; at += hashBytes) level.push(hashes.subarray(at, at + hashBytes));
  while (level.length > 1)
    level = Array.from({ length: level.length / 2 }, (_, at) =>
      hash(nodeInput(level[2 * at] as Uint8Array, level[2 * at + 1] as Uint8Array)),
    );
  return level[0] as Uint8Array;
}
