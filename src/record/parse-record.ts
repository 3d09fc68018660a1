/** Records as they come in from a spool: checked once here, so that the store and `explain` may trust their shape. */
import type { EvidenceBatch } from "../contract/agent.ts";
import { hopsOf, isEmitterOf, marks, workKinds } from "../evidence/entry.ts";
import type { Facts, Hop } from "../evidence/entry.ts";
import { rowHead } from "./rows.ts";
import type { Row, Shape } from "./rows.ts";
import type { SpoolLine } from "./segments.ts";

const hops: ReadonlySet<string> = new Set<Hop>(Object.values(hopsOf).flat());
const markSet: ReadonlySet<string> = new Set(marks);
const kindSet: ReadonlySet<string> = new Set(workKinds);
/** What RFC 3339 has a year for. */
const instantEnd = Date.UTC(10_000, 0);
/** Ids, channels and hops are short; anything longer is not ours. */
const textMax = 300;

/** The record, or undefined where it is malformed or another emitter's: its number stays missing, which is then told. */
export function parseRecord(batch: Pick<EvidenceBatch, "emitter" | "epoch">, record: unknown): SpoolLine | undefined {
  if (!isRecord(record)) return undefined;
  const { kind, body } = record;
  if (typeof kind !== "string" || !isRecord(body) || body["emitter"] !== batch.emitter || body["epoch"] !== batch.epoch)
    return undefined;
  const seq = body["seq"];
  if (!isCount(seq) || seq === 0 || !isInstant(body["at"])) return undefined;
  if (!isOwnTaking(kind, body, batch.emitter)) return undefined;
  return hasShape(kind, body, `${batch.emitter}/${batch.epoch}/${seq}`)
    ? ({ kind, body } as unknown as SpoolLine)
    : undefined;
}

/** A shape of rows; undefined where it is malformed. */
export function parseShape(shape: unknown): Shape | undefined {
  if (!isRecord(shape)) return undefined;
  const { kind, hops: passed, facts } = shape as { readonly [name in keyof Shape]?: unknown };
  const isOurs =
    isOneOf(kindSet, kind) &&
    Array.isArray(passed) &&
    passed.length <= hops.size &&
    passed.every((hop) => isOneOf(hops, hop)) &&
    Array.isArray(facts) &&
    facts.every((name) => typeof name === "string");
  return isOurs ? ({ kind, hops: passed, facts } as unknown as Shape) : undefined;
}

/** A row with its shape, one of `shapes`; undefined where it is malformed. */
export function parseRow<One extends Shape>(
  shapes: readonly (One | undefined)[],
  row: unknown,
): { readonly shape: One; readonly row: Row } | undefined {
  if (!Array.isArray(row)) return undefined;
  const [place, seq, work, at] = row as readonly unknown[];
  const shape = typeof place === "number" ? shapes[place] : undefined;
  if (!shape || row.length !== rowHead + shape.hops.length + shape.facts.length) return undefined;
  if (!isCount(seq) || seq === 0 || !isText(work) || !isCount(at) || at >= instantEnd) return undefined;
  for (let i = rowHead; i < rowHead + shape.hops.length; i++) if (!Number.isFinite(row[i])) return undefined;
  return { shape, row: row as Row };
}

/** What was handed along a channel is answered for by its taker, and by nobody else. */
function isOwnTaking(kind: string, body: Facts, emitter: string): boolean {
  const facts = body["facts"];
  const channel =
    kind === "watermark"
      ? body["channel"]
      : kind === "entry" && body["mark"] === "took" && isRecord(facts)
        ? facts["channel"]
        : undefined;
  // A shim's entry names its connection's giver alone.
  const taker = typeof channel === "string" ? channel.split("→")[1] : undefined;
  return taker === undefined || isEmitterOf(emitter, taker);
}

function hasShape(kind: string, body: Facts, id: string): boolean {
  switch (kind) {
    case "entry":
      return (
        body["id"] === id &&
        isText(body["work"]) &&
        isOneOf(hops, body["hop"]) &&
        isOneOf(markSet, body["mark"]) &&
        isRecord(body["facts"])
      );
    case "packed":
      return (
        isText(body["work"]) && isOneOf(kindSet, body["kind"]) && isStages(body["stages"]) && isRecord(body["facts"])
      );
    case "watermark":
      return (
        isText(body["channel"]) &&
        isCount(body["upTo"]) &&
        (body["from"] === undefined || isCount(body["from"])) &&
        (body["taken"] === undefined || isCounts(body["taken"]))
      );
    case "closing":
      return true;
    default:
      return false;
  }
}

function isStages(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length <= hops.size &&
    value.every(
      (stage) =>
        Array.isArray(stage) &&
        stage.length === 2 &&
        isOneOf(hops, stage[0]) &&
        typeof stage[1] === "number" &&
        Number.isFinite(stage[1]),
    )
  );
}

function isCounts(value: unknown): boolean {
  return Array.isArray(value) && value.every(isCount);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isOneOf(words: ReadonlySet<string>, value: unknown): boolean {
  return typeof value === "string" && words.has(value);
}

function isText(value: unknown): boolean {
  return typeof value === "string" && value.length > 0 && value.length <= textMax;
}

function isInstant(value: unknown): boolean {
  return typeof value === "string" && value.length <= 40 && Number.isFinite(Date.parse(value));
}

function isRecord(value: unknown): value is Facts {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
