/**
 * Lines of the edge in an app's log: requests that it answered in the app's place, or could not bring to their end. An app's log is kept where
 * the app runs and the edge's record at the server, so they meet where they are read: by their times, the app's lines in their order.
 */
import type { LogLine } from "./agent.ts";
import type { RequestFilter, RequestPage, RequestView } from "./requests.ts";

/** Of what is there already, the newest: what is older `waybill requests --failed` has, page by page. */
export const edgeLinesMost = 1_000;
/** A line is of the end of its request, and requests are asked for by their beginning: one that took longer is in `waybill requests` alone. */
const longestMs = 60_000;
/** Each looks through some thousand requests for failures: of a busy Space, whose failures are few, the last hundred thousand. */
const pagesMost = 20;

export interface EdgeLinesAsked {
  /** RFC 3339: not older than this. */
  readonly since?: string | undefined;
  /** A text that stands in the line, whatever the case of its letters. */
  readonly grep?: string | undefined;
  /** Only of requests that this one was to answer. */
  readonly replica?: string | undefined;
}

/** What a code means, in a sentence; undefined where nothing here knows it. */
export type SayCode = (code: string) => string | undefined;

export interface EdgeLinesThere {
  /** The oldest first. */
  readonly lines: readonly LogLine[];
  /** Those after the request of this number are not among them; undefined where there is none yet. */
  readonly newest: number | undefined;
}

/** Those that are there now. `read` reads a page of the Space's requests. */
export async function readEdgeLines(
  read: (asked: { readonly filter: RequestFilter; readonly page: string | undefined }) => Promise<RequestPage>,
  asked: EdgeLinesAsked,
  sayOf: SayCode,
): Promise<EdgeLinesThere> {
  const lines: LogLine[] = [];
  let newest: number | undefined;
  let page: string | undefined;
  let pages = 0;
  do {
    pages += 1;
    const { items, next } = await read({ filter: edgeFilter(asked), page });
    if (pages === 1 && items.length > 0) newest = Math.max(...items.map(({ n }) => n));
    // What came into the record since the first page comes to whoever goes on after it.
    const known = newest ?? Number.POSITIVE_INFINITY;
    lines.push(
      ...edgeLines(
        items.filter(({ n }) => n <= known),
        asked,
        sayOf,
      ),
    );
    page = next ?? undefined;
  } while (page !== undefined && pages < pagesMost && lines.length < edgeLinesMost);
  return { lines: lines.toSorted(byTime), newest };
}

/** Which requests have lines. */
export function edgeFilter({ since }: EdgeLinesAsked): RequestFilter {
  const begun = since === undefined ? undefined : new Date(Date.parse(since) - longestMs).toISOString();
  return { failed: true, ...(begun !== undefined && { since: begun }) };
}

export function edgeLines(requests: readonly RequestView[], asked: EdgeLinesAsked, sayOf: SayCode): readonly LogLine[] {
  const { since = "", grep = "", replica } = asked;
  const isAsked = (line: LogLine): boolean =>
    line.at >= since &&
    line.text.toLowerCase().includes(grep.toLowerCase()) &&
    (replica === undefined || line.replica === replica);
  return requests.flatMap((one) => edgeLine(one, sayOf)).filter(isAsked);
}

/** None where the platform had no part in how it ended. Its number is 0, as that of every line that is not the log's own. */
export function edgeLine(request: RequestView, sayOf: SayCode): LogLine[] {
  const { id, at, ms, method, path, query, status, code, replica } = request;
  if (code === null) return [];
  const target = query === null ? path : `${path}?${query}`;
  const says = sayOf(code);
  const text = `${id}: ${status === 0 ? "no answer" : status} to ${method} ${target}.${says === undefined ? "" : ` ${says}`} (${code})`;
  const ended = new Date(Date.parse(at) + ms).toISOString();
  return [{ n: 0, at: ended, source: "edge", stream: "note", ...(replica !== null && { replica }), text }];
}

/** The id of the request that a line of the edge tells of. */
export function requestOf({ text }: LogLine): string {
  return text.slice(0, text.indexOf(":"));
}

export function byTime(a: LogLine, b: LogLine): number {
  return a.at < b.at ? -1 : a.at > b.at ? 1 : 0;
}

/** How many of the edge's lines, by their times, stand before a line of the app's of this time. */
export function countBefore(edge: readonly LogLine[], at: string): number {
  const later = edge.findIndex((line) => line.at > at);
  return later === -1 ? edge.length : later;
}
