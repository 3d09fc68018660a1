/**
 * What a browser has of a log: pages of lines around what is looked at, by their numbers. A log may have a million lines; those that were
 * looked at longest ago are let go. Pure.
 */
import type { LogLine } from "../../contract/agent.ts";

export const pageLines = 500;
/** 20,000 lines, some megabytes. */
const pagesKept = 40;

export interface LogPages {
  /** The number of the last line that is known. */
  readonly last: number;
  /** By page; a line that a page lacks is not in the log any more. */
  readonly pages: ReadonlyMap<number, ReadonlyMap<number, LogLine>>;
}

export const noPages: LogPages = { last: 0, pages: new Map() };

export function pageOf(line: number): number {
  return Math.floor((line - 1) / pageLines);
}

export function firstLineOf(page: number): number {
  return page * pageLines + 1;
}

/** Lines that came: into the pages that are there, and new ones. Notes of the moment have no number and no place. */
export function withLines({ last, pages }: LogPages, lines: readonly LogLine[]): LogPages {
  const changed = new Map<number, Map<number, LogLine>>();
  let end = last;
  for (const line of lines) {
    if (line.n < 1) continue;
    const page = pageOf(line.n);
    let into = changed.get(page);
    if (into === undefined) changed.set(page, (into = new Map(pages.get(page))));
    into.set(line.n, line);
    end = Math.max(end, line.n);
  }
  // What was changed last is at the end, and stays longest.
  const all = new Map<number, ReadonlyMap<number, LogLine>>([...pages].filter(([page]) => !changed.has(page)));
  for (const [page, into] of changed) all.set(page, into);
  return { last: end, pages: new Map([...all].slice(-pagesKept)) };
}

/** A page that was read whole, also where it holds nothing. */
export function withPage(held: LogPages, page: number, lines: readonly LogLine[]): LogPages {
  const own = lines.filter(({ n }) => n >= 1 && pageOf(n) === page);
  const next = withLines(held, own);
  return next.pages.has(page)
    ? next
    : { ...next, pages: new Map<number, ReadonlyMap<number, LogLine>>([...next.pages, [page, new Map()]]) };
}

export function lineOf({ pages }: LogPages, n: number): LogLine | undefined {
  return pages.get(pageOf(n))?.get(n);
}

/** Pages that are to be read so that these lines can be shown: those that are not there; of the last one its lines come by themselves. */
export function lacking({ pages, last }: LogPages, from: number, to: number): readonly number[] {
  const wanted: number[] = [];
  for (let page = pageOf(Math.max(1, from)); page <= pageOf(Math.max(1, Math.min(to, last))); page += 1) {
    const held = pages.get(page);
    const whole = Math.min(pageLines, last - firstLineOf(page) + 1);
    if (held === undefined || (held.size > 0 && held.size < whole && !held.has(firstLineOf(page)))) wanted.push(page);
  }
  return wanted;
}

/** `#L208` or `#L208-212`. */
export function linesIn(hash: string): { readonly from: number; readonly to: number } | null {
  const found = /^#L(\d{1,9})(?:-L?(\d{1,9}))?$/.exec(hash);
  if (found === null) return null;
  const from = Number(found[1]);
  return { from, to: Math.max(from, Number(found[2] ?? from)) };
}
