/**
 * The rows of a log as it is looked at: its own lines by their numbers, and between them the edge's, each before the first line that is later.
 * Where an edge's line stands is known once the lines around it are there; until then it has no row. Pure.
 */
import type { LogLine } from "../../contract/agent.ts";
import { byTime, requestOf } from "../../contract/edge-lines.ts";
import { firstLineOf, lineAt, lineOf, pageLines, rowOf, rowsOf } from "./pages.ts";
import type { LogPages } from "./pages.ts";

export interface Row {
  /** Of the log's own line; null for one of the edge. */
  readonly n: number | null;
  /** Undefined where it is not read yet. */
  readonly line: LogLine | undefined;
}

/** What a list of rows shows. */
export interface Rows {
  readonly count: number;
  /** The number of its last line. */
  readonly last: number;
  at(row: number): Row;
  /** Stays with a row, wherever it moves. */
  keyOf(row: number): string | number;
  /** The row of a line; of one that is not there that of the next. */
  rowOf(n: number): number;
}

/** A line of the edge, and the number of the line before which it stands. */
export interface Between {
  readonly before: number;
  readonly line: LogLine;
}

const none: readonly Between[] = [];

/** Those whose place is known: of others the lines around them are not there. `edge`: by their times. */
export function betweenOf(held: LogPages, edge: readonly LogLine[]): readonly Between[] {
  if (edge.length === 0) return none;
  const placed: Between[] = [];
  let next = 0;
  let previous = 0;
  for (const page of [...held.pages.keys()].sort((a, b) => a - b)) {
    for (let n = firstLineOf(page); n < firstLineOf(page) + pageLines; n += 1) {
      const own = lineOf(held, n);
      if (own === undefined) continue;
      const isNext = previous > 0 && follows(held, previous, n);
      for (let line = edge[next]; line !== undefined && line.at <= own.at; line = edge[(next += 1)])
        if (isNext) placed.push({ before: n, line });
      previous = n;
    }
  }
  if (previous > 0 && previous === held.last)
    placed.push(...edge.slice(next).map((line) => ({ before: held.last + 1, line })));
  return placed;
}

/** Nothing that is kept lies between them. */
function follows({ gone }: LogPages, previous: number, n: number): boolean {
  return n === previous + 1 || (gone !== null && previous + 1 >= gone.from && n - 1 <= gone.to);
}

/** What is gone of a log's own lines, and what stands between them: where a row is depends on nothing else. */
type Places = Pick<LogPages, "gone">;

/** How many of the edge's lines stand before a row, and whether it is one itself. */
function found(places: Places, between: readonly Between[], row: number) {
  let [low, high] = [0, between.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (placeOf(places, between, middle) < row) low = middle + 1;
    else high = middle;
  }
  return { before: low, line: placeOf(places, between, low) === row ? between[low]?.line : undefined };
}

/** {@link Rows.keyOf} of a whole log: while its places stay it is to stay the same, or the height of each of a million rows is asked for anew. */
export function keysOf({ gone }: Places, between: readonly Between[]): Rows["keyOf"] {
  if (between.length === 0) return (row) => lineAt({ gone }, row);
  return (row) => {
    const { before, line } = found({ gone }, between, row);
    return line === undefined ? lineAt({ gone }, row - before) : requestOf(line);
  };
}

/** A whole log. */
export function wholeRows(held: LogPages, between: readonly Between[], keyOf = keysOf(held, between)): Rows {
  return {
    count: rowsOf(held) + between.length,
    last: held.last,
    at(row) {
      const { before, line } = found(held, between, row);
      if (line !== undefined) return { n: null, line };
      const n = lineAt(held, row - before);
      return { n, line: lineOf(held, n) };
    },
    keyOf,
    rowOf(n) {
      let before = between.findIndex((one) => one.before > n);
      if (before === -1) before = between.length;
      return rowOf(held, n) + before;
    },
  };
}

/** The row of the edge's line of this place among them; beyond all rows where there is none. */
function placeOf(places: Places, between: readonly Between[], at: number): number {
  const one = between[at];
  return one === undefined ? Number.POSITIVE_INFINITY : rowOf(places, one.before) + at;
}

/** Lines that were found, of the log's own and of the edge. */
export function listRows(lines: readonly LogLine[]): Rows {
  const rowAt = (row: number): LogLine => lines[row] as LogLine;
  return {
    count: lines.length,
    last: lines.length,
    at: (row) => ({ n: rowAt(row).n > 0 ? rowAt(row).n : null, line: lines[row] }),
    keyOf: (row) => (rowAt(row).n > 0 ? rowAt(row).n : requestOf(rowAt(row))),
    rowOf: (n) =>
      Math.max(
        0,
        lines.findIndex((line) => line.n >= n),
      ),
  };
}

/** The log's own in their order, and the edge's between them by their times. */
export function merged(own: readonly LogLine[], edge: readonly LogLine[]): readonly LogLine[] {
  const lines: LogLine[] = [];
  let next = 0;
  for (const line of own) {
    for (let other = edge[next]; other !== undefined && other.at <= line.at; other = edge[(next += 1)])
      lines.push(other);
    lines.push(line);
  }
  return [...lines, ...edge.slice(next)];
}

/** The newest of both, each once, by their times. */
export function withEdgeLines(held: readonly LogLine[], more: readonly LogLine[], most: number): readonly LogLine[] {
  const known = new Set(held.map(requestOf));
  const fresh = more.filter((line) => !known.has(requestOf(line)));
  return fresh.length === 0 ? held : [...held, ...fresh].sort(byTime).slice(-most);
}
