/**
 * How many works ended in each minute, by kind and code, and how long things waited: counted in the commit that stores the record which
 * tells of it, so that a batch that comes again changes nothing. Rows are few (a row for each code that happened in a minute), and are
 * folded into hours and days, never dropped: retention changes no sum.
 */
import type { LedgerRecord } from "../core/record.ts";
import { callOutcomes } from "../evidence/call-outcomes.ts";
import { endOfEntry, endOfPacked, waitsOfEntry, waitsOfPacked } from "../evidence/endings.ts";
import type { CountedKind, EndCode, Ending, Wait, Waited } from "../evidence/endings.ts";
import { isCode, splitCode } from "../evidence/codes.ts";
import { lastedMs } from "../evidence/entry.ts";
import type { Entry } from "../evidence/entry.ts";
import { bucketOf } from "../evidence/waits.ts";
import type { CountedRow, EvidenceDatabase } from "./evidence-database.ts";
import type { PackedBrief } from "./packed-rows.ts";

/** Works of one code that are kept as samples, the newest: those behind an incident. */
export const samplesKept = 20;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
/** Minutes are told apart for so long, hours for so long. */
const minutesKeptMs = 2 * dayMs;
const hoursKeptMs = 40 * dayMs;
/** Works told by entries are remembered as counted for so long: longer than any build or request is open. */
const endedKeptMs = 30 * dayMs;
/** Rows of one fold, and works forgotten in one. */
const foldMax = 5_000;

/** What the ledger's records say of calls, counted; `from` and `to`: the records' numbers. */
export interface CallCounts {
  readonly from: number;
  readonly to: number;
  readonly ends: readonly { readonly at: number; readonly call: string; readonly code: EndCode }[];
  readonly waits: readonly { readonly at: number; readonly ms: number }[];
}

export interface CountsFound {
  /** Since when works are counted; milliseconds since 1970. */
  readonly since: number;
  /** `from`: the start of its first minute. */
  readonly spans: readonly {
    readonly from: number;
    readonly works: readonly { readonly kind: CountedKind; readonly code: EndCode; readonly count: number }[];
    readonly waits: readonly { readonly boundary: Waited; readonly bucket: number; readonly count: number }[];
  }[];
}

export class WorkCounts {
  readonly #store: EvidenceDatabase;
  readonly #works = new Map<string, { minute: number; kind: CountedKind; code: string; count: number }>();
  readonly #waits = new Map<string, { minute: number; boundary: Waited; bucket: number; count: number }>();

  constructor(store: EvidenceDatabase) {
    this.#store = store;
  }

