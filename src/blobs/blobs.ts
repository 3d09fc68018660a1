/**
 * Bytes under names that say what they are: a kind, and a digest of which the writer answers that it is these bytes'. One port for wherever
 * they lie. A blob is there whole and durable, or not at all; it never changes.
 */

export interface BlobName {
  /** As `xorbs`; small letters and `-`. */
  readonly kind: string;
  /** 64 hexadecimal digits. */
  readonly digest: string;
}

export interface ListedBlob extends BlobName {
  readonly bytes: number;
  /** When it was stored, milliseconds since 1970. */
  readonly storedAt: number;
}

/** Bytes `[from, to)`. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

export interface SweepRules {
  /** Older ones are looked at, milliseconds since 1970. */
  readonly before: number;
  /** Asked once for each, while nobody else can begin to refer to it. */
  isReferred(name: BlobName): boolean | Promise<boolean>;
  readonly signal?: AbortSignal;
}

export interface Swept {
  readonly blobs: number;
  readonly bytes: number;
}

export interface Blobs {
  /**
   * Keeps the bytes when all have come and `bytes` has ended without an error: who checks them throws from there, and nothing is kept.
   * False where it was there. Throws what `bytes` throws, and what the disk does. Held by the caller until something refers to it.
   */
  put(name: BlobName, bytes: AsyncIterable<Uint8Array>): Promise<boolean>;
  /** Bytes that it has; undefined where it is not there. */
  size(name: BlobName): Promise<number | undefined>;
  /** Its bytes as a stream; all of them without `range`. A piece is good until the next is asked for. Throws {@link BlobMissing}. */
  open(name: BlobName, range?: ByteRange): AsyncIterable<Uint8Array>;
  /** A part that fits in memory, shorter where the blob ends; in `into` where it has room. Throws {@link BlobMissing}. */
  read(name: BlobName, range: ByteRange, into?: Uint8Array): Promise<Buffer>;
  list(kind: string): AsyncIterable<ListedBlob>;
  /** False where it was not there. */
  remove(name: BlobName): Promise<boolean>;
  /** Until it is disposed of, no sweep removes these, there or not yet. Waits for one that is removing them. */
  hold(names: readonly BlobName[]): Promise<Disposable>;
  /** Removes what nothing refers to, beside whoever writes. */
  sweep(kind: string, rules: SweepRules): Promise<Swept>;
}

/** It is not there, or not any more. */
export class BlobMissing extends Error {
  override readonly name = "BlobMissing";
  readonly code = "blob-missing";
  readonly blob: BlobName;

  constructor(blob: BlobName, options?: ErrorOptions) {
    super(`there is no ${blob.kind}/${blob.digest}`, options);
    this.blob = blob;
  }
}

export const isBlobName = ({ kind, digest }: BlobName): boolean =>
  /^[a-z][a-z-]{0,30}$/.test(kind) && /^[0-9a-f]{64}$/.test(digest);
