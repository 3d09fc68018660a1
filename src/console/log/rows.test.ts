import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { LogLine } from "../../contract/agent.ts";
import { noPages, pageLines, withLines, withPage } from "./pages.ts";
import type { LogPages } from "./pages.ts";
import { betweenOf, listRows, merged, wholeRows, withEdgeLines } from "./rows.ts";
import type { Rows } from "./rows.ts";

const at = (second: number): string => new Date(Date.UTC(2026, 10, 30) + second * 1_000).toISOString();
/** Line n at second n, where nothing else is said. */
const own = (n: number, second = n): LogLine => ({
  ...{ n, at: at(second), source: "app", stream: "out", text: `own ${n}` },
});
const range = (from: number, to: number): LogLine[] => Array.from({ length: to - from + 1 }, (_, i) => own(from + i));
const edge = (second: number): LogLine => ({
  ...{ n: 0, at: at(second), source: "edge", stream: "note", text: `q_${second}: 502 to GET /` },
});
const shown = (rows: Rows, from = 0, to = rows.count - 1): readonly unknown[] =>
  Array.from({ length: to - from + 1 }, (_, i) => rows.at(from + i)).map(({ n, line }) => n ?? line?.at);
const rowsOf = (held: LogPages, lines: readonly LogLine[]): Rows => wholeRows(held, betweenOf(held, lines));

describe("the rows of a log with the edge's lines", () => {
  test("have each of those before the first line that is later, and the newest at the end", () => {
    const rows = rowsOf(withLines(noPages, range(1, 4)), [edge(2), edge(2.5), edge(9)]);
    assert.deepEqual(shown(rows), [1, at(2), 2, at(2.5), 3, 4, at(9)]);
    assert.deepEqual([1, 2, 3, 4].map(rows.rowOf), [0, 2, 4, 5]);
    assert.equal(new Set(Array.from({ length: rows.count }, (_, row) => rows.keyOf(row))).size, rows.count);
  });

  test("have none where nothing of the edge is there: a row is a line", () => {
    const rows = rowsOf(withLines(noPages, range(1, 3)), []);
    assert.deepEqual([shown(rows), rows.rowOf(3), rows.keyOf(2)], [[1, 2, 3], 2, 3]);
  });

  test("have none before the log's first line, and none whose neighbours were not read: there is no place to show them at", () => {
    const tail = withLines(noPages, range(1_600, 1_700));
    const lines = [edge(0.5), edge(700.5), edge(1_599.5), edge(1_650.5)];
    assert.equal(rowsOf(tail, lines).count, 1_701);
    const read = withPage(tail, 1, range(501, 1_000));
    const rows = rowsOf(withPage(read, 0, range(1, 500)), lines);
    assert.deepEqual(shown(rows, 699, 702), [700, at(700.5), 701, 702]);
    assert.deepEqual([rows.count, rows.rowOf(701)], [1_702, 701]);
    assert.deepEqual(rows.at(1_200), { n: 1_200, line: undefined });
  });

  test("have those from the time of what is gone at what says that it is", () => {
    const gone = { ...own(pageLines), stream: "note" } as const;
    const held = withPage(withLines(noPages, range(501, 600)), 0, [own(1), own(2), gone]);
    const rows = rowsOf(held, [edge(100), edge(550.5)]);
    assert.deepEqual(shown(rows, 0, 4), [1, 2, at(100), 500, 501]);
    assert.deepEqual(shown(rows, rows.rowOf(550), rows.rowOf(550) + 2), [550, at(550.5), 551]);
    assert.equal(rows.count, 103 + 2);
  });

  test("keep the app's order, also where its times go back", () => {
    const rows = rowsOf(withLines(noPages, [own(1, 5), own(2, 1), own(3, 6)]), [edge(3), edge(5.5)]);
    assert.deepEqual(shown(rows), [1, 2, at(5.5), 3]);
  });

  test("of a million lines and a thousand of the edge tell each in microseconds", () => {
    const held = withLines(noPages, range(999_001, 1_000_000));
    const rows = rowsOf(
      held,
      Array.from({ length: 1_000 }, (_, n) => edge(999_001.5 + n)),
    );
    assert.equal(rows.count, 1_001_000);
    const since = performance.now();
    for (let row = 0; row < 1_001_000; row += 10) rows.keyOf(row);
    // A thousand times as slow where each asked all of the edge's lines.
    assert.ok(performance.now() - since < 5_000);
    assert.deepEqual(shown(rows, 1_000_998, 1_000_999), [1_000_000, at(1_000_000.5)]);
  });
});

describe("lines of a log that were found", () => {
  test("stand in the log's order, with those of the edge by their times", () => {
    const rows = listRows(merged([own(2), own(40)], [edge(1), edge(30), edge(50)]));
    assert.deepEqual(shown(rows), [at(1), 2, at(30), 40, at(50)]);
    assert.equal(rows.rowOf(30), 3);
  });
});

describe("lines of the edge that come", () => {
  test("are held once each, by their times, and only the newest", () => {
    const held = withEdgeLines([edge(1), edge(4)], [edge(3), edge(4), edge(5)], 3);
    assert.deepEqual(
      held.map((line) => line.at),
      [at(3), at(4), at(5)],
    );
    assert.equal(withEdgeLines(held, [edge(5)], 3), held);
  });
});
