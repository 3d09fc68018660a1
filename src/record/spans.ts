/** Which numbers of an epoch are held: sorted, disjoint spans `[first, last]`, both ends included. What lies between is missing. */

export type Span = readonly [first: number, last: number];

/** The spans with `seq` added; the same array where it was held already. */
export function addNumber(spans: readonly Span[], seq: number): readonly Span[] {
  const end = spans.at(-1);
  if (end && seq === end[1] + 1) return [...spans.slice(0, -1), [end[0], seq]];
  if (!end || seq > end[1]) return [...spans, [seq, seq]];
  const index = spans.findIndex(([, last]) => last >= seq - 1);
  const at = spans[index] as Span;
  if (at[0] <= seq && seq <= at[1]) return spans;
  if (at[1] === seq - 1) {
    const next = spans[index + 1];
    if (next && next[0] === seq + 1) return [...spans.slice(0, index), [at[0], next[1]], ...spans.slice(index + 2)];
    return [...spans.slice(0, index), [at[0], seq], ...spans.slice(index + 1)];
  }
  if (at[0] === seq + 1) return [...spans.slice(0, index), [seq, at[1]], ...spans.slice(index + 1)];
  return [...spans.slice(0, index), [seq, seq], ...spans.slice(index)];
}

/** The spans that are missing from 1 up to the last number held. */
export function missing(spans: readonly Span[]): readonly Span[] {
  const holes: Span[] = [];
  let next = 1;
  for (const [first, last] of spans) {
    if (first > next) holes.push([next, first - 1]);
    next = last + 1;
  }
  return holes;
}
