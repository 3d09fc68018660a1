import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { BackupProgress } from "../control/backups.ts";
import { openSqliteJournal } from "../journal/index.ts";
import { instant } from "../stdx/time.ts";
import { makeBackup } from "./backup.ts";

test("a backup has the xorbs and not what is on its way to them, also where the data folder itself is called incoming", async () => {
  const folder = mkdtempSync(join(tmpdir(), "wb-backup-"));
  using _removed = { [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
  const [data, to] = [join(folder, "incoming"), join(folder, "copy")];
  const [xorb, half] = [join("blobs", "xorbs", "aa", "bb", "aabb"), join("blobs", "incoming", "i_half")];
  for (const name of ["spool", "builds", "repositories"]) mkdirSync(join(data, name), { recursive: true });
  for (const path of [xorb, half]) {
    mkdirSync(dirname(join(data, path)), { recursive: true });
    writeFileSync(join(data, path), "bytes");
  }
  new DatabaseSync(join(data, "evidence.db")).close();
  await using journal = await openSqliteJournal({
    folder: data,
    onFatal: (failure) => {
      throw failure;
    },
  });
  const clock = { wall: () => instant(Date.UTC(2026, 10, 22, 12)), monotonic: () => 0 };
  const flush = async (): Promise<void> => {};
  await makeBackup({ journal, clock, version: "1", data, secretsKeyFile: "", flush }, to, new BackupProgress());
  assert.deepEqual([existsSync(join(to, xorb)), existsSync(join(to, half))], [true, false]);
});
