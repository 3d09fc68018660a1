/**
 * Ways to look at one record that must not lead to another boundary: beside other works, by clocks that disagree, and with every part
 * of its evidence taken away in turn. For tests.
 */
import type { Code } from "./codes.ts";
import { lose, numbersOf } from "./loss.suite.ts";
import type { Loss } from "./loss.suite.ts";
import type { WorkRecord } from "./work-record.ts";

/** Of these, the first two leave all of the record where it was. */
export const wayNames = [
  "beside other works",
  "skewed clocks",
  "an earlier journal",
  "an entry lost",
  "a batch lost",
  "the rest of an emitter lost",
  "an emitter dead",
  "an emitter lost",
  "a work beside it lost",
] as const;
export type Way = (typeof wayNames)[number];

export interface Looked {
  readonly record: WorkRecord;
  /** What was done to it, in a few words. */
  readonly says: string;
  /** What may be said of it too, as likely: an emitter was there and died, and its death ends work in its own way. */
  readonly death?: Code;
}

/** How far each emitter's clock is off, in turn: seconds, days and years, both ways. */
const offsetsMs = [-3_000, 3_600_000, -86_400_000, 31_536_000_000, 500, -315_360_000_000] as const;

export function isWhole(way: Way): boolean {
  return way === "beside other works" || way === "skewed clocks";
}

export function look(way: Way, record: WorkRecord, others: readonly WorkRecord[] = []): readonly Looked[] {
  switch (way) {
    case "beside other works":
      return [{ record: beside(record, others), says: `${others.length} others` }];
    case "skewed clocks":
      return offsetsMs.map((_, turn) => ({ record: skewed(record, turn), says: `offsets from number ${turn}` }));
    case "an emitter lost":
      return emittersIn(record).map((emitter) => ({
        record: lose(record, everything(record, emitter)),
        says: emitter,
      }));
    case "a work beside it lost":
      return withoutWorks(record);
    case "an earlier journal":
      return earlier(record);
    default:
      return lossesOf(way, record).map((loss) => ({
        record: lose(record, [loss]),
        says: lossSays(loss),
        ...(loss.dead && deathOf(loss.emitter)),
      }));
  }
}

/** Another work is not this one's: what became of others, and what is missing of them, says nothing of it. */
function beside(record: WorkRecord, others: readonly WorkRecord[]): WorkRecord {
  const strange = others.filter(({ id }) => id !== record.id);
  const entries = strange.flatMap((other) => [...other.entries, ...(other.neighbours ?? [])]);
  const own = new Set([...record.entries, ...(record.neighbours ?? [])].map(({ id, work }) => `${work} ${id}`));
  return {
    ...record,
    neighbours: [
      ...(record.neighbours ?? []),
      ...entries.filter(({ id, work }) => work !== record.id && !own.has(`${work} ${id}`)),
    ],
  };
}

function skewed(record: WorkRecord, turn: number): WorkRecord {
  const emitters = [...new Set([...emittersIn(record), ...record.entries.map(({ emitter }) => emitter)])];
  const offsetOf = (emitter: string): number =>
    offsetsMs[(emitters.indexOf(emitter) + turn) % offsetsMs.length] as number;
  const shift = (at: string, ms: number): string => {
    const moment = Date.parse(at);
    return Number.isNaN(moment) ? at : new Date(moment + ms).toISOString(); // what does not say when, says no other time
  };
  const moved = <One extends { readonly emitter: string; readonly at: string }>(one: One): One => ({
    ...one,
    at: shift(one.at, offsetOf(one.emitter)),
  });
  return {
    ...record,
    entries: record.entries.map(moved),
    neighbours: (record.neighbours ?? []).map(moved),
    watermarks: record.watermarks.map(moved),
    // Calls are the journal's, whose times are one clock's.
    links: record.links.map((link) =>
      link.kind === "call" && link.at ? { ...link, at: shift(link.at, offsetsMs[turn] ?? 0) } : link,
    ),
  };
}

/** Views of the journal are never lost; but it may have been read before all of them were there. */
function earlier(record: WorkRecord): readonly Looked[] {
  const indexes = [...new Set(record.entries.filter(({ id }) => id.startsWith("journal/")).map(({ seq }) => seq))];
  return indexes.map((index) => ({
    says: `read to before ${index}`,
    record: {
      ...record,
      entries: record.entries.filter(({ id, seq }) => !id.startsWith("journal/") || seq < index),
      charge: null,
      read: { ...record.read, journal: index - 1 },
    },
  }));
}

/** The works beside it whose record is evidence: what it says may be missing, or not be known yet. */
function withoutWorks(record: WorkRecord): readonly Looked[] {
  return record.links
    .filter(({ kind }) => kind !== "call")
    .flatMap(({ id }) => {
      const others = record.links.filter((link) => link.id !== id);
      const untold = record.links.map((link) =>
        link.id === id ? { ...link, outcome: "unknown" as const, code: null, certainty: "unknown" as const } : link,
      );
      return [
        { record: { ...record, links: others }, says: `${id} is lost` },
        { record: { ...record, links: untold }, says: `what became of ${id} is lost` },
      ];
    });
}

function lossesOf(way: Way, record: WorkRecord): readonly Loss[] {
  const numbers = numbersOf(record);
  switch (way) {
    case "an entry lost":
      return numbers.map(({ emitter, epoch, seq }) => ({ emitter, epoch, from: seq, to: seq }));
    case "a batch lost":
      return numbers.flatMap(({ emitter, epoch, seq }) =>
        numbers
          .filter((other) => other.emitter === emitter && other.epoch === epoch && other.seq > seq)
          .map((other) => ({ emitter, epoch, from: seq, to: other.seq })),
      );
    case "the rest of an emitter lost":
      return numbers.map(({ emitter, epoch, seq }) => ({ emitter, epoch, from: seq, to: Infinity }));
    case "an emitter dead":
      return numbers.map(({ emitter, epoch, seq }) => ({ emitter, epoch, from: seq, to: Infinity, dead: true }));
    default:
      return [];
  }
}

/** By whom an emitter is: the edge, a replica's shim, or else a node's agent. */
function deathOf(emitter: string): { readonly death: Code } {
  if (emitter.startsWith("edge")) return { death: "route/control-down" };
  return { death: emitter.startsWith("shim") ? "runtime/shim-lost" : "build/builder-lost" };
}

function everything({ epochs, entries, neighbours = [], watermarks }: WorkRecord, emitter: string): readonly Loss[] {
  const all = [...epochs, ...entries, ...neighbours, ...watermarks].filter((one) => one.emitter === emitter);
  return [...new Set(all.map(({ epoch }) => epoch))].map((epoch) => ({ emitter, epoch, from: 1, to: Infinity }));
}

function emittersIn(record: WorkRecord): readonly string[] {
  return [...new Set([...numbersOf(record), ...record.epochs].map(({ emitter }) => emitter))].sort();
}

function lossSays({ emitter, epoch, from, to }: Loss): string {
  return `${emitter}/${epoch} without ${from === to ? from : `${from} to ${to === Infinity ? "its end" : to}`}`;
}
