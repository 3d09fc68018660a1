/** The names and lines of spool files: `<emitter>.<epoch>.<n>.jsonl`, JSON lines, each a record or packed ones of one write (`rows.ts`), and `<emitter>.epoch` for the counter. */
import type { Closing, Entry, Packed, Watermark } from "../evidence/entry.ts";

export type SpoolLine =
  | { readonly kind: "entry"; readonly body: Entry }
  | { readonly kind: "packed"; readonly body: Packed }
  | { readonly kind: "watermark"; readonly body: Watermark }
  | { readonly kind: "closing"; readonly body: Closing };

export interface SegmentName {
  readonly emitter: string;
  readonly epoch: number;
  readonly n: number;
}

/** What an emitter may be called: it is part of entry ids, preambles and file names. */
export const emitterNamePattern = /^[a-z0-9][a-z0-9._-]{0,63}$/;

export function segmentFile({ emitter, epoch, n }: SegmentName): string {
  return `${emitter}.${epoch}.${n}.jsonl`;
}

/** The parts of a segment's file name; undefined for any other file. */
export function parseSegmentFile(file: string): SegmentName | undefined {
  const match = /^([a-z0-9][a-z0-9._-]*)\.(\d{1,15})\.(\d{1,15})\.jsonl$/.exec(file);
  if (!match) return undefined;
  return { emitter: match[1] as string, epoch: Number(match[2]), n: Number(match[3]) };
}

/** By emitter, then epoch, then number: the order in which records were written. */
export function bySegment(a: SegmentName, b: SegmentName): number {
  return a.emitter < b.emitter ? -1 : a.emitter > b.emitter ? 1 : a.epoch - b.epoch || a.n - b.n;
}
