/** The lines of spool files, read: a line that a crash has torn off is none, and its number stays missing. */
import type { EvidenceBatch } from "../contract/agent.ts";
import { parseRow, parseShape } from "./parse-record.ts";
import { packedOf } from "./rows.ts";
import type { Rows } from "./rows.ts";

/** Lines of one emitter and epoch as its spool holds them, whole; whoever is handed them owns their bytes. */
export interface SpoolText {
  readonly emitter: string;
  readonly epoch: number;
  readonly lines: Uint8Array<ArrayBuffer>;
  /** The highest number in its segment so far; 0 where no line of it is a record. */
  readonly seq: number;
}

/** Bytes are of this process: no frame of another one holds any. */
export function isText(batch: EvidenceBatch | SpoolText): batch is SpoolText {
  return "lines" in batch && batch.lines instanceof Uint8Array;
}

export type SpoolRecord = EvidenceBatch["records"][number];

const newline = 0x0a;
const kinds: ReadonlySet<string> = new Set(["entry", "packed", "watermark", "closing"]);
const utf8 = new TextDecoder();

/** The records in whole lines. */
export function recordsIn(lines: Uint8Array): readonly SpoolRecord[] {
  return linesIn(lines).flatMap(recordsOf);
}

/** What whole lines hold: records, and packed ones of one write together. */
export function linesIn(lines: Uint8Array): readonly (SpoolRecord | Rows)[] {
  return utf8
    .decode(lines)
    .split("\n")
    .flatMap((line) => lineOf(line) ?? []);
}

/** Each record of a line by itself. */
export function recordsOf(line: SpoolRecord | Rows): readonly SpoolRecord[] {
  if (line.kind !== "rows") return [line];
  const shapes = line.shapes.map(parseShape);
  return line.rows.flatMap((raw) => {
    const found = parseRow(shapes, raw);
    return found ? [{ kind: "packed", body: packedOf(line, found.shape, found.row) } as const] : [];
  });
}

/** Undefined for what is no record. */
export function lineOf(line: string): SpoolRecord | Rows | undefined {
  if (line === "") return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined; // a torn line: its number is missing, which is told
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { kind, body } = value as { kind?: unknown; body?: unknown };
  if (kind === "rows") return isRows(value) ? value : undefined;
  if (typeof kind !== "string" || !kinds.has(kind) || seqOf(body) === undefined) return undefined;
  return { kind: kind as SpoolRecord["kind"], body };
}

/** The number of the last record in whole lines: numbers rise within a segment. Undefined where there is none. */
export function lastSeqIn(lines: Buffer): number | undefined {
  for (let end = lines.length - 1; end >= 0;) {
    const before = end === 0 ? -1 : lines.lastIndexOf(newline, end - 1);
    const line = lineOf(lines.toString("utf8", before + 1, end));
    const seq = line?.kind === "rows" ? seqOfRow(line.rows.at(-1)) : line && seqOf(line.body);
    if (seq !== undefined) return seq;
    end = before;
  }
  return undefined;
}

/** Highest number in a batch; 0 where it has none. */
export function lastSeqOf(batch: EvidenceBatch): number {
  return batch.records.reduce((last, { body }) => Math.max(last, seqOf(body) ?? 0), 0);
}

function isRows(value: object): value is Rows {
  const { emitter, epoch, rows, shapes } = value as { readonly [name in keyof Rows]?: unknown };
  return typeof emitter === "string" && typeof epoch === "number" && Array.isArray(rows) && Array.isArray(shapes);
}

/** The number that a row claims, checked or not. */
export function seqOfRow(row: unknown): number | undefined {
  return Array.isArray(row) ? seqOf({ seq: row[1] as unknown }) : undefined;
}

function seqOf(body: unknown): number | undefined {
  const seq: unknown = typeof body === "object" && body !== null ? (body as { seq?: unknown }).seq : undefined;
  return typeof seq === "number" && Number.isSafeInteger(seq) && seq > 0 ? seq : undefined;
}