  cameEntry(entry: Entry, at: number): void {
    for (const wait of waitsOfEntry(entry)) this.#wait(wait, at);
    if (entry.hop === "build.claim" && entry.mark === "handed") this.#queued(entry, at);
    const end = endOfEntry(entry);
    if (!end) return;
    if (end.once && !this.#isFirst(end, at)) return;
    this.#end(this.#joined(end, entry), at);
  }

  camePacked(packed: PackedBrief, at: number): void {
    const end = endOfPacked(packed);
    if (!end) return;
    this.#end(end, at + lastedMs(packed));
    for (const wait of waitsOfPacked(packed)) this.#wait(wait, at);
  }

  /** What strangers can cause is counted by whoever refused it: `rows` say how often so far. */
  cameCounted({ id, code, minute, count }: CountedRow): void {
    const kind = kindOfCounted(code);
    if (kind === undefined || !isCode(code)) return;
    const known = this.#store.prepare("SELECT count FROM counted WHERE id = ?").get(id)?.["count"];
    this.#add(kind, code, minute, count - Number(known ?? 0));
  }

  /** Calls are the ledger's: its records are counted once, by their numbers. Returns up to which they are. */
  cameCalls({ from, to, ends, waits }: CallCounts): number {
    const known = this.callsThrough();
    if (known !== null && from !== known + 1) return known;
    for (const { at, call, code } of ends) this.#end({ work: call, kind: "call", code, count: 1, once: false }, at);
    for (const { at, ms } of waits) this.#wait({ boundary: "gpu", ms }, at);
    this.beginCalls(to);
    return to;
  }

  beginCalls(through: number): void {
    this.#store.prepare("INSERT OR REPLACE INTO meta VALUES ('calls-through', ?)").run(through);
  }

  /** Up to which of the ledger's records calls are counted; null: none was ever. */
  callsThrough(): number | null {
    const found = this.#store.prepare("SELECT value FROM meta WHERE name = 'calls-through'").get()?.["value"];
    return typeof found === "number" ? found : null;
  }

  /** Within the transaction that stores the records. */
  write(): void {
    const put = this.#store.prepare(
      "INSERT INTO work_counts VALUES (?, ?, ?, ?) ON CONFLICT (minute, kind, code) DO UPDATE SET count = count + excluded.count",
    );
    for (const { minute, kind, code, count } of this.#works.values()) put.run(minute, kind, code, count);
    const putWait = this.#store.prepare(
      "INSERT INTO work_waits VALUES (?, ?, ?, ?) ON CONFLICT (minute, boundary, bucket) DO UPDATE SET count = count + excluded.count",
    );
    for (const { minute, boundary, bucket, count } of this.#waits.values())
      putWait.run(minute, boundary, bucket, count);
    this.drop();
  }

  /** What was counted and not written: the transaction was rolled back. */
  drop(): void {
    this.#works.clear();
    this.#waits.clear();
  }

  /** Sums from each of these instants on. */
  find(from: readonly number[]): CountsFound {
    const since = Number(this.#store.prepare("SELECT value FROM meta WHERE name = 'counting-since'").get()?.["value"]);
    const works = this.#store.prepare(
      "SELECT kind, code, sum(count) AS count FROM work_counts WHERE minute >= ? GROUP BY kind, code ORDER BY kind, code",
    );
    const waits = this.#store.prepare(
      "SELECT boundary, bucket, sum(count) AS count FROM work_waits WHERE minute >= ? GROUP BY boundary, bucket ORDER BY boundary, bucket",
    );
    return {
      since,
      spans: from.map((instant) => {
        const first = minuteOf(instant);
        return {
          from: first,
          works: works.all(first) as unknown as CountsFound["spans"][number]["works"],
          waits: waits.all(first) as unknown as CountsFound["spans"][number]["waits"],
        };
      }),
    };
  }

