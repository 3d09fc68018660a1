/** A work's record in an order that depends on nothing but its content, and the small questions that rules ask of it. */
import { isCode } from "./codes.ts";
import type { Code } from "./codes.ts";
import { hopOrder } from "./entry.ts";
import type { Entry, EpochState, Facts, Gap, Hop, Mark } from "./entry.ts";
import type { WorkRecord } from "./work-record.ts";

export interface Reading {
  readonly record: WorkRecord;
  /** This work's entries, in hop order, then by emitter, epoch and number. */
  readonly entries: readonly Entry[];
  readonly neighbours: readonly Entry[];
}

/** Sorts and removes repeats, so that neither the order nor the number of deliveries changes a verdict. */
export function read(record: WorkRecord): Reading {
  const own = record.entries.filter(({ work }) => work === record.id);
  const neighbours = [...record.entries.filter(({ work }) => work !== record.id), ...(record.neighbours ?? [])];
  const order = (entry: Entry): number => hopOrder(record.kind, entry.hop);
  return {
    record,
    entries: unique(own).sort((a, b) => order(a) - order(b) || byNumber(a, b)),
    neighbours: unique(neighbours).sort(byNumber),
  };
}

export function first(reading: Reading, hop: Hop, ...marks: readonly Mark[]): Entry | undefined {
  return all(reading, hop, ...marks)[0];
}

export function last(reading: Reading, hop: Hop, ...marks: readonly Mark[]): Entry | undefined {
  return all(reading, hop, ...marks).at(-1);
}

export function all(reading: Reading, hop: Hop, ...marks: readonly Mark[]): readonly Entry[] {
  return reading.entries.filter((entry) => entry.hop === hop && (marks.length === 0 || marks.includes(entry.mark)));
}

/** The code that an entry bears; undefined without one, or with one that this version does not know. */
export function codeOf(entry: Entry | undefined): Code | undefined {
  const code = entry?.facts["code"];
  return typeof code === "string" && isCode(code) ? code : undefined;
}

/** Entries that refused or failed the work with a code. */
export function coded(entries: readonly Entry[]): readonly Entry[] {
  return entries.filter(
    (entry) => (entry.mark === "refused" || entry.mark === "failed") && codeOf(entry) !== undefined,
  );
}

export function codesIn(entries: readonly Entry[]): readonly Code[] {
  return [...new Set(coded(entries).flatMap((entry) => codeOf(entry) ?? []))].sort();
}

export function text(facts: Facts | undefined, name: string): string | undefined {
  const value = facts?.[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

export function number(facts: Facts | undefined, name: string): number | undefined {
  const value = facts?.[name];
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

export function texts(facts: Facts | undefined, name: string): readonly string[] {
  const value = facts?.[name];
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}

export function epochOf(
  reading: Reading,
  { emitter, epoch }: Pick<Entry, "emitter" | "epoch">,
): EpochState | undefined {
  return reading.record.epochs.find((state) => state.emitter === emitter && state.epoch === epoch);
}

/** Holes in the numbers of an emitter. */
export function gapsOf(reading: Reading, isOf: (emitter: string) => boolean): readonly Gap[] {
  return reading.record.gaps
    .filter(({ emitter }) => isOf(emitter))
    .sort((a, b) => (a.emitter < b.emitter ? -1 : a.emitter > b.emitter ? 1 : a.epoch - b.epoch || a.from - b.from));
}

/** `numbers 12 to 15 of shim-p_1 in epoch 2`. */
export function spanSays({ emitter, epoch, from, to }: Pick<Gap, "emitter" | "epoch" | "from" | "to">): string {
  return from === to
    ? `number ${from} of ${emitter} in epoch ${epoch}`
    : `numbers ${from} to ${to} of ${emitter} in epoch ${epoch}`;
}

export function idsOf(entries: readonly Entry[]): readonly string[] {
  return [...new Set(entries.map(({ id }) => id))];
}

function unique(entries: readonly Entry[]): Entry[] {
  return [...new Map([...entries].sort(byContent).map((entry) => [entry.id, entry])).values()];
}

/** By emitter, epoch and number; views of one record by their place in it. */
function byNumber(a: Entry, b: Entry): number {
  return (
    compare(a.emitter, b.emitter) || a.epoch - b.epoch || a.seq - b.seq || placeOf(a) - placeOf(b) || byContent(a, b)
  );
}

function placeOf({ id }: Entry): number {
  return Number(/[./](\d+)$/.exec(id)?.[1] ?? 0);
}

function byContent(a: Entry, b: Entry): number {
  return compare(a.id, b.id) || compare(JSON.stringify(a), JSON.stringify(b));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
