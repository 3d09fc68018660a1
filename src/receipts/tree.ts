/**
 * The Merkle tree of RFC 9162 §2.1, as those see it who check it: hashes of leaves and nodes, and what a proof comes to. How a proof is
 * made: {@link file://./tiles.ts}.
 *
 *   L37. Any flipped byte is caught: a proof holds for one leaf, one place, one size and one root.
 */
import type { Digest } from "./bytes.ts";
import { isSame, joined } from "./bytes.ts";

export const hashBytes = 32;

/** What stands before the bytes that are hashed, so that no leaf is ever taken for a node (§2.1.1). */
const leafPrefix = Uint8Array.of(0);
const nodePrefix = Uint8Array.of(1);

/** What is hashed for a leaf that holds these bytes. */
export function leafInput(entry: Uint8Array): Uint8Array<ArrayBuffer> {
  return joined(leafPrefix, entry);
}

/** What is hashed for a node above these two. */
export function nodeInput(left: Uint8Array, right: Uint8Array): Uint8Array<ArrayBuffer> {
  return joined(nodePrefix, left, right);
}

/** The tree of `size` leaves that has this root. */
export interface TreeHead {
  readonly size: number;
  readonly root: Uint8Array;
}

/** Whether `proof` shows that the leaf with this hash is at `index` of the tree (§2.1.3.2). */
export async function isIncluded(
  digest: Digest,
  leaf: { readonly index: number; readonly hash: Uint8Array },
  head: TreeHead,
  proof: readonly Uint8Array[],
): Promise<boolean> {
  if (!isIndex(leaf.index) || !isIndex(head.size) || leaf.index >= head.size) return false;
  if (![leaf.hash, head.root, ...proof].every(isHash)) return false;
  let [at, last] = [leaf.index, head.size - 1];
  let hash = leaf.hash;
  for (const beside of proof) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      hash = await digest(nodeInput(beside, hash));
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
    } else {
      hash = await digest(nodeInput(hash, beside));
    }
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && isSame(hash, head.root);
}

/** Whether `proof` shows that the later tree begins with all of the earlier one, which has a leaf at least (§2.1.4.2). */
export async function isExtended(
  digest: Digest,
  earlier: TreeHead,
  later: TreeHead,
  proof: readonly Uint8Array[],
): Promise<boolean> {
  if (!isIndex(earlier.size) || !isIndex(later.size) || earlier.size === 0 || earlier.size > later.size) return false;
  if (![earlier.root, later.root, ...proof].every(isHash)) return false;
  if (earlier.size === later.size) return proof.length === 0 && isSame(earlier.root, later.root);
  const path = isPower(earlier.size) ? [earlier.root, ...proof] : proof;
  const [first, ...rest] = path;
  if (first === undefined) return false;
  let [at, last] = [earlier.size - 1, later.size - 1];
  while (at % 2 === 1) [at, last] = [half(at), half(last)];
  let [before, after] = [first, first];
  for (const beside of rest) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      before = await digest(nodeInput(beside, before));
      after = await digest(nodeInput(beside, after));
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
    } else {
      after = await digest(nodeInput(after, beside));
    }
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && isSame(before, earlier.root) && isSame(after, later.root);
}

function isIndex(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isHash(bytes: Uint8Array): boolean {
  return bytes.length === hashBytes;
}

/** Of whole numbers beyond 32 bits too. */
function half(value: number): number {
  return Math.floor(value / 2);
}

function isPower(value: number): boolean {
  let power = 1;
  while (power < value) power *= 2;
  return power === value;
}
