import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { BackupView } from "../contract/api.ts";
import { BackupFailed } from "../journal/index.ts";
import { Backups } from "./backups.ts";
import type { BackupProgress } from "./backups.ts";

const whole = (folder: string): BackupView => ({
  ...{ folder, madeAt: "2026-11-22T12:00:00.000Z", journal: { index: 7, hash: "" }, files: 1, bytes: 9 },
  secretsKeyFile: "/k",
});

/** Backups whose maker ends when the test says. */
function world(): {
  readonly backups: Backups;
  readonly making: { folder: string; progress: BackupProgress; end: PromiseWithResolvers<BackupView> }[];
  readonly failures: unknown[];
} {
  const making: ReturnType<typeof world>["making"] = [];
  const failures: unknown[] = [];
  let drawn = 0;
  const backups = new Backups({
    backup: (folder, progress) => {
      const end = Promise.withResolvers<BackupView>();
      making.push({ folder, progress, end });
      return end.promise;
    },
    random: (count) => new Uint8Array(count).fill(drawn++),
    onFailure: (_what, error) => failures.push(error),
  });
  return { backups, making, failures };
}

describe("Backups", () => {
  test("one is made at a time; the next one begins when it has ended", async () => {
    const { backups, making } = world();
    const id = backups.begin("/b/1");
    assert.throws(() => backups.begin("/b/2"), {
      code: "backup-failed",
      message: /another one is being made, in \/b\/1/,
    });
    assert.equal((await backups.view(id))?.state, "running");
    making[0]?.end.resolve(whole("/b/1"));
    assert.deepEqual(await backups.end(id), whole("/b/1"));
    const { state, made } = (await backups.view(id)) ?? assert.fail();
    assert.deepEqual([state, made], ["made", whole("/b/1")]);
    backups.begin("/b/2");
    assert.equal(making.length, 2);
  });

  test("what is done and the file that grows are counted, so that one large file is seen to move", async () => {
    const folder = mkdtempSync(join(tmpdir(), "waybill-backups-"));
    try {
      const { backups, making } = world();
      const id = backups.begin(folder);
      const { progress } = making[0] ?? assert.fail();
      const told = async (): Promise<unknown> => {
        const { step, bytes } = (await backups.view(id)) ?? assert.fail();
        return [step, bytes];
      };
      progress.begin("the journal");
      progress.writing(join(folder, "large"));
      assert.deepEqual(await told(), ["the journal", 0]);
      writeFileSync(join(folder, "large"), "12345");
      assert.deepEqual(await told(), ["the journal", 5]);
      appendFileSync(join(folder, "large"), "678");
      assert.deepEqual(await told(), ["the journal", 8]);
      progress.done(8);
      progress.begin("the evidence");
      assert.deepEqual(await told(), ["the evidence", 8]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("one that fails says why, and is no failure of the server's; what nobody foresaw is", async () => {
    const { backups, making, failures } = world();
    const first = backups.begin("/b/1");
    making[0]?.end.reject(new BackupFailed("/b/1", "it is there already"));
    await assert.rejects(async () => backups.end(first), { code: "backup-failed" });
    const view = (await backups.view(first)) ?? assert.fail();
    assert.deepEqual([view.state, view.problem?.status, failures.length], ["failed", 409, 0]);
    assert.match(view.problem?.detail ?? "", /it is there already/);
    const second = backups.begin("/b/2");
    making[1]?.end.reject(new Error("a bug"));
    await assert.rejects(async () => backups.end(second), /a bug/);
    assert.deepEqual([(await backups.view(second))?.problem?.status, failures.length], [500, 1]);
  });

  test("the last ones are told of, and a bounded number", async () => {
    const { backups, making } = world();
    const ids: string[] = [];
    for (let n = 0; n < 20; n++) {
      ids.push(backups.begin(`/b/${n}`));
      making[n]?.end.resolve(whole(`/b/${n}`));
      await backups.end(ids.at(-1) ?? "");
    }
    assert.equal(await backups.view(ids[0] ?? ""), undefined);
    assert.equal((await backups.view(ids[19] ?? ""))?.state, "made");
  });
});
