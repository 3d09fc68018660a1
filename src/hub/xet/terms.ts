/** Which parts of which xorbs make up a part of a file. Pure. */
import type { ChunkRange, XorbTable } from "./xorb-table.ts";

export interface FileTerm extends ChunkRange {
  readonly xorb: string;
  /** Of the file's bytes. */
  readonly bytes: number;
}

/** What is known of a stored xorb's chunks, or of one that a file would have. */
export type ChunkLengths = Pick<XorbTable, "count" | "chunkLength" | "packed" | "lengthOf">;

export interface Part {
  readonly terms: readonly FileTerm[];
  /** Bytes of the first term that come before what was asked for. */
  readonly skip: number;
}

export function bytesOf(terms: readonly FileTerm[]): number {
  return terms.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** The terms that have bytes `[from, to)` of a file, each cut to the chunks that have them. */
export async function partOf(
  terms: readonly FileTerm[],
  { from, to }: { readonly from: number; readonly to: number },
  tableOf: (xorb: string) => Promise<ChunkLengths>,
): Promise<Part> {
  const part: FileTerm[] = [];
  let [at, skip] = [0, 0];
  for (const term of terms) {
    const [start, end] = [at, at + term.bytes];
    at = end;
    if (end <= from) continue;
    if (start >= to) break;
    if (from <= start && end <= to) {
      part.push(term);
      continue;
    }
    const table = await tableOf(term.xorb);
    const cut = cutTerm(term, table, from - start, to - start);
    if (part.length === 0) skip = from - start - cut.before;
    part.push(cut.term);
  }
  return { terms: part, skip: Math.max(0, skip) };
}

function cutTerm(
  term: FileTerm,
  table: ChunkLengths,
  from: number,
  to: number,
): { readonly term: FileTerm; readonly before: number } {
  let [first, at, before] = [term.from, 0, 0];
  for (; at + table.chunkLength(first) <= from; first++) at += table.chunkLength(first);
  before = at;
  let last = first;
  for (; last < term.to && at < to; last++) at += table.chunkLength(last);
  return { term: { xorb: term.xorb, from: first, to: last, bytes: at - before }, before };
}

/** The ranges of each xorb that the terms need, none of them touching another, in order. */
export function rangesByXorb(terms: readonly FileTerm[]): ReadonlyMap<string, readonly ChunkRange[]> {
  const all = Map.groupBy(terms, ({ xorb }) => xorb);
  return new Map([...all].map(([xorb, ranges]) => [xorb, merged(ranges)]));
}

function merged(ranges: readonly ChunkRange[]): readonly ChunkRange[] {
  const sorted = ranges.toSorted((a, b) => a.from - b.from);
  const found: { from: number; to: number }[] = [];
  for (const { from, to } of sorted) {
    const last = found.at(-1);
    if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to);
    else found.push({ from, to });
  }
  return found;
}
