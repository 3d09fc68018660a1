/** What is read from the evidence store: a work with all that its verdict may rest on. */
import { startsKept } from "../contract/starts.ts";
import type { StartTimes } from "../contract/starts.ts";
import { expand } from "../evidence/expand.ts";
import { emittersOf, isEmitterOf, takersOf } from "../evidence/entry.ts";
import type { EmitterClock, Entry, EpochState, Gap, Watermark } from "../evidence/entry.ts";
import type { CountedRow, EvidenceDatabase } from "./evidence-database.ts";
import { packedWorkOf } from "./packed-search.ts";
import { missing } from "./spans.ts";

/** Evidence of one work, as `explain` takes it in. */
export interface WorkEvidence {
  readonly entries: readonly Entry[];
  /** Entries of other works that say what became of a replica that this work was handed to. */
  readonly neighbours: readonly Entry[];
  readonly gaps: readonly Gap[];
  readonly watermarks: readonly Watermark[];
  readonly epochs: readonly EpochState[];
  readonly clocks: readonly EmitterClock[];
  /** Works that this one names, and works that name it. */
  readonly links: readonly string[];
  /** Retention has dropped records up to this time, so an absence before it proves nothing; null when it never did. */
  readonly droppedThrough: string | null;
  readonly index: number;
}

/** A work's entries are bounded: a build of many steps stays far below. */
const entriesMax = 2_000;
const gapsMax = 100;
/** A work is packed once, or twice where a request's functions end after it. */
const packedMax = 10;
/** Starts of one build that are looked through for the newest: a Space that sleeps often has thousands. */
const startsReadMax = 200;
/** Answers about one channel: the last ones cover the earlier. */
const watermarksMax = 200;

export function readWork(store: EvidenceDatabase, work: string): WorkEvidence {
  const told = bodies<Entry>(
    store
      .prepare(`SELECT body FROM entries WHERE work = ? ORDER BY at, emitter, epoch, seq LIMIT ${entriesMax}`)
      .all(work),
  );
  const packed = store.packedRows.ofWork(work, packedMax);
  const entries = [...told, ...packed.flatMap((found) => expand(found.packed))];
  const takers = takersOf(entries);
  const epochs = epochsOf(store, entries, takers);
  return {
    entries,
    neighbours: takers.filter((taker) => taker !== work).flatMap((taker) => endsOf(store, taker)),
    gaps: epochs.flatMap((epoch) => gapsOf(store, epoch, entries)),
    watermarks: watermarksOf(store, entries),
    epochs,
    clocks: [...new Set(entries.map(({ emitter }) => emitter))].sort().flatMap((name) => store.clocks.of(name) ?? []),
    links: linksOf(store, work),
    droppedThrough: droppedThrough(store),
    index: store.index(),
  };
}

/** The work of the entry, or the packed record, with this number; null where none is stored under it, or found. */
export function workOf(
  store: EvidenceDatabase,
  { emitter, epoch, seq }: { readonly emitter: string; readonly epoch: number; readonly seq: number },
): string | null {
  const row = store
    .prepare("SELECT work FROM entries WHERE emitter = ? AND epoch = ? AND seq = ?")
    .get(emitter, epoch, seq);
  return row ? String(row["work"]) : packedWorkOf(store, { emitter, epoch, seq });
}

/** A start's times are in its `replica.ready`, and a replica's entries name the build that its release is of. */
export function earlierStarts(store: EvidenceDatabase, builds: readonly string[]): readonly StartTimes[] {
  const ofBuild = store.prepare(
    `SELECT at, body ->> '$.facts.stages' AS stages FROM
       (SELECT work AS replica FROM links WHERE other = ?1 LIMIT ${startsReadMax}) JOIN entries ON work = replica
     WHERE body ->> '$.hop' = 'replica.ready' AND body ->> '$.mark' = 'done' AND body ->> '$.facts.stages' IS NOT NULL
     ORDER BY at DESC LIMIT ${startsKept}`,
  );
  return builds
    .flatMap((build) => ofBuild.all(build))
    .toSorted((a, b) => Number(a["at"]) - Number(b["at"]))
    .slice(-startsKept)
    .map(({ stages }) => JSON.parse(String(stages)) as StartTimes);
}

export function readCounted(store: EvidenceDatabase, id: string): CountedRow | null {
  const row = store.prepare("SELECT * FROM counted WHERE id = ?").get(id);
  return row ? countedOf(row) : null;
}