  /** The newest works that ended so, each with when. */
  samples(codes: readonly string[], since: number): readonly { code: string; work: string; at: number }[] {
    const found = this.#store.prepare(
      "SELECT code, work, at FROM work_samples WHERE code = ? AND at >= ? ORDER BY at DESC, n DESC",
    );
    return codes.flatMap((code) => found.all(code, since) as unknown as { code: string; work: string; at: number }[]);
  }

  /** Old minutes into hours, old hours into days. Returns how many rows went. */
  fold(now: number): number {
    const hours = this.#fold(now - minutesKeptMs, hourMs);
    const days = this.#fold(now - hoursKeptMs, dayMs);
    const forgotten = this.#store
      .prepare(`DELETE FROM ended_works WHERE work IN (SELECT work FROM ended_works WHERE at < ? LIMIT ${foldMax})`)
      .run(now - endedKeptMs);
    return hours + days + Number(forgotten.changes);
  }

  #fold(before: number, into: number): number {
    let gone = 0;
    for (const [table, key] of [
      ["work_counts", "kind, code"],
      ["work_waits", "boundary, bucket"],
    ] as const) {
      const rows = this.#store
        .prepare(
          `DELETE FROM ${table} WHERE (minute, ${key}) IN (SELECT minute, ${key} FROM ${table}
             WHERE minute < ? AND minute % ? <> 0 LIMIT ${foldMax}) RETURNING *`,
        )
        .all(before, into);
      const put = this.#store.prepare(
        `INSERT INTO ${table} VALUES (?, ?, ?, ?) ON CONFLICT (minute, ${key}) DO UPDATE SET count = count + excluded.count`,
      );
      const [first, second] = key.split(", ") as [string, string];
      for (const row of rows) {
        const minute = Number(row["minute"]);
        put.run(minute - (minute % into), row[first] as string, row[second] as string | number, row["count"] as number);
      }
      gone += rows.length;
    }
    return gone;
  }

  #isFirst({ work }: Ending, at: number): boolean {
    return this.#store.prepare("INSERT OR IGNORE INTO ended_works VALUES (?, ?)").run(work, at).changes > 0;
  }

  /** A join's event may have failed before its stream was through: the code is in the entry that told of that. */
  #joined(end: Ending, { facts }: Entry): Ending {
    if (end.kind !== "request" || end.code !== "" || typeof facts["event"] !== "string") return end;
    const told = this.#store
      .prepare(
        "SELECT body ->> '$.facts.code' AS code FROM entries WHERE work = ? AND body ->> '$.mark' = 'failed' LIMIT 1",
      )
      .get(end.work)?.["code"];
    return typeof told === "string" && isCode(told) ? { ...end, code: told } : end;
  }

  /** How long a build stood in the queue, once it is given to a builder. */
  #queued({ work }: Entry, at: number): void {
    const since = this.#store
      .prepare(
        "SELECT max(at) AS at FROM entries WHERE work = ? AND body ->> '$.hop' = 'build.queue' AND body ->> '$.mark' = 'took'",
      )
      .get(work)?.["at"];
    if (typeof since === "number") this.#wait({ boundary: "build", ms: Math.max(0, at - since) }, at);
  }

  #end({ work, kind, code, count }: Ending, at: number): void {
    this.#add(kind, code, at, count);
    if (code === "") return;
    const { next } = (this.#store
      .prepare("SELECT coalesce(max(n) + 1, 0) AS next FROM work_samples WHERE code = ?")
      .get(code) ?? { next: 0 }) as { next: number };
    this.#store
      .prepare("INSERT OR REPLACE INTO work_samples VALUES (?, ?, ?, ?, ?)")
      .run(code, next % samplesKept, next, work, at);
  }

  #add(kind: CountedKind, code: string, at: number, count: number): void {
    if (count <= 0) return;
    const minute = minuteOf(at);
    const key = `${minute} ${kind} ${code}`;
    const row = this.#works.get(key) ?? { minute, kind, code, count: 0 };
    row.count += count;
    this.#works.set(key, row);
  }

  #wait({ boundary, ms }: Wait, at: number): void {
    const minute = minuteOf(at);
    const bucket = bucketOf(ms);
    const key = `${minute} ${boundary} ${bucket}`;
    const row = this.#waits.get(key) ?? { minute, boundary, bucket, count: 0 };
    row.count += 1;
    this.#waits.set(key, row);
  }
}

/** What the ledger's records say of calls' ends and waits. `admittedAt`: of calls that wait, kept from one record to the next. */
export function callCounts(records: readonly LedgerRecord[], admittedAt: Map<string, number>): CallCounts {
  const ends: CallCounts["ends"][number][] = [];
  const waits: CallCounts["waits"][number][] = [];
  for (const { at, events } of records)
    for (const event of events) {
      if (event.type === "call-admitted") admittedAt.set(event.terms.call, at);
      else if (event.type === "call-refused")
        ends.push({ at, call: event.terms.call, code: callOutcomes[event.refusal.code].code ?? "" });
      else if (event.type === "call-granted") {
        const since = admittedAt.get(event.call);
        if (since !== undefined) waits.push({ at, ms: at - since });
        admittedAt.delete(event.call);
      } else if (event.type === "call-voided" || event.type === "call-settled") {
        admittedAt.delete(event.call);
        ends.push({ at, call: event.call, code: callOutcomes[event.cause].code ?? "" });
      }
    }
  return { from: records[0]?.index ?? 0, to: records.at(-1)?.index ?? 0, ends, waits };
}

function kindOfCounted(code: string): CountedKind | undefined {
  if (!isCode(code)) return undefined;
  const [boundary] = splitCode(code);
  if (boundary === "transfer") return "transfer";
  return boundary === "control" ? undefined : "request";
}

function minuteOf(at: number): number {
  return Math.floor(at / minuteMs) * minuteMs;
}
