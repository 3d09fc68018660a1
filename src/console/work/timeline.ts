/**
 * How a waybill is drawn: a row for each hop, also for those that never happened, and a row for each gap beside its emitter's. Each emitter
 * and epoch has an axis of its own: what the record does not order stands beside nothing that it could be compared with. Pure.
 */
import { hopsOf } from "../../evidence/entry.ts";
import type { Entry, Gap } from "../../evidence/entry.ts";
import type { Certainty, Explanation } from "../../evidence/verdict.ts";

/** One emitter's clock in one life of it. */
export interface Axis {
  readonly emitter: string;
  readonly epoch: number;
  /** A, B, C…: short, for the rows. */
  readonly letter: string;
  readonly from: string;
  readonly spanMs: number;
}

/** On an axis, 0 at its left end and 1 at its right. */
export interface Segment {
  readonly axis: Axis;
  readonly start: number;
  readonly end: number;
  readonly ms: number;
  readonly certainty: Certainty;
}

export interface HopRow {
  readonly type: "hop";
  readonly key: string;
  readonly hop: string;
  /** Of a build's step its name. */
  readonly step: string | null;
  readonly segments: readonly Segment[];
  readonly handed: Entry | undefined;
  readonly took: Entry | undefined;
  /** The last of it that is neither. */
  readonly ended: Entry | undefined;
  readonly entries: readonly string[];
  readonly hasStopped: boolean;
  /** Where the work is now: begun, and not over. */
  readonly isOpen: boolean;
}

export interface GapRow {
  readonly type: "gap";
  readonly key: string;
  readonly gap: Gap;
  /** Where on its emitter's axis; null where nothing of that emitter is here. */
  readonly segment: Segment | null;
  /** Hops of which there is no entry. */
  readonly couldHide: readonly string[];
}

export interface Timeline {
  readonly axes: readonly Axis[];
  readonly rows: readonly (HopRow | GapRow)[];
  /** What has no entry may still have one. */
  readonly isOpen: boolean;
}

export function timelineOf({
  kind,
  outcome,
  entries,
  gaps,
  verdict,
}: Pick<Explanation, "kind" | "outcome" | "entries" | "gaps" | "verdict">): Timeline {
  const axes = axesOf(entries);
  const stopped = stoppedAt(entries, verdict?.facts ?? []);
  const known: readonly string[] = kind in hopsOf ? hopsOf[kind as keyof typeof hopsOf] : [];
  const others = [...new Set(entries.map(({ hop }) => hop as string))].filter((hop) => !known.includes(hop));
  const hops: HopRow[] = [];
  for (const hop of [...known, ...others]) {
    const of = entries.filter((entry) => entry.hop === hop);
    const steps = hop === "build.step" ? stepsOf(of) : [null];
    for (const step of steps) {
      const here = step === null ? of : of.filter(({ facts }) => facts["step"] === step);
      const hasStopped = stopped !== undefined && here.includes(stopped);
      const certainty = hasStopped ? (verdict?.certainty ?? "proved") : "proved";
      hops.push({
        ...({ type: "hop", key: `${hop} ${step ?? ""}`, hop, step, hasStopped, isOpen: false } as const),
        segments: segmentsOf(here, entries, axes, certainty),
        handed: here.find(({ mark }) => mark === "handed"),
        took: here.find(({ mark }) => mark === "took"),
        ended: here.findLast(({ mark }) => mark !== "handed" && mark !== "took"),
        entries: here.map(({ id }) => id),
      });
    }
  }
  const isOpen = outcome === "open";
  const now = isOpen ? hops.findLast((row) => row.entries.length > 0) : undefined;
  const told = hops.map((row) => (row === now && row.ended === undefined ? { ...row, isOpen } : row));
  return { axes, rows: withGaps(told, gaps, entries, axes), isOpen };
}

