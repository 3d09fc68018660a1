import { describe, test } from "node:test";
import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { instant } from "../stdx/time.ts";
import { BuildLog } from "./build-log.ts";

const clock = { wall: () => instant(Date.UTC(2026, 0, 1)), monotonic: () => 0 };

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "waybill-log-"));
  try {
    await work(join(folder, "builds", "b_1"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const texts = (log: BuildLog, from = 1): readonly string[] => log.read(from, 1_000).lines.map(({ text }) => text);

describe("BuildLog", () => {
  test("opened late it is there from line 1, numbered without a hole, with the step of each line", () =>
    withFolder(async (folder) => {
      const log = await BuildLog.create(folder, clock);
      log.note("queued 1st of 1");
      log.add([
        { stream: "out", step: "install", text: "a" },
        { stream: "err", step: "install", text: "b" },
      ]);
      log.end("complete");
      const late = await BuildLog.open(folder, clock, true);
      assert.deepEqual(
        late.read(1, 10).lines.map(({ n, step, text }) => [n, step, text]),
        [
          [1, undefined, "queued 1st of 1"],
          [2, "install", "a"],
          [3, "install", "b"],
          [4, undefined, "complete"],
        ],
      );
      assert.deepEqual(
        late.read(3, 1).lines.map(({ n }) => n),
        [3],
      );
    }));

  test("a reader that waits for more is woken by a line, by the end, and when it goes away", () =>
    withFolder(async (folder) => {
      const log = await BuildLog.create(folder, clock);
      const line = log.more(0);
      log.note("first");
      await line;
      const gone = new AbortController();
      const left = log.more(1, gone.signal);
      gone.abort();
      await left;
      const end = log.more(1);
      log.end("complete");
      await end;
      assert.equal(log.ended, true);
    }));

  test("a line that a crash cut off is left out, and what follows stands on a line of its own", () =>
    withFolder(async (folder) => {
      const log = await BuildLog.create(folder, clock);
      log.note("whole");
      appendFileSync(join(folder, "log.1"), '{"n":2,"at":"2026');
      const again = await BuildLog.open(folder, clock, false);
      assert.equal(again.count, 1);
      again.end("builder lost");
      assert.deepEqual(texts(await BuildLog.open(folder, clock, true)), ["whole", "builder lost"]);
    }));

  test("of a log that is too long its beginning and its end are kept, within its size, and a line says what is gone", () =>
    withFolder(async (folder) => {
      const log = await BuildLog.create(folder, clock);
      for (let i = 0; i < 300; i++)
        log.add(
          Array.from({ length: 1_000 }, (_, at) => ({ stream: "out" as const, text: `again ${i * 1_000 + at}` })),
        );
      log.end("failed: it looped");
      const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
      assert.ok(bytes < 18 << 20, `${bytes} bytes`);
      assert.equal(texts(log)[0], "again 0");
      assert.deepEqual(texts(log, -2), ["again 299999", "failed: it looped"]);
      const gone: string[] = [];
      for (let next = 1, more: boolean | undefined = true; more;) {
        const part = log.read(next, 1_000);
        gone.push(...part.lines.filter(({ source }) => source === "runtime").map(({ text }) => text));
        ({ next, more } = part);
      }
      assert.equal(gone.length, 1);
      assert.match(
        gone[0] ?? "",
        /^lines \d+ to \d+ are gone: a log keeps 16 MiB, of this one its beginning and its newest$/,
      );
    }));

  test("the one file of a build of version 0.1 is read as its first segment", () =>
    withFolder(async (folder) => {
      mkdirSync(join(folder, ".."), { recursive: true });
      writeFileSync(
        `${folder}.log`,
        '{"n":1,"at":"2026-01-01T00:00:00.000Z","source":"build","stream":"note","text":"old"}\n',
      );
      assert.deepEqual(texts(await BuildLog.open(folder, clock, true)), ["old"]);
      assert.deepEqual(texts(await BuildLog.open(folder, clock, true)), ["old"]);
    }));

  test("a disk that refuses is told when the log ends", () =>
    withFolder(async (folder) => {
      const log = await BuildLog.create(folder, clock);
      rmSync(folder, { recursive: true });
      log.note("nowhere to go");
      assert.throws(() => log.end("complete"), /could not be written/);
    }));
});
