import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { LogLine } from "../../contract/agent.ts";
import { spansOf } from "./ansi.ts";
import {
  lacking,
  lineAt,
  lineOf,
  linesIn,
  noPages,
  pageLines,
  pageOf,
  rowOf,
  rowsOf,
  withLines,
  withPage,
} from "./pages.ts";
import { placeOf } from "./reading.ts";

const line = (n: number): LogLine => ({
  n,
  at: "2026-11-30T12:00:00.000Z",
  source: "app",
  stream: "out",
  text: `line ${n}`,
});
const range = (from: number, to: number): readonly LogLine[] =>
  Array.from({ length: to - from + 1 }, (_, at) => line(from + at));

describe("a line of a log", () => {
  test("keeps its colours and loses all other orders of a terminal", () => {
    assert.deepEqual(spansOf("\u001b[2K\u001b[1;31mred\u001b[0m plain\u001b]0;title\u0007!"), [
      { text: "red", colour: 1, isBold: true },
      { text: " plain", colour: null, isBold: false },
      { text: "!", colour: null, isBold: false },
    ]);
  });

  test("shows what a carriage return left: the last state of a progress bar", () => {
    assert.deepEqual(spansOf(" 10 %\r 50 %\r100 %\r")[0]?.text, "100 %");
  });

  test("takes the numbers of a colour among 256 for no orders of their own", () => {
    assert.deepEqual(spansOf("\u001b[38;5;31mx\u001b[38;2;1;31;1my")[1], { text: "y", colour: null, isBold: false });
  });
});

describe("the lines that a browser has of a log", () => {
  test("are those that it looked at: of a million only some pages are held", () => {
    let held = withLines(noPages, range(999_900, 1_000_000));
    for (let page = 0; page < 100; page += 1)
      held = withPage(held, page, range(page * pageLines + 1, (page + 1) * pageLines));
    assert.equal(held.last, 1_000_000);
    assert.ok(held.pages.size <= 40);
    assert.equal(lineOf(held, 100 * pageLines)?.text, `line ${100 * pageLines}`);
    assert.equal(lineOf(held, 1), undefined);
  });

  test("lack the pages that are looked at and were not read, and the first part of one whose end came by itself", () => {
    const held = withLines(noPages, range(1_700, 1_800));
    assert.deepEqual(lacking(held, 400, 1_800), [0, 1, 2, 3]);
    const read = withPage(held, 3, range(1_501, 1_800));
    assert.deepEqual(lacking(read, 1_501, 1_800), []);
    assert.deepEqual(lacking(withLines(read, [line(1_801)]), 1_501, 1_801), []);
  });

  test("of a page that the log no longer has are none, and it is not asked for again", () => {
    const held = withPage(withLines(noPages, range(1_001, 1_002)), 0, []);
    assert.deepEqual(lacking(held, 1, 400), []);
  });

  test("take no rows where they are gone, at the beginning or in the middle: what says so stands where they were", () => {
    const gone = (to: number): LogLine => ({ ...line(to), stream: "note", text: `lines … to ${to} are gone` });
    const old = withPage(withLines(noPages, range(5_000_000, 5_000_100)), 0, [gone(4_900_000), line(4_900_001)]);
    assert.equal(rowsOf(old), 100_101);
    assert.deepEqual([lineAt(old, 0), lineAt(old, 100_100)], [4_900_000, 5_000_100]);
    assert.deepEqual([rowOf(old, 17), rowOf(old, 4_900_000), rowOf(old, 5_000_100)], [0, 0, 100_100]);
    assert.deepEqual(lacking(old, 1, 4_900_000), [pageOf(4_900_000)]);

    const middle = withPage(withLines(noPages, range(2_001, 2_100)), 1, [...range(501, 600), gone(1_900), line(1_901)]);
    assert.equal(rowsOf(middle), 2_100 - 1_299);
    assert.deepEqual(
      [599, 600].map((row) => lineAt(middle, row)),
      [600, 1_900],
    );
    assert.deepEqual([rowOf(middle, 600), rowOf(middle, 1_000), rowOf(middle, 1_901)], [599, 600, 601]);
  });

  test("of a page whose beginning is gone are read once", () => {
    const tail = withLines(noPages, range(1_300, 1_400));
    assert.deepEqual(lacking(tail, 1_001, 1_400), [2]);
    const read = withPage(tail, 2, range(1_200, 1_400));
    assert.deepEqual(lacking(withLines(read, range(1_401, 1_402)), 1_001, 1_402), []);
  });

  test("are named in an address by their numbers", () => {
    assert.deepEqual(linesIn("#L208-212"), { from: 208, to: 212 });
    assert.deepEqual(linesIn("#L208-L212"), { from: 208, to: 212 });
    assert.deepEqual(linesIn("#L208"), { from: 208, to: 208 });
    assert.equal(linesIn("#content"), null);
  });
});

test("a log goes on after the last line that was seen, of the replica whose line it was; a note of the moment is no place", () => {
  assert.equal(placeOf({ n: 7 }), "7");
  assert.equal(placeOf({ n: 7, replica: "p_1" }), "p_1:7");
  assert.equal(placeOf({ n: 0, replica: "p_1" }), null);
});
