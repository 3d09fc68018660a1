import { describe, test } from "node:test";
import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { instant } from "../stdx/time.ts";
import { BuildLog } from "./build-log.ts";

const clock = { wall: () => instant(Date.UTC(2026, 0, 1)), monotonic: () => 0 };

async function withFolder(work: (file: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "waybill-log-"));
  try {
    await work(join(folder, "builds", "b_1.log"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe("BuildLog", () => {
  test("opened late it is there from line 1, numbered without a hole", () =>
    withFolder(async (file) => {
      const log = await BuildLog.create(file, clock);
      log.note("queued 1st of 1");
      log.add([
        { stream: "out", text: "a" },
        { stream: "err", text: "b" },
      ]);
      await log.end("complete");
      const late = await BuildLog.open(file, clock, true);
      assert.deepEqual(
        late.read(1, 10).map(({ n, text }) => [n, text]),
        [
          [1, "queued 1st of 1"],
          [2, "a"],
          [3, "b"],
          [4, "complete"],
        ],
      );
      assert.deepEqual(
        late.read(3, 1).map(({ n }) => n),
        [3],
      );
    }));

  test("a reader that waits for more is woken by a line, and by the end", () =>
    withFolder(async (file) => {
      const log = await BuildLog.create(file, clock);
      const line = log.more(0);
      log.note("first");
      await line;
      const end = log.more(1);
      await log.end("complete");
      await end;
      assert.equal(log.ended, true);
    }));

  test("a line that a crash cut off is left out, and what follows stands on a line of its own", () =>
    withFolder(async (file) => {
      const log = await BuildLog.create(file, clock);
      await log.end("whole");
      appendFileSync(file, '{"n":2,"at":"2026');
      const again = await BuildLog.open(file, clock, false);
      assert.equal(again.count, 1);
      await again.end("builder lost");
      assert.equal(
        readFileSync(file, "utf8")
          .split("\n")
          .filter((text) => text.includes("builder lost")).length,
        1,
      );
      assert.deepEqual(
        (await BuildLog.open(file, clock, true)).read(1, 10).map(({ text }) => text),
        ["whole", "builder lost"],
      );
    }));

  test("a log that loops is clipped and says so, and how the build ended still comes after it", () =>
    withFolder(async (file) => {
      const log = await BuildLog.create(file, clock);
      log.add(Array.from({ length: 50_010 }, () => ({ stream: "out" as const, text: "again" })));
      log.note("dropped");
      assert.equal(log.count, 50_001);
      assert.match(log.read(50_001, 1)[0]?.text ?? "", /clipped here, after 50000 lines/);
      await log.end("failed: it looped");
      assert.deepEqual(
        log.read(50_002, 10).map(({ n, text }) => [n, text]),
        [[50_002, "failed: it looped"]],
      );
    }));

  test("a disk that refuses is told when the log ends", () =>
    withFolder(async (file) => {
      const log = await BuildLog.create(file, clock);
      rmSync(join(file, ".."), { recursive: true });
      log.note("nowhere to go");
      await assert.rejects(log.end("complete"), /could not be written/);
    }));
});
