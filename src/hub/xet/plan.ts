/** The answer to one who wants to read a file: its terms, and the signed addresses of what they need. */
import type { ByteRange } from "../../blobs/blobs.ts";
import type { Source } from "./sources.ts";
import { partOf, rangesByXorb } from "./terms.ts";
import { signAddress, type XorbAddress } from "./tickets.ts";

export interface PlanWish {
  /** The protocol's root, as this client wrote it. */
  readonly base: string;
  readonly key: Uint8Array;
  readonly ticket: Omit<XorbAddress, "xorb">;
  readonly now: number;
  /** One address for each xorb with all of its ranges (the protocol's second version), or one for each range. */
  readonly byXorb: boolean;
}

export async function planOf(source: Source, range: ByteRange, wish: PlanWish): Promise<object> {
  const part = await partOf(source.terms, range, (xorb) => source.tableOf(xorb));
  const all: Record<string, readonly object[]> = {};
  for (const [xorb, ranges] of rangesByXorb(part.terms)) {
    const table = await source.tableOf(xorb);
    const query = signAddress(wish.key, { ...wish.ticket, xorb }, wish.now);
    const url = `${wish.base}/v1/xorbs/default/${xorb}?${query}`;
    const placed = ranges.map(({ from, to }) => {
      const { start, end } = table.packed({ from, to });
      return { chunks: { start: from, end: to }, bytes: { start, end: end - 1 } };
    });
    all[xorb] = wish.byXorb
      ? [{ url, ranges: placed }]
      : placed.map(({ chunks, bytes }) => ({ range: chunks, url, url_range: bytes }));
  }
  const terms = part.terms.map(({ xorb, bytes, from, to }) => ({
    hash: xorb,
    unpacked_length: bytes,
    range: { start: from, end: to },
  }));
  return { offset_into_first_range: part.skip, terms, ...(wish.byXorb ? { xorbs: all } : { fetch_info: all }) };
}
