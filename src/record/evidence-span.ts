/** What the evidence store holds of a span of time: whose works failed in it, how many went well, and who told how far. */
import type { EpochState, Gap, WorkKind } from "../evidence/entry.ts";
import { isTried } from "../evidence/endings.ts";
import { idKinds } from "../evidence/id-kinds.ts";
import type { CountedRow, EvidenceDatabase } from "./evidence-database.ts";
import { countedOf, droppedThrough, epochState } from "./evidence-queries.ts";
import { missing } from "./spans.ts";

/** `[from, to)`, milliseconds since 1970, by the clocks of those who wrote. */
export interface SpanQuery {
  readonly from: number;
  readonly to: number;
}

/** A work of which something was refused or failed within the span. */
export interface SpanCandidate {
  readonly work: string;
  /** As it is recorded; null of a request that an app answered with a status of its own. */
  readonly code: string | null;
  readonly space: string | null;
  readonly account: string | null;
  /** When the first and the last of it was recorded, each by its emitter's clock. */
  readonly first: number;
  readonly last: number;
}

export interface SpanEmitter extends EpochState {
  /** When its newest entry was written, by its own clock; null where it is dropped. */
  readonly lastAt: string | null;
}

export interface SpanEvidence {
  /** In the order of their first entries; what the platform tries in Spaces of its own is left out, here and of what went well. */
  readonly works: readonly SpanCandidate[];
  /** The span has more entries, or failed answers of apps, than are looked at: up to where these are; null where all were. */
  readonly readTo: number | null;
  /** Works that went well, by kind and Space; at most {@link wellMax} are counted. */
  readonly well: readonly { readonly kind: WorkKind; readonly space: string; readonly count: number }[];
  readonly isWellCut: boolean;
  /** Requests that went well and are no longer there one by one. */
  readonly rolledUp: readonly { readonly space: string; readonly count: number }[];
  readonly counted: readonly CountedRow[];
  readonly emitters: readonly SpanEmitter[];
  /** Numbers that never came, between records of the span. */
  readonly gaps: readonly Gap[];
  readonly droppedThrough: string | null;
  readonly index: number;
}

/** Entries of one look: the store's one thread does nothing else meanwhile, for a tenth of a second. */
const entriesMax = 20_000;
/** Requests that apps answered with a status of 500 and more, of one look. */
const failedMax = 2_000;
const wellMax = 200_000;
const countedMax = 200;
const emittersMax = 100;
const gapsMax = 100;

export function readSpan(store: EvidenceDatabase, { from, to }: SpanQuery): SpanEvidence {
  const readTo = cutOf(store, from, to);
  const until = readTo ?? to;
  const well = wellIn(store, from, until);
  const emitters = emittersOf(store, from, until);
  return {
    works: [...codedWorks(store, from, until), ...failedRequests(store, from, until)],
    readTo,
    well,
    isWellCut: well.reduce((sum, { count }) => sum + count, 0) >= wellMax,
    rolledUp: store
      .prepare(
        `SELECT space, sum(count) AS n FROM request_counts WHERE minute >= ? AND minute < ?
           AND (status BETWEEN 1 AND 3 OR (status = 4 AND answered_by = 'app')) GROUP BY space`,
      )
      .all(from, until)
      .map((row) => ({ space: String(row["space"]), count: Number(row["n"]) })),
    counted: store
      .prepare(`SELECT * FROM counted WHERE minute >= ? AND minute < ? ORDER BY count DESC LIMIT ${countedMax}`)
      .all(from, until)
      .map(countedOf),
    emitters,
    gaps: emitters.flatMap((epoch) => gapsIn(store, epoch, from, until)).slice(0, gapsMax),
    droppedThrough: droppedThrough(store),
    index: store.index(),
  };
}

/** The time of the first that is not looked at. */
function cutOf(store: EvidenceDatabase, from: number, to: number): number | null {
  const within = "at >= ?1 AND at < ?2 ORDER BY at LIMIT 1";
  const at = store
    .prepare(
      `SELECT min(at) AS at FROM (SELECT * FROM (SELECT at FROM entries WHERE ${within} OFFSET ${entriesMax})
         UNION ALL SELECT * FROM (SELECT at FROM packed WHERE failed = 1 AND ${within} OFFSET ${failedMax}))`,
    )
    .get(from, to)?.["at"];
  return typeof at === "number" ? at : null;
}

