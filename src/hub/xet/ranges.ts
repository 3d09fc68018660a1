/** Parts of something that are asked for, one or several, and the answer that has them (RFC 9110, 14). Pure. */
import type { ByteRange } from "../../blobs/blobs.ts";

/** A client asks for what a plan names, some at once; more would be a way to make us work. */
const rangesMax = 1_000;
const boundary = "waybill-part-of-a-xorb";

/** Those that are in `size` bytes; none of them: an empty list. Undefined: all is asked for, or the field is none that we know. */
export function readRanges(field: string | undefined, size: number): readonly ByteRange[] | undefined {
  const text = /^bytes=(\d[\d\s,-]*)$/.exec(field ?? "")?.[1];
  const parts = text?.split(",", rangesMax + 1).map((one) => /^\s*(\d{1,15})-(\d{0,15})\s*$/.exec(one));
  if (parts === undefined || parts.length > rangesMax) return undefined;
  const ranges: ByteRange[] = [];
  for (const match of parts) {
    if (match === null) return undefined;
    const [from, last] = [Number(match[1]), match[2] === "" ? Infinity : Number(match[2])];
    if (last < from) return undefined;
    if (from < size) ranges.push({ from, to: Math.min(size, last + 1) });
  }
  return ranges;
}

export interface Parts {
  readonly headers: Readonly<Record<string, string>>;
  body(open: (range: ByteRange) => AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
}

/** Of one range its bytes, of several `multipart/byteranges`. There is at least one. */
export function partsOf(ranges: readonly ByteRange[], size: number): Parts {
  const [only] = ranges;
  const placed = ({ from, to }: ByteRange): string => `bytes ${from}-${to - 1}/${size}`;
  if (only !== undefined && ranges.length === 1)
    return {
      headers: {
        "content-type": "application/octet-stream",
        "content-length": String(only.to - only.from),
        "content-range": placed(only),
      },
      body: (open) => open(only),
    };
  const heads = ranges.map((range) =>
    Buffer.from(
      `\r\n--${boundary}\r\ncontent-type: application/octet-stream\r\ncontent-range: ${placed(range)}\r\n\r\n`,
    ),
  );
  const end = Buffer.from(`\r\n--${boundary}--\r\n`);
  const length = ranges.reduce((sum, { from, to }, n) => sum + (heads[n]?.length ?? 0) + to - from, end.length);
  return {
    headers: { "content-type": `multipart/byteranges; boundary=${boundary}`, "content-length": String(length) },
    async *body(open) {
      for (const [n, range] of ranges.entries()) {
        yield heads[n] as Buffer;
        yield* open(range);
      }
      yield end;
    },
  };
}
