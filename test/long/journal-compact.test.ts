/** `waybill journal compact` as a process that is killed: whenever that is, all is there, or what it came to is. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hello, Ledger } from "../../src/core/ledger.suite.ts";
import { decodeState } from "../../src/core/state.ts";
import { Replay } from "../../src/core/totals.ts";
import { JournalAtRest } from "../../src/journal/index.ts";
import { instant } from "../../src/stdx/time.ts";
import { keepRecords } from "../support/journal-folder.ts";

const program = new URL("../../src/main/waybill.ts", import.meta.url).pathname;
/** Each life is longer than the one before by half: from before the program is loaded to past its last step on any machine. */
const firstLifeMs = 200;
const triesMax = 20;

test("L24, L38: a compaction that is killed at any step has removed all or nothing, and the next one ends", async () => {
  const folder = mkdtempSync(join(tmpdir(), "waybill-compact-"));
  try {
    const it = new Ledger();
    it.now = instant(Date.UTC(2024, 0, 1)); // Older than a week by any machine's clock.
    it.do({ type: "start-writer", epoch: 1 });
    it.do({ type: "set-pool", pool: "main", settings: {} });
    it.do(hello());
    for (let call = 0; call < 400; call++) it.run(`c_${call}`, 100, { account: "alice" });
    await keepRecords(folder, it.records);
    const before = sums(folder);
    for (let attempt = 1; ; attempt++) {
      assert.ok(attempt <= triesMax, "one that has time enough ends");
      const code = await compactFor(folder, Math.round(firstLifeMs * 1.5 ** (attempt - 1)));
      assert.deepEqual(sums(folder), before);
      if (code === 0) break;
    }
    using journal = new JournalAtRest(folder);
    assert.equal(journal.rolledUp()?.index, it.state.index - 1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** The exit code; null where it was killed. */
async function compactFor(folder: string, ms: number): Promise<number | null> {
  const child = spawn(process.execPath, [program, "journal", "compact", "--keep", "7d", "--data", folder], {
    ...{ stdio: "ignore", timeout: ms, killSignal: "SIGKILL" },
  });
  const [code] = (await once(child, "exit")) as [number | null];
  return code;
}

function sums(folder: string): unknown {
  using journal = new JournalAtRest(folder);
  const kept = journal.rolledUp();
  const replay = new Replay(kept ? { state: decodeState(kept.body), counts: kept.counts } : undefined);
  journal.walk({ record: (record) => replay.take(record) });
  return [replay.totals(), replay.counts(), replay.differences()];
}