function axesOf(entries: readonly Entry[]): readonly Axis[] {
  const times = new Map<string, { emitter: string; epoch: number; from: string; to: string }>();
  for (const { emitter, epoch, at } of entries) {
    const key = `${emitter} ${epoch}`;
    const seen = times.get(key);
    if (seen === undefined) times.set(key, { emitter, epoch, from: at, to: at });
    else if (at < seen.from) seen.from = at;
    else if (at > seen.to) seen.to = at;
  }
  return [...times.values()].map(({ emitter, epoch, from, to }, at) => {
    return { emitter, epoch, letter: letterOf(at), from, spanMs: Date.parse(to) - Date.parse(from) };
  });
}

/** A to Z, then A2, B2… */
function letterOf(at: number): string {
  const round = Math.floor(at / 26);
  return String.fromCharCode(65 + (at % 26)) + (round === 0 ? "" : String(round + 1));
}

function stepsOf(entries: readonly Entry[]): readonly (string | null)[] {
  const steps = [...new Set(entries.map(({ facts }) => facts["step"]))].filter((step) => typeof step === "string");
  return steps.length > 0 ? steps : [null];
}

/** The last refusal or failure that the verdict rests on; where it names none, the last that is there. */
function stoppedAt(entries: readonly Entry[], facts: readonly string[]): Entry | undefined {
  const ends = entries.filter(({ mark }) => mark === "refused" || mark === "failed");
  return ends.findLast(({ id }) => facts.includes(id)) ?? ends.at(-1);
}

/** On each axis from its first entry of the hop to the last; of a single one from what came before it on that axis. */
function segmentsOf(
  here: readonly Entry[],
  all: readonly Entry[],
  axes: readonly Axis[],
  certainty: Certainty,
): readonly Segment[] {
  return axes.flatMap((axis) => {
    const own = here
      .filter((entry) => isOn(entry, axis))
      .map(({ at }) => at)
      .toSorted();
    const [first, last] = [own[0], own.at(-1)];
    if (first === undefined || last === undefined) return [];
    const before = all
      .filter((entry) => isOn(entry, axis) && entry.at < first)
      .map(({ at }) => at)
      .toSorted();
    const from = own.length === 1 ? (before.at(-1) ?? first) : first;
    return [segment(axis, from, last, certainty)];
  });
}

function isOn({ emitter, epoch }: Pick<Entry, "emitter" | "epoch">, axis: Axis): boolean {
  return emitter === axis.emitter && epoch === axis.epoch;
}

function segment(axis: Axis, from: string, to: string, certainty: Certainty): Segment {
  const [start, end] = [placeOn(axis, from), placeOn(axis, to)];
  return { axis, start, end, ms: Date.parse(to) - Date.parse(from), certainty };
}

function placeOn({ from, spanMs }: Axis, at: string): number {
  return spanMs === 0 ? 0 : (Date.parse(at) - Date.parse(from)) / spanMs;
}

/** A gap stands below the last row of its emitter, over the time that it covers there. */
function withGaps(
  hops: readonly HopRow[],
  gaps: readonly Gap[],
  entries: readonly Entry[],
  axes: readonly Axis[],
): readonly (HopRow | GapRow)[] {
  const couldHide = [...new Set(hops.filter((row) => row.entries.length === 0).map(({ hop }) => hop))];
  const rows: (HopRow | GapRow)[] = [...hops];
  for (const gap of gaps) {
    const axis = axes.find((one) => isOn(gap, one));
    const row: GapRow = {
      ...({ type: "gap", gap, couldHide } as const),
      key: `${gap.emitter}/${gap.epoch}/${gap.from}`,
      segment: axis === undefined ? null : gapOn(axis, gap, entries),
    };
    const last = rows.findLastIndex(
      (one) => axis !== undefined && one.type === "hop" && one.segments.some((part) => part.axis === axis),
    );
    rows.splice(last < 0 ? rows.length : last + 1, 0, row);
  }
  return rows;
}

/** From the entry before the missing numbers to the one after them. */
function gapOn(axis: Axis, { from, to }: Gap, entries: readonly Entry[]): Segment {
  const own = entries.filter((entry) => isOn(entry, axis)).toSorted((a, b) => a.seq - b.seq);
  const before = own.findLast(({ seq }) => seq < from)?.at ?? axis.from;
  const after = own.find(({ seq }) => seq > to)?.at ?? own.at(-1)?.at ?? axis.from;
  return segment(axis, before, after < before ? before : after, "unknown");
}
