/**
 * The hashes of the Xet protocol: BLAKE3 with a key of its own for each purpose. A chunk's hash is over its bytes; those of a xorb and of
 * a file are the root of a tree over their chunks, so both are known without the bytes where the chunks' hashes are.
 */
import { Blake3Hasher } from "@napi-rs/blake-hash";
import { toHex } from "./hash-text.ts";

const keys = {
  data: "6697f5775b9550de3135cbaca597181c9de421109beb2b58b4d0b04b93adf229",
  node: "017ec5c7a5472996fd946666b48a02e65ddd536f37c76dd2f86352e64a53713f",
  verify: "7f1857d6ce56ed66127ff913e7a5c3f3a4cd26d5b5db49e64124987f28fb94c3",
  file: "00".repeat(32),
};

/** A chunk as trees see it. */
export interface Leaf {
  readonly hash: Uint8Array;
  readonly length: number;
}

/** Of a file without a byte. */
export const emptyFile = "0".repeat(64);

/** A group of the tree has at most so many children. */
const groupMax = 9;

export class XetHashes {
  readonly #data = keyed(keys.data);
  readonly #node = keyed(keys.node);
  readonly #verify = keyed(keys.verify);
  readonly #file = keyed(keys.file);

  chunk(bytes: Uint8Array): Uint8Array {
    return digest(this.#data, bytes);
  }

  /** The same of chunks that come in pieces, one after another: what others of the thread hash meanwhile is apart from it. */
  chunksInPieces(): { update(bytes: Uint8Array): void; digest(): Uint8Array } {
    const own = keyed(keys.data);
    return {
      update: (bytes) => void own.update(bytes),
      digest: () => {
        const hash = own.digestBuffer();
        own.reset();
        return hash;
      },
    };
  }

  /** Of a xorb, over all its chunks in order; there is at least one. */
  xorb(chunks: readonly Leaf[]): string {
    return toHex(this.#root(chunks));
  }

  /** Of a file, over all its chunks in order. */
  file(chunks: readonly Leaf[]): string {
    if (chunks.length === 0) return emptyFile;
    return toHex(digest(this.#file, this.#root(chunks)));
  }

  /** What shows that somebody has the chunks of a term, and not only their xorb's name. */
  verification(chunks: readonly Pick<Leaf, "hash">[]): string {
    this.#verify.reset();
    for (const { hash } of chunks) this.#verify.update(hash);
    return toHex(this.#verify.digestBuffer());
  }

  #root(leaves: readonly Leaf[]): Uint8Array {
    let level = leaves;
    while (level.length > 1) {
      const next: Leaf[] = [];
      for (let at = 0; at < level.length;) {
        const end = at + groupLength(level, at);
        next.push(this.#parent(level.slice(at, end)));
        at = end;
      }
      level = next;
    }
    return (level[0] as Leaf).hash;
  }

  #parent(children: readonly Leaf[]): Leaf {
    const lines = children.map(({ hash, length }) => `${toHex(hash)} : ${length}\n`).join("");
    const length = children.reduce((sum, child) => sum + child.length, 0);
    return { hash: digest(this.#node, lines), length };
  }
}

function keyed(key: string): Blake3Hasher {
  return Blake3Hasher.newKeyed(Buffer.from(key, "hex"));
}

/** It keeps its key. */
function digest(hasher: Blake3Hasher, bytes: Uint8Array | string): Uint8Array {
  hasher.reset();
  return hasher.update(bytes).digestBuffer();
}

/** Where a group ends is said by its children's hashes, so that a change moves few groups: at the third or a later one whose hash is a multiple of 4. */
function groupLength(level: readonly Leaf[], from: number): number {
  const left = level.length - from;
  if (left <= 2) return left;
  const most = Math.min(groupMax, left);
  for (let n = 2; n < most; n++) if (((level[from + n] as Leaf).hash[24] as number) % 4 === 0) return n + 1;
  return most;
}
