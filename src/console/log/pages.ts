/**
 * What a browser has of a log: pages of lines around what is looked at, by their numbers. A log may have a million lines; those that were
 * looked at longest ago are let go. Pure.
 */
import type { LogLine } from "../../contract/agent.ts";

export const pageLines = 500;
/** 20,000 lines, some megabytes. */
const pagesKept = 40;

/** Lines by their numbers, both ends included. */
export interface Lines {
  readonly from: number;
  readonly to: number;
}

export interface LogPages {
  /** The number of the last line that is known. */
  readonly last: number;
  /** By page. */
  readonly pages: ReadonlyMap<number, ReadonlyMap<number, LogLine>>;
  /** Those of the pages that were read, and not only come by. */
  readonly read: ReadonlySet<number>;
  /** What the log does not keep any more, at its beginning or in its middle. The line behind it says so. */
  readonly gone: Lines | null;
}

export const noPages: LogPages = { last: 0, pages: new Map(), read: new Set(), gone: null };

export function pageOf(line: number): number {
  return Math.floor((line - 1) / pageLines);
}

export function firstLineOf(page: number): number {
  return page * pageLines + 1;
}

/** Lines that came: into the pages that are there, and new ones. Notes of the moment have no number and no place. */
export function withLines(held: LogPages, lines: readonly LogLine[]): LogPages {
  const changed = new Map<number, Map<number, LogLine>>();
  let last = held.last;
  for (const line of lines) {
    if (line.n < 1) continue;
    const page = pageOf(line.n);
    let into = changed.get(page);
    if (into === undefined) changed.set(page, (into = new Map(held.pages.get(page))));
    into.set(line.n, line);
    last = Math.max(last, line.n);
  }
  // What was changed last is at the end, and stays longest.
  const all = new Map<number, ReadonlyMap<number, LogLine>>([...held.pages].filter(([page]) => !changed.has(page)));
  for (const [page, into] of changed) all.set(page, into);
  return { ...held, last, ...keptOf(all, held.read) };
}

/** A page that was read, also where it holds nothing: `lines` begin with it, and what is left out before one of them is gone. */
export function withPage(held: LogPages, page: number, lines: readonly LogLine[]): LogPages {
  const next = withLines(
    held,
    lines.filter(({ n }) => n >= 1 && pageOf(n) === page),
  );
  const all = new Map(next.pages);
  if (!all.has(page)) all.set(page, new Map());
  let gone = held.gone;
  let expected = firstLineOf(page);
  for (const { n } of lines) {
    if (n > expected) gone = joined(gone, { from: expected, to: n - 1 });
    expected = Math.max(expected, n + 1);
  }
  return { last: next.last, gone, ...keptOf(all, new Set([...held.read, page])) };
}

function keptOf(
  all: ReadonlyMap<number, ReadonlyMap<number, LogLine>>,
  read: ReadonlySet<number>,
): Pick<LogPages, "pages" | "read"> {
  const pages = new Map([...all].slice(-pagesKept));
  return { pages, read: new Set([...read].filter((page) => pages.has(page))) };
}

/** A log leaves out lines at one place, which only grows. */
function joined(one: Lines | null, other: Lines): Lines {
  return one === null ? other : { from: Math.min(one.from, other.from), to: Math.max(one.to, other.to) };
}

/** How many rows its lines take: those that are gone take none. */
export function rowsOf({ last, gone }: LogPages): number {
  return last - goneCount(gone);
}

/** The line that a row shows, from 0 on. */
export function lineAt({ gone }: Pick<LogPages, "gone">, row: number): number {
  return gone === null || row + 1 < gone.from ? row + 1 : row + 1 + goneCount(gone);
}

/** The row of a line; of one that is gone the row of what says so. */
export function rowOf({ gone }: Pick<LogPages, "gone">, line: number): number {
  if (gone === null || line < gone.from) return line - 1;
  return Math.max(line, gone.to + 1) - goneCount(gone) - 1;
}

function goneCount(gone: Lines | null): number {
  return gone === null ? 0 : gone.to - gone.from + 1;
}

export function lineOf({ pages }: LogPages, n: number): LogLine | undefined {
  return pages.get(pageOf(n))?.get(n);
}

/** Pages that are to be read so that these lines can be shown: those that are not there; of the last one its lines come by themselves. */
export function lacking({ pages, read, gone, last }: LogPages, from: number, to: number): readonly number[] {
  const wanted: number[] = [];
  for (let page = pageOf(Math.max(1, from)); page <= pageOf(Math.max(1, Math.min(to, last))); page += 1) {
    const [first, end] = [firstLineOf(page), firstLineOf(page + 1) - 1];
    if (gone !== null && first >= gone.from && end <= gone.to) continue;
    const held = pages.get(page);
    if (held === undefined || (!read.has(page) && !held.has(first))) wanted.push(page);
  }
  return wanted;
}

/** `#L208` or `#L208-212`. */
export function linesIn(hash: string): Lines | null {
  const found = /^#L(\d{1,9})(?:-L?(\d{1,9}))?$/.exec(hash);
  if (found === null) return null;
  const from = Number(found[1]);
  return { from, to: Math.max(from, Number(found[2] ?? from)) };
}
