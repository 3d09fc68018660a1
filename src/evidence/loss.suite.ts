/**
 * A work's record when part of the evidence never reached the store: what `record/evidence-queries.ts` would read of the rest. For
 * tests. The journal's and the catalog's views are not evidence, and cannot be lost: they are synced before anybody is answered.
 */
import { isEmitterOf, takersOf } from "./entry.ts";
import type { Entry, EpochState, Gap } from "./entry.ts";
import type { WorkRecord } from "./work-record.ts";

/** Numbers of one emitter's epoch that never came, both ends included. */
export interface Loss {
  readonly emitter: string;
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
  /** What is lost is the epoch's end, and a later epoch of the emitter is known: it ended without a word. */
  readonly dead?: true;
}

interface Numbered {
  readonly emitter: string;
  readonly epoch: number;
  readonly seq: number;
}

/** What came of it after all. A hole with later numbers behind it shows as a gap; a missing end shows only by what is not there. */
export function lose(record: WorkRecord, losses: readonly Loss[]): WorkRecord {
  const came = (one: Numbered): boolean => !losses.some((loss) => isOf(loss, one) && isWithin(loss, one.seq));
  const entries = record.entries.filter((entry) => isView(entry) || came(entry));
  const takers = takersOf(entries);
  const isShown = (one: Pick<Numbered, "emitter" | "epoch">): boolean =>
    entries.some((entry) => isOf(one, entry)) || takers.some((taker) => isEmitterOf(one.emitter, taker));
  const epochs = record.epochs.flatMap((epoch) => shortened(epoch, losses)).filter(isShown);
  const channels = new Set(entries.map(({ facts }) => facts["channel"]));
  return {
    ...record,
    entries,
    neighbours: (record.neighbours ?? []).filter((entry) => takers.includes(entry.work) && came(entry)),
    gaps: [...record.gaps, ...epochs.flatMap((epoch) => holesIn(epoch, losses))].filter(
      (gap) => epochs.some((epoch) => isOf(epoch, gap)) && gap.to >= sinceOf(gap, entries),
    ),
    watermarks: record.watermarks.filter((mark) => channels.has(mark.channel) && came(mark)),
    epochs,
  };
}

/** Every number that the record has of evidence: of its own entries, its neighbours, and answers about its channels. */
export function numbersOf({ entries, neighbours = [], watermarks }: WorkRecord): readonly Numbered[] {
  const all = [...entries.filter((entry) => !isView(entry)), ...neighbours, ...watermarks];
  return [...new Map(all.map((one) => [`${one.emitter}/${one.epoch}/${one.seq}`, one])).values()];
}

function isView({ id }: Entry): boolean {
  return id.startsWith("journal/") || id.startsWith("spaces/");
}

function isOf(one: Pick<Numbered, "emitter" | "epoch">, other: Pick<Numbered, "emitter" | "epoch">): boolean {
  return one.emitter === other.emitter && one.epoch === other.epoch;
}

function isWithin({ from, to }: Loss, seq: number): boolean {
  return from <= seq && seq <= to;
}

/** Of an epoch without a number the store knows nothing. */
function shortened(epoch: EpochState, losses: readonly Loss[]): readonly EpochState[] {
  const mine = losses.filter((loss) => isOf(loss, epoch));
  let { lastSeq, state } = epoch;
  for (let end = endAt(lastSeq, mine); end !== undefined; end = endAt(lastSeq, mine)) {
    lastSeq = end.from - 1;
    state = end.dead ? "dead" : state === "closed" ? "open" : state;
  }
  return lastSeq === 0 && mine.length > 0 ? [] : [{ ...epoch, lastSeq, state }];
}

function endAt(lastSeq: number, losses: readonly Loss[]): Loss | undefined {
  return lastSeq === 0 ? undefined : losses.find((loss) => isWithin(loss, lastSeq));
}

function holesIn({ emitter, epoch, lastSeq }: EpochState, losses: readonly Loss[]): readonly Gap[] {
  return losses
    .filter((loss) => isOf(loss, { emitter, epoch }) && loss.to < lastSeq)
    .map(({ from, to }) => ({ emitter, epoch, from, to, why: "these numbers never reached the record" }));
}

/** Before a work's first entry of an emitter's there is nothing of it. */
function sinceOf(gap: Gap, entries: readonly Entry[]): number {
  const own = entries.filter((entry) => isOf(gap, entry)).map(({ seq }) => seq);
  return own.length > 0 ? Math.min(...own) : 0;
}
