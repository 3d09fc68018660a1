/** The log of a Space's requests, read from the records themselves: newest first in pages, or on from a number as they come in. */
import type { RequestFilter, RequestView } from "../contract/requests.ts";
import type { EvidenceDatabase } from "./evidence-database.ts";
import type { PackedFound } from "./packed-rows.ts";
import { olderRequests } from "./request-counts.ts";
import { isFailed, viewOfPacked, viewOfRow } from "./request-rows.ts";

export interface RequestQuery {
  readonly space: string;
  readonly filter?: RequestFilter;
  /** Only requests that began before this: the last item's `at`, with its `id` as `beforeId`. */
  readonly before?: string;
  /** Of those that began in the same millisecond, only what sorts after this id; without it, none of them. */
  readonly beforeId?: string;
  readonly limit: number;
}

export interface RequestsFound {
  readonly items: readonly RequestView[];
  /** The place to go on from: of the last request that was looked at; null at the end. */
  readonly next: { readonly at: string; readonly id: string } | null;
  readonly older: { readonly counted: number; readonly forgotten: number };
}

export interface FollowQuery {
  readonly space: string;
  readonly filter?: RequestFilter;
  /** The number after which to go on; null: from the first that `filter.since` allows, or from now on. */
  readonly after: number | null;
  readonly limit: number;
}

export interface RequestsFollowed {
  readonly items: readonly RequestView[];
  /** Where to go on. */
  readonly upTo: number;
  /** There is more already. */
  readonly more: boolean;
  /** Of what was asked for, some is no longer there one by one. */
  readonly gone: boolean;
}

const batch = 500;
/** What one question looks through at most, so that nobody waits long for the store's thread. */
const lookedAtMax = 20_000;

/** Whether packed or told by entries; those still open are not in it. */
export function listRequests(store: EvidenceDatabase, query: RequestQuery): RequestsFound {
  const { space, filter = {}, limit } = query;
  const since = filter.since === undefined ? 0 : Date.parse(filter.since);
  const items: RequestView[] = [];
  let place = placeOf(query);
  let end = false;
  // Without a filter the page is all that is looked at, and one more, which tells that there is a next one.
  const size = Object.keys(filter).length === 0 ? Math.min(batch, limit + 1) : batch;
  for (let lookedAt = 0; !end && items.length < limit && lookedAt < lookedAtMax; lookedAt += size) {
    const found = newestOf(store, { space, failed: filter.failed === true, size, ...place });
    end = found.length < size;
    for (const view of found) {
      if (items.length === limit) {
        end = false;
        break;
      }
      const at = Date.parse(view.at);
      end ||= at < since;
      if (at < since) break;
      place = { at, id: view.id };
      if (isWanted(view, filter)) items.push(view);
    }
  }
  const next = end ? null : { at: new Date(place.at).toISOString(), id: place.id };
  return { items, next, older: olderRequests(store, space) };
}

interface Place {
  readonly at: number;
  readonly id: string;
}

function placeOf({ before, beforeId = "", filter }: RequestQuery): Place {
  if (before !== undefined) return { at: Date.parse(before), id: beforeId };
  return { at: filter?.until === undefined ? Number.MAX_SAFE_INTEGER : Date.parse(filter.until), id: "" };
}

/** The next ones of both kinds in one order. */
function newestOf(
  store: EvidenceDatabase,
  { space, failed, size, at, id }: Place & { space: string; failed: boolean; size: number },
): readonly RequestView[] {
  const page = "space = ?1 AND at <= ?2 AND (at < ?2 OR work < ?3)";
  const order = "ORDER BY at DESC, work DESC LIMIT ?4";
  const { packedRows } = store;
  const packed = packedRows
    .find(
      `request = 1 AND ${page} ${failed ? "AND failed = 1" : ""} ${order}`,
      ...[packedRows.spaceNumber(space), at, id, size],
    )
    .map(viewOfFound);
  const told = store
    .prepare(`SELECT * FROM told_requests WHERE ${page} AND n IS NOT NULL ${order}`)
    .all(space, at, id, size)
    .map(viewOfRow);
  return withoutTwice(told, packed)
    .sort((a, b) => (a.at === b.at ? (a.id < b.id ? 1 : -1) : a.at < b.at ? 1 : -1))
    .slice(0, size);
}

/** What came in after a number, in that order. */
export function followRequests(store: EvidenceDatabase, query: FollowQuery): RequestsFollowed {
  const { space, filter = {}, limit } = query;
  const { goneN } = store.requestLogs.of(space);
  const after = query.after ?? firstSince(store, space, filter.since);
  const rest = `space = ?1 AND n > ?2 ORDER BY n LIMIT ${batch + 1}`;
  const packed = store.packedRows.find(`request = 1 AND ${rest}`, store.packedRows.spaceNumber(space), after);
  const told = store.prepare(`SELECT * FROM told_requests WHERE ${rest}`).all(space, after);
  const found = withoutTwice(told.map(viewOfRow), packed.map(viewOfFound)).sort((a, b) => a.n - b.n);
  const looked = found.slice(0, batch);
  const items = looked.filter((view) => isWanted(view, filter)).slice(0, limit);
  const isCut = items.length === limit && items.at(-1) !== looked.at(-1);
  const more = isCut || found.length > batch;
  return {
    items,
    upTo: isCut ? (items.at(-1)?.n ?? after) : (looked.at(-1)?.n ?? after),
    more,
    gone: query.after !== null && goneN > query.after,
  };
}

/** The number before the first request that began since then; of the last record where nobody asks for older ones. */
function firstSince(store: EvidenceDatabase, space: string, since: string | undefined): number {
  if (since === undefined) return store.index();
  const row = store
    .prepare(
      `SELECT min(n) AS n FROM (SELECT n FROM packed WHERE request = 1 AND space = ?3 AND at >= ?2
         UNION ALL SELECT n FROM told_requests WHERE space = ?1 AND at >= ?2 AND n IS NOT NULL)`,
    )
    .get(space, Date.parse(since), store.packedRows.spaceNumber(space));
  return row === undefined || row["n"] === null ? store.index() : Math.max(0, Number(row["n"]) - 1);
}

/** A Gradio request whose function ended later is packed, and told by entries. */
function withoutTwice(told: readonly RequestView[], packed: readonly RequestView[]): RequestView[] {
  const ids = new Set(told.map(({ id }) => id));
  return [...told, ...packed.filter(({ id }) => !ids.has(id))];
}

function isWanted(view: RequestView, filter: RequestFilter): boolean {
  const { status, who, account, method, since, until, path, failed, grep } = filter;
  if (status !== undefined && Math.floor(view.status / 100) !== status) return false;
  if (who !== undefined && view.answeredBy !== who) return false;
  if (account !== undefined && view.account !== account) return false;
  if (method !== undefined && view.method !== method) return false;
  if (since !== undefined && view.at < since) return false;
  if (until !== undefined && view.at >= until) return false;
  if (path !== undefined && !view.path.startsWith(path)) return false;
  if (failed === true && !isFailed(view.status, view.code)) return false;
  return grep === undefined || textOf(view).includes(grep.toLowerCase());
}

function textOf({ path, query, account, code, id }: RequestView): string {
  return `${path}?${query ?? ""} ${account} ${code ?? ""} ${id}`.toLowerCase();
}

function viewOfFound({ n, packed }: PackedFound): RequestView {
  return viewOfPacked(packed, n);
}
