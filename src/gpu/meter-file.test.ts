import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { MeterReport } from "../contract/agent.ts";
import { dataSync, MeterFile, unacknowledgedReports } from "./meter-file.ts";

const gone = (slot: string) => ({ kind: "worker-gone", slot, fence: 1, at: "2026-01-01T00:00:00.000Z" }) as const;

describe("MeterFile", () => {
  test("reports are told in order, after their sync, and kept until they are acknowledged", async () => {
    const folder = mkdtempSync(join(tmpdir(), "wb-meter-"));
    const told: MeterReport[] = [];
    const file = new MeterFile(folder, { tell: (report) => told.push(report), note: assert.fail, sync: dataSync });
    try {
      const all = Promise.all(["a", "b", "c"].map((slot) => file.append(gone(slot))));
      assert.deepEqual(told, [], "nothing is told before it is on disk");
      await all;
      assert.deepEqual(
        told.map(({ seq }) => seq),
        [1, 2, 3],
      );
      file.acknowledge(2);
      assert.deepEqual(
        file.pending.map(({ seq }) => seq),
        [3],
      );
      assert.deepEqual(
        unacknowledgedReports(folder).map(({ seq }) => seq),
        [3],
        "also for whoever reads the file after our death",
      );
      appendFileSync(join(folder, "meter.jsonl"), '{"kind":"ended","seq":4,"ca');
      assert.deepEqual(
        unacknowledgedReports(folder).map(({ seq }) => seq),
        [3],
        "a torn line was never answered for",
      );
    } finally {
      file.close();
      rmSync(folder, { recursive: true });
    }
  });

  test("a disk that refuses a report holds up its answer, is noted, and gets the report again, once", async () => {
    const folder = mkdtempSync(join(tmpdir(), "wb-meter-"));
    const told: MeterReport[] = [];
    const notes: string[] = [];
    let refusals = 1;
    const sync = (fd: number): Promise<void> => {
      assert.equal(told.length, 0, "nothing is told that is not on disk");
      return refusals-- > 0 ? Promise.reject(new Error("ENOSPC: no space left on device")) : dataSync(fd);
    };
    const file = new MeterFile(folder, { tell: (report) => told.push(report), note: (text) => notes.push(text), sync });
    try {
      await file.append(gone("a"));
      assert.match(notes.join(), /does not take a report.*ENOSPC/);
      assert.deepEqual(
        told.map(({ seq }) => seq),
        [1],
      );
      assert.deepEqual(unacknowledgedReports(folder), told);
    } finally {
      file.close();
      rmSync(folder, { recursive: true });
    }
  });
});
