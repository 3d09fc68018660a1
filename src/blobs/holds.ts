/**
 * What keeps a sweep from what is about to be referred to. Whoever refers holds the name from before it looks whether the blob is there;
 * whoever sweeps claims a name, and asks only then whether anything refers to it. So of the two one is always first. One process writes.
 */
import type { BlobName, Blobs, SweepRules, Swept } from "./blobs.ts";

export class Holds {
  readonly #held = new Map<string, number>();
  /** Names that a sweep has claimed, each until it has decided. */
  readonly #claimed = new Map<string, Promise<void>>();

  async hold(names: readonly BlobName[]): Promise<Disposable> {
    const keys = names.map(keyOf);
    for (;;) {
      const claims = keys.flatMap((key) => this.#claimed.get(key) ?? []);
      if (claims.length === 0) break;
      await Promise.all(claims);
    }
    for (const key of keys) this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
    let released = false;
    return {
      [Symbol.dispose]: () => {
        if (released) return;
        released = true;
        for (const key of keys) this.#release(key);
      },
    };
  }

  async sweep(
    blobs: Pick<Blobs, "list" | "remove">,
    kind: string,
    { before, isReferred, signal }: SweepRules,
  ): Promise<Swept> {
    let [count, bytes] = [0, 0];
    for await (const blob of blobs.list(kind)) {
      if (signal?.aborted === true) break;
      if (blob.storedAt >= before || this.#held.has(keyOf(blob)) || this.#claimed.has(keyOf(blob))) continue;
      const claim = this.#claim(blob);
      try {
        if ((await isReferred(blob)) || !(await blobs.remove(blob))) continue;
        count += 1;
        bytes += blob.bytes;
      } finally {
        claim();
      }
    }
    return { blobs: count, bytes };
  }

  #claim(name: BlobName): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#claimed.set(keyOf(name), promise);
    return () => {
      this.#claimed.delete(keyOf(name));
      resolve();
    };
  }

  #release(key: string): void {
    const others = (this.#held.get(key) ?? 1) - 1;
    if (others > 0) this.#held.set(key, others);
    else this.#held.delete(key);
  }
}

const keyOf = ({ kind, digest }: BlobName): string => `${kind}/${digest}`;
