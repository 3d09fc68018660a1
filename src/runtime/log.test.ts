import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { instant, type Clock } from "../stdx/time.ts";
import { lastLines, LogWriter, readLogFiles } from "./log.ts";

const clock: Clock = { wall: () => instant(1_000), monotonic: () => 0 };

function folder(t: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), "wb-log-"));
  t.after(() => rmSync(made, { recursive: true }));
  return made;
}

function written(at: string, count: number, limits = { segmentBytes: 300, segments: 3 }): LogWriter {
  const log = new LogWriter(at, clock, limits);
  for (let n = 1; n <= count; n++) log.write("app", "out", [`line ${n}`]);
  return log;
}

describe("the log", () => {
  test("is read from any number on, across segments, in bounded parts", (t) => {
    const at = folder(t);
    written(at, 7, { segmentBytes: 200, segments: 99 }).close();
    assert.ok(readdirSync(at).length > 2, "there are several segments");
    const first = readLogFiles(at, 1, 3);
    assert.deepEqual(
      first.lines.map(({ n, text }) => [n, text]),
      [
        [1, "line 1"],
        [2, "line 2"],
        [3, "line 3"],
      ],
    );
    assert.deepEqual(
      readLogFiles(at, first.next, 100).lines.map(({ n }) => n),
      [4, 5, 6, 7],
    );
    assert.deepEqual(readLogFiles(at, 8, 100), { lines: [], next: 8 });
  });

  test("says which lines it dropped, and goes on with the oldest it has", (t) => {
    const at = folder(t);
    written(at, 40).close();
    assert.equal(readdirSync(at).length, 3);
    const [note, ...rest] = readLogFiles(at, 5, 100).lines;
    assert.equal(note?.stream, "note");
    assert.match(note?.text ?? "", new RegExp(`^lines 5 to ${note?.n} are gone`));
    assert.deepEqual(
      rest.map(({ n }) => n),
      Array.from({ length: 40 - (note?.n ?? 0) }, (_, i) => (note?.n ?? 0) + 1 + i),
    );
  });

  test("goes on with the next number when it is opened again", (t) => {
    const at = folder(t);
    written(at, 5).close();
    const again = new LogWriter(at, clock);
    again.write("app", "err", ["after"]);
    again.close();
    assert.deepEqual(
      readLogFiles(at, 6, 10).lines.map(({ n, stream, text }) => [n, stream, text]),
      [[6, "err", "after"]],
    );
  });

  test("leaves a line that is not whole for the next read", (t) => {
    const at = folder(t);
    written(at, 1).close();
    appendFileSync(join(at, "log.1"), '{"n":2,"text":"ha');
    assert.deepEqual(readLogFiles(at, 2, 10), { lines: [], next: 2 });
  });

  test("goes on after a disk that refused, and says how many lines are lost", (t) => {
    const at = folder(t);
    const log = new LogWriter(at, clock, { segmentBytes: 1, segments: 9 });
    log.write("app", "out", ["first"]);
    mkdirSync(join(at, "log.2"));
    log.write("app", "out", ["a", "b"]);
    rmdirSync(join(at, "log.2"));
    log.write("app", "out", ["c"]);
    log.close();
    const { lines, next } = readLogFiles(at, 1, 10);
    assert.deepEqual(
      lines.map(({ n, text }) => [n, text]),
      [
        [1, "first"],
        [4, "2 lines are lost: the disk did not take them"],
        [5, "c"],
      ],
    );
    assert.equal(next, 6);
  });

  test("its last lines are the app's own", (t) => {
    const at = folder(t);
    const log = written(at, 4);
    log.write("runtime", "note", ["the app ended"]);
    log.close();
    assert.deepEqual(lastLines(at, 2), ["line 3", "line 4"]);
  });
});