function codedWorks(store: EvidenceDatabase, from: number, to: number): readonly SpanCandidate[] {
  return store
    .prepare(
      `SELECT work, min(body ->> '$.facts.code') AS code, max(body ->> '$.facts.space') AS space,
         max(body ->> '$.facts.account') AS account, min(at) AS first, max(at) AS last,
         max(body ->> '$.mark' IN ('refused', 'failed') AND body ->> '$.hop' <> 'app.take') AS bad
       FROM entries WHERE at >= ? AND at < ? GROUP BY work HAVING bad = 1 ORDER BY first`,
    )
    .all(from, to)
    .map(candidateOf)
    .filter((work) => !isTried(work));
}

function failedRequests(store: EvidenceDatabase, from: number, to: number): readonly SpanCandidate[] {
  return store.packedRows
    .find(`failed = 1 AND at >= ? AND at < ? ORDER BY at LIMIT ${failedMax}`, from, to)
    .map(({ packed: { work, at, facts } }) =>
      candidateOf({ ...facts, code: null, work, first: Date.parse(at), last: Date.parse(at) }),
    )
    .filter((work) => !isTried(work));
}

/** Packed records of successes; what a work is stands before its id's `_`. */
function wellIn(store: EvidenceDatabase, from: number, to: number): SpanEvidence["well"] {
  return store
    .prepare(
      `SELECT substr(work, 1, instr(work, '_') - 1) AS prefix, space, count(*) AS n FROM
         (SELECT work, space FROM packed WHERE failed = 0 AND at >= ? AND at < ? LIMIT ${wellMax}) GROUP BY 1, 2 ORDER BY 1, 2`,
    )
    .all(from, to)
    .flatMap((row) => {
      const kind = idKinds[String(row["prefix"])]?.work;
      const space = store.packedRows.nameOf(Number(row["space"]));
      return kind === undefined || isTried({ space }) ? [] : [{ kind, space, count: Number(row["n"]) }];
    });
}

function candidateOf(row: Readonly<Record<string, unknown>>): SpanCandidate {
  const text = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null);
  return {
    work: String(row["work"]),
    code: text(row["code"]),
    space: text(row["space"]),
    account: text(row["account"]),
    first: Number(row["first"]),
    last: Number(row["last"]),
  };
}

/** Those who wrote entries within the span, and those that go on and are no replica's. */
function emittersOf(store: EvidenceDatabase, from: number, to: number): readonly SpanEmitter[] {
  return store
    .prepare(
      `SELECT emitter, epoch FROM entries WHERE at >= ?1 AND at < ?2
       UNION SELECT emitter, max(epoch) FROM epochs WHERE emitter NOT LIKE 'shim%' GROUP BY emitter HAVING max(closed) = 0
       ORDER BY emitter, epoch LIMIT ${emittersMax}`,
    )
    .all(from, to)
    .flatMap((row) => epochState(store, String(row["emitter"]), Number(row["epoch"])))
    .map((state) => ({ ...state, lastAt: newestAt(store, state) }));
}

/** Of an entry or an answer; packed records are not found by their number. */
function timeAt(
  store: EvidenceDatabase,
  { emitter, epoch }: Pick<EpochState, "emitter" | "epoch">,
  seq: number,
): string | null {
  const row = store
    .prepare(
      ["entries", "watermarks"]
        .map((table) => `SELECT at FROM ${table} WHERE emitter = ?1 AND epoch = ?2 AND seq = ?3`)
        .join(" UNION ALL "),
    )
    .get(emitter, epoch, seq);
  return row ? new Date(Number(row["at"])).toISOString() : null;
}

/** Of its newest entry or answer. */
function newestAt(store: EvidenceDatabase, { emitter, epoch }: Pick<EpochState, "emitter" | "epoch">): string | null {
  const row = store
    .prepare(
      `SELECT max(at) AS at FROM (${["entries", "watermarks"]
        .map(
          (table) =>
            `SELECT at FROM (SELECT at FROM ${table} WHERE emitter = ?1 AND epoch = ?2 ORDER BY seq DESC LIMIT 1)`,
        )
        .join(" UNION ALL ")})`,
    )
    .get(emitter, epoch);
  return typeof row?.["at"] === "number" ? new Date(row["at"]).toISOString() : null;
}

/** A hole is of the span unless the entry before it is known to be from after, or the one behind it from before. */
function gapsIn(store: EvidenceDatabase, epoch: SpanEmitter, from: number, to: number): readonly Gap[] {
  const { emitter, epoch: number } = epoch;
  return missing(store.spansOf(emitter, number))
    .slice(-gapsMax)
    .filter(([first, last]) => {
      const before = timeAt(store, epoch, first - 1);
      const behind = timeAt(store, epoch, last + 1);
      return (before === null || Date.parse(before) < to) && (behind === null || Date.parse(behind) >= from);
    })
    .map(([first, last]) => ({
      emitter,
      epoch: number,
      from: first,
      to: last,
      why: "these numbers never reached the record",
    }));
}
