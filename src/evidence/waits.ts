/** Waits in buckets: what is kept of millions of them, and percentiles that say at most how long. */

/** Four buckets for each doubling: a percentile is at most a fifth more than what was measured. */
export const stepsPerDoubling = 4;
/** The last bucket holds all that is above: 2^22 ms, 70 minutes. */
export const bucketsMax = 22 * stepsPerDoubling;

/** The bucket of a wait; bucket `b` holds what is above the bound of `b - 1`, up to its own. */
export function bucketOf(ms: number): number {
  if (ms <= 1) return 0;
  return Math.min(bucketsMax, Math.ceil(Math.log2(ms) * stepsPerDoubling - 1e-9));
}

/** The longest wait of a bucket, in whole milliseconds. */
export function boundOf(bucket: number): number {
  return Math.round(2 ** (bucket / stepsPerDoubling));
}

/** How many waits fell into each bucket. */
export type Buckets = ReadonlyMap<number, number>;

export interface Percentiles {
  readonly count: number;
  /** At most so long, milliseconds; null where nothing waited. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
}

export function percentilesOf(buckets: Buckets): Percentiles {
  const count = [...buckets.values()].reduce((sum, n) => sum + n, 0);
  return {
    count,
    p50Ms: percentile(buckets, count, 0.5),
    p95Ms: percentile(buckets, count, 0.95),
    p99Ms: percentile(buckets, count, 0.99),
  };
}

/** The bound of the bucket that holds the wait of that rank. */
function percentile(buckets: Buckets, count: number, share: number): number | null {
  if (count === 0) return null;
  const rank = Math.ceil(count * share);
  let seen = 0;
  for (const [bucket, n] of [...buckets].sort(([a], [b]) => a - b)) {
    seen += n;
    if (seen >= rank) return boundOf(bucket);
  }
  return null;
}
