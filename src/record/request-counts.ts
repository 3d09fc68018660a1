/** Requests that are no longer in the record one by one, counted by minute and route: the sums stay equal. */
import type { RequestCount, RequestView } from "../contract/requests.ts";
import type { EvidenceDatabase } from "./evidence-database.ts";
import { Tally } from "./tally.ts";

/** What is counted of a request. */
export type CountedView = Pick<
  RequestView,
  "method" | "path" | "status" | "answeredBy" | "bytesIn" | "bytesOut" | "ms"
>;

export interface Counted {
  readonly space: string;
  /** When it began, milliseconds since 1970. */
  readonly at: number;
  readonly view: CountedView;
}

/** Rows of one Space and minute; what is beyond shares the route `…`, a row for each status and method. */
export const routesMax = 100;
const methodsKnown: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
const otherRoutes = "…";
const minuteMs = 60_000;

interface Row {
  readonly space: string;
  readonly minute: number;
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly by: string;
  count: number;
  bytesIn: number;
  bytesOut: number;
  ms: number;
  msMax: number;
}

export function addToCounts(store: EvidenceDatabase, requests: readonly Counted[]): void {
  const put = store.prepare(
    `INSERT INTO request_counts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (space, minute, method, route, status, answered_by) DO UPDATE SET count = count + excluded.count,
       bytes_in = bytes_in + excluded.bytes_in, bytes_out = bytes_out + excluded.bytes_out,
       ms = ms + excluded.ms, ms_max = max(ms_max, excluded.ms_max)`,
  );
  const known = new KnownRows(store);
  for (const row of sums(requests, known).values())
    put.run(
      ...[row.space, row.minute, row.method, row.route, row.status, row.by],
      ...[row.count, row.bytesIn, row.bytesOut, row.ms, row.msMax],
    );
}

function sums(requests: readonly Counted[], known: KnownRows): Map<string, Row> {
  const rows = new Map<string, Row>();
  const routes = new Map<string, string>();
  for (const { space, at, view } of requests) {
    const minute = Math.floor(at / minuteMs) * minuteMs;
    const method = methodsKnown.has(view.method) ? view.method : "other";
    const status = Math.floor(view.status / 100);
    const rest = { space, minute, method, status, by: view.answeredBy };
    const own = routes.get(view.path) ?? routeOf(view.path);
    routes.set(view.path, own);
    const route = known.take(space, minute, keyOf({ ...rest, route: own })) ? own : otherRoutes;
    const key = `${space} ${minute} ${keyOf({ ...rest, route })}`;
    const row = rows.get(key) ?? {
      ...{ ...rest, route },
      ...{ count: 0, bytesIn: 0, bytesOut: 0, ms: 0, msMax: 0 },
    };
    row.count += 1;
    row.bytesIn += view.bytesIn;
    row.bytesOut += view.bytesOut;
    row.ms += view.ms;
    row.msMax = Math.max(row.msMax, view.ms);
    rows.set(key, row);
  }
  return rows;
}

function keyOf({ method, route, status, by }: Pick<Row, "method" | "route" | "status" | "by">): string {
  return `${method} ${status} ${by} ${route}`;
}

/** The rows that a minute has already, as far as it was asked about. */
class KnownRows {
  readonly #store: EvidenceDatabase;
  readonly #minutes = new Map<string, Set<string>>();

  constructor(store: EvidenceDatabase) {
    this.#store = store;
  }

  /** Whether this row is there, or has a place yet, which it then takes. */
  take(space: string, minute: number, key: string): boolean {
    const name = `${space} ${minute}`;
    const rows = this.#minutes.get(name) ?? this.#read(space, minute);
    this.#minutes.set(name, rows);
    if (!rows.has(key) && rows.size >= routesMax) return false;
    rows.add(key);
    return true;
  }

  #read(space: string, minute: number): Set<string> {
    const rows = this.#store
      .prepare("SELECT method, route, status, answered_by FROM request_counts WHERE space = ? AND minute = ?")
      .all(space, minute);
    return new Set(
      rows.map((row) =>
        keyOf({
          method: String(row["method"]),
          route: String(row["route"]),
          status: Number(row["status"]),
          by: String(row["answered_by"]),
        }),
      ),
    );
  }
}

/** A path without what tells one thing from another: numbers, hashes and ids become `*`. */
export function routeOf(path: string): string {
  const parts = path.split("/").map((part) => (isId(part) ? "*" : part));
  const short = parts.length > routeDepthMax ? [...parts.slice(0, routeDepthMax), "*"] : parts;
  return short.join("/");
}

const routeDepthMax = 8;

function isId(part: string): boolean {
  if (/^\d+$/.test(part) || part.length > 40) return true;
  return part.length >= 8 && /\d/.test(part) && /^[\da-f-]+$|^(?=.*\d.*\d.*\d)[\w-]+$/i.test(part);
}

/** Counts over age, and the oldest of a Space that has too many rows, go into the totals. Returns the number of rows. */
export function forgetCounts(
  store: EvidenceDatabase,
  { now, before, maxRows, batch }: { now: number; before: number; maxRows: number; batch: number },
): number {
  const tally = new Tally();
  let gone = forget(store, tally, "minute < ? ORDER BY minute LIMIT ?", [before, batch]);
  for (const { space } of store.requestLogs.all) {
    const rows = Number(store.prepare("SELECT count(*) AS n FROM request_counts WHERE space = ?").get(space)?.["n"]);
    if (rows > maxRows)
      gone += forget(store, tally, "space = ? ORDER BY minute LIMIT ?", [space, Math.min(batch, rows - maxRows)]);
  }
  tally.write(store, now);
  return gone;
}

function forget(store: EvidenceDatabase, tally: Tally, which: string, values: readonly (string | number)[]): number {
  const key = "space, minute, method, route, status, answered_by";
  const rows = store
    .prepare(
      `DELETE FROM request_counts WHERE (${key}) IN (SELECT ${key} FROM request_counts WHERE ${which}) RETURNING space, minute, count`,
    )
    .all(...values);
  for (const row of rows)
    tally.add("request-counts", Number(row["minute"]), String(row["space"]), Number(row["count"]));
  return rows.length;
}

/** Newest first, from the place after the last one that was given. */
export function listCounts(
  store: EvidenceDatabase,
  { space, before, skip, limit }: { space: string; before: number; skip: number; limit: number },
): readonly RequestCount[] {
  return store
    .prepare(
      `SELECT * FROM request_counts WHERE space = ? AND minute <= ? ORDER BY minute DESC, method, route, status, answered_by LIMIT ? OFFSET ?`,
    )
    .all(space, before, limit, skip)
    .map((row) => ({
      at: new Date(Number(row["minute"])).toISOString(),
      method: String(row["method"]),
      route: String(row["route"]),
      status: Number(row["status"]),
      answeredBy: row["answered_by"] as RequestCount["answeredBy"],
      count: Number(row["count"]),
      bytesIn: Number(row["bytes_in"]),
      bytesOut: Number(row["bytes_out"]),
      ms: Number(row["ms"]),
      msMax: Number(row["ms_max"]),
    }));
}

/** Of how many requests only counts are left, and of how many not even those. */
export function olderRequests(store: EvidenceDatabase, space: string): { counted: number; forgotten: number } {
  const counted = store.prepare("SELECT sum(count) AS n FROM request_counts WHERE space = ?").get(space);
  const forgotten = store
    .prepare("SELECT sum(count) AS n FROM dropped WHERE what = 'request-counts' AND space = ?")
    .get(space);
  return { counted: Number(counted?.["n"] ?? 0), forgotten: Number(forgotten?.["n"] ?? 0) };
}
