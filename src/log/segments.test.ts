import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import type { LogFind } from "../contract/agent.ts";
import { instant, type Clock } from "../stdx/time.ts";
import { lastLines, LogWriter, readLogFiles } from "./segments.ts";

const clock: Clock = { wall: () => instant(1_000), monotonic: () => 0 };

function folder(t: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), "wb-log-"));
  t.after(() => rmSync(made, { recursive: true }));
  return made;
}

function written(at: string, count: number, limits = { segmentBytes: 300, segments: 3, first: 0 }): LogWriter {
  const log = new LogWriter(at, clock, limits);
  for (let n = 1; n <= count; n++) log.write("app", "out", [`line ${n}`]);
  return log;
}

describe("the log", () => {
  test("is read from any number on, across segments, in bounded parts", (t) => {
    const at = folder(t);
    written(at, 7, { segmentBytes: 200, segments: 99, first: 0 }).close();
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

  test("neither reads nor writes what a link of an app's points at, and waits for no pipe", (t) => {
    const at = folder(t);
    const secret = join(at, "secret");
    const line = '{"n":1,"at":"2026","source":"app","stream":"out","text":"secret"}\n';
    writeFileSync(secret, line);
    symlinkSync(secret, join(at, "log.1"));
    execFileSync("mkfifo", [join(at, "log.2")]);
    assert.deepEqual(readLogFiles(at, 1, 100).lines, []);
    rmSync(join(at, "log.2"));
    const log = new LogWriter(at, clock);
    log.write("app", "out", ["mine"]);
    log.close();
    assert.equal(readFileSync(secret, "utf8"), line);
    assert.deepEqual(
      readLogFiles(at, 1, 100).lines.map(({ text }) => text),
      ["mine"],
    );
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

  test("a segment in which only half a line came to the disk begins with that line anew", (t) => {
    const at = folder(t);
    appendFileSync(join(at, "log.1"), '{"n":1,"text":"ha');
    written(at, 2).close();
    assert.deepEqual(
      readLogFiles(at, 1, 10).lines.map(({ n, text }) => [n, text]),
      [
        [1, "line 1"],
        [2, "line 2"],
      ],
    );
  });

  test("goes on after a disk that refused, and says how many lines are lost", (t) => {
    const at = folder(t);
    const log = new LogWriter(at, clock, { segmentBytes: 1, segments: 9, first: 0 });
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
        [2, "2 lines are lost: the disk did not take them"],
        [3, "c"],
      ],
    );
    assert.equal(next, 4);
  });

  test("keeps its beginning where that is wanted, and says what is gone in the middle", (t) => {
    const at = folder(t);
    written(at, 40, { segmentBytes: 300, segments: 4, first: 2 }).close();
    assert.equal(readdirSync(at).length, 4);
    const { lines, next } = readLogFiles(at, 1, 100);
    assert.deepEqual([lines[0]?.n, lines.at(-1)?.text, next], [1, "line 40", 41]);
    const gap = lines.findIndex(({ stream }) => stream === "note");
    const [before, note, after] = [lines[gap - 1]?.n ?? 0, lines[gap], lines[gap + 1]?.n ?? 0];
    assert.match(
      note?.text ?? "",
      new RegExp(`^lines ${before + 1} to ${after - 1} are gone: .* its beginning and its newest`),
    );
  });

  test("is read from its end backwards by a negative number", (t) => {
    const at = folder(t);
    written(at, 7, { segmentBytes: 200, segments: 99, first: 0 }).close();
    assert.deepEqual(
      readLogFiles(at, -3, 100).lines.map(({ n }) => n),
      [5, 6, 7],
    );
    assert.equal(readLogFiles(at, -100, 100).lines.length, 7);
  });

  test("a line of a large segment is found without reading those before it", (t) => {
    const at = folder(t);
    const log = new LogWriter(at, clock, { segmentBytes: 1 << 30, segments: 1, first: 0 });
    // Lines of very different lengths, some longer than one look of the bisection.
    for (let n = 0; n < 400; n++)
      log.write(
        "app",
        "out",
        Array.from({ length: 50 }, (_, i) => "x".repeat(i === 7 ? 60_000 : i * 20)),
      );
    log.close();
    for (const n of [1, 2, 57, 58, 59, 9_999, 19_999, 20_000]) {
      const since = process.cpuUsage();
      assert.deepEqual([n, readLogFiles(at, n, 1).lines[0]?.n], [n, n]);
      const { user, system } = process.cpuUsage(since);
      assert.ok(user + system < 60_000, `line ${n} took ${user + system} µs; reading all 34 MB takes longer`);
    }
  });

  test("gives only what is asked for: a text whatever its case, a source, a time", (t) => {
    const at = folder(t);
    const time = { now: 0, wall: () => instant(time.now) };
    const log = new LogWriter(at, time, { segmentBytes: 400, segments: 99, first: 0 });
    for (time.now = 0; time.now < 50_000; time.now += 1_000)
      log.write(time.now % 2_000 === 0 ? "app" : "gpu", "out", [`at ${time.now} Error`]);
    log.close();
    const found = (find: LogFind) => readLogFiles(at, 1, 1_000, find).lines.map(({ n }) => n);
    assert.deepEqual(found({ grep: "AT 7000 e" }), [8]);
    assert.equal(found({ source: "gpu" }).length, 25);
    for (const seconds of [0, 1, 17, 18, 49])
      assert.deepEqual(found({ since: new Date(seconds * 1_000).toISOString() })[0], seconds + 1);
    assert.deepEqual(found({ since: new Date(17_500).toISOString(), grep: "error", source: "app" })[0], 19);
    assert.deepEqual(found({ since: new Date(60_000).toISOString() }), []);
    assert.deepEqual(found({ grep: "nowhere" }), []);
  });

  test("a search that finds little goes on where the answer before it stopped", (t) => {
    const at = folder(t);
    const log = new LogWriter(at, clock);
    for (let i = 0; i < 40; i++)
      log.write(
        "app",
        "out",
        Array.from({ length: 1_000 }, () => "x".repeat(100)),
      );
    log.write("app", "out", ["the needle"]);
    log.close();
    let answers = 0;
    const found: string[] = [];
    for (let next = 1, more: boolean | undefined = true; more; answers++) {
      const part = readLogFiles(at, next, 10, { grep: "needle" });
      found.push(...part.lines.map(({ text }) => text));
      ({ next, more } = part);
    }
    assert.deepEqual(found, ["the needle"]);
    assert.ok(answers > 1 && answers < 6, `${answers} answers`);
  });

  test("its last lines are the app's own", (t) => {
    const at = folder(t);
    const log = written(at, 4);
    log.write("runtime", "note", ["the app ended"]);
    log.close();
    assert.deepEqual(lastLines(at, 2), ["line 3", "line 4"]);
  });
});