export function countedOf(row: Readonly<Record<string, unknown>>): CountedRow {
  return {
    id: String(row["id"]),
    code: String(row["code"]),
    host: String(row["host"]),
    block: String(row["block"]),
    minute: Number(row["minute"]),
    count: Number(row["count"]),
    samples: JSON.parse(String(row["samples"])) as string[],
  };
}

function bodies<Body>(rows: readonly Record<string, unknown>[]): Body[] {
  return rows.map((row) => JSON.parse(String(row["body"])) as Body);
}

/** The epochs of those who told of the work, and of its takers, whatever they told of. */
function epochsOf(
  store: EvidenceDatabase,
  entries: readonly Entry[],
  takers: readonly string[],
): readonly EpochState[] {
  const wanted = new Map<string, { emitter: string; epoch: number }>();
  const want = (emitter: string, epoch: number): unknown => wanted.set(`${emitter}/${epoch}`, { emitter, epoch });
  for (const { emitter, epoch } of entries) want(emitter, epoch);
  for (const taker of takers)
    for (const given of emittersOf(taker)) {
      // One that lost its counter has a name that goes on after a hyphen; `.` is the character behind it.
      const rows = store
        .prepare(
          "SELECT emitter, epoch FROM epochs WHERE emitter = ?1 OR (emitter > ?1 || '-' AND emitter < ?1 || '.') ORDER BY emitter, epoch DESC LIMIT 20",
        )
        .all(given);
      for (const row of rows)
        if (isEmitterOf(String(row["emitter"]), taker)) want(String(row["emitter"]), Number(row["epoch"]));
    }
  return [...wanted.values()].flatMap(({ emitter, epoch }) => epochState(store, emitter, epoch));
}

export function epochState(store: EvidenceDatabase, emitter: string, epoch: number): readonly EpochState[] {
  const row = store
    .prepare(
      "SELECT last_seq, closed, EXISTS (SELECT 1 FROM epochs later WHERE later.emitter = ?1 AND later.epoch > ?2) AS later FROM epochs WHERE emitter = ?1 AND epoch = ?2",
    )
    .get(emitter, epoch);
  if (!row) return [];
  return [
    {
      emitter,
      epoch,
      lastSeq: Number(row["last_seq"]),
      state: row["closed"] ? "closed" : row["later"] ? "dead" : "open",
    },
  ];
}

/** Missing spans of an epoch that could hold something of this work: of its own emitters, those after its first entry there. */
function gapsOf(store: EvidenceDatabase, { emitter, epoch }: EpochState, entries: readonly Entry[]): readonly Gap[] {
  const own = entries.filter((entry) => entry.emitter === emitter && entry.epoch === epoch).map(({ seq }) => seq);
  const since = own.length > 0 ? Math.min(...own) : 0;
  return missing(store.spansOf(emitter, epoch))
    .filter(([, to]) => to >= since)
    .slice(0, gapsMax)
    .map(([from, to]) => ({ emitter, epoch, from, to, why: "these numbers never reached the record" }));
}

function watermarksOf(store: EvidenceDatabase, entries: readonly Entry[]): readonly Watermark[] {
  const channels = new Set(
    entries.flatMap(({ facts }) => (typeof facts["channel"] === "string" ? [facts["channel"]] : [])),
  );
  return [...channels].flatMap((channel) =>
    bodies<Watermark>(
      store
        .prepare(`SELECT body FROM watermarks WHERE channel = ? ORDER BY at DESC, seq DESC LIMIT ${watermarksMax}`)
        .all(channel),
    ),
  );
}

function endsOf(store: EvidenceDatabase, replica: string): readonly Entry[] {
  return bodies<Entry>(
    store.prepare("SELECT body FROM entries WHERE work = ? ORDER BY at, emitter, epoch, seq LIMIT 200").all(replica),
  ).filter(
    ({ hop, mark }) =>
      hop.startsWith("replica.") && (mark === "failed" || hop === "replica.exit" || hop === "replica.stop"),
  );
}

function linksOf(store: EvidenceDatabase, work: string): readonly string[] {
  const rows = store
    .prepare(
      "SELECT other FROM links WHERE work = ?1 UNION SELECT work FROM links WHERE other = ?1 ORDER BY 1 LIMIT 200",
    )
    .all(work);
  return rows.map((row) => String(row["other"]));
}

export function droppedThrough(store: EvidenceDatabase): string | null {
  const through = store.prepare("SELECT max(day) AS day FROM dropped WHERE what IN ('entries', 'packed')").get()?.[
    "day"
  ];
  return typeof through === "string" ? through : null;
}
