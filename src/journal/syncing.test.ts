import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { LogSync } from "./syncing.ts";

describe("the sync of the log", () => {
  /** What each of so many syncs of a file came to, one after the other. */
  async function syncs(file: string, times: number): Promise<readonly string[]> {
    const said: string[] = [];
    let one = Promise.withResolvers<void>();
    const say = (what: string): void => {
      said.push(what);
      one.resolve();
    };
    const sync = new LogSync({ file, ended: () => say("ended"), failed: (error) => say(error.message) });
    for (let time = 0; time < times; time++) {
      one = Promise.withResolvers();
      sync.begin();
      assert.ok(sync.isUnderWay);
      await one.promise;
      assert.ok(!sync.isUnderWay);
    }
    sync.close();
    return said;
  }

  test("each one that was begun ends, and tells a file that can't be synced", async () => {
    const folder = mkdtempSync(join(tmpdir(), "waybill-sync-"));
    try {
      writeFileSync(join(folder, "log"), "frames");
      assert.deepEqual(await syncs(join(folder, "log"), 3), ["ended", "ended", "ended"]);
      const [failure] = await syncs(join(folder, "nothing"), 1);
      assert.match(failure ?? "", /ENOENT/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
