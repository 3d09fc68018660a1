import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { BackupProgress } from "../src/control/backups.ts";
import { openSqliteJournal } from "../src/journal/index.ts";
import { makeBackup } from "../src/main/backup.ts";
import { systemClock } from "../src/main/clock.ts";

test("a backup has all large files but those that are just coming in, whatever the data folder is called", async () => {
  const folder = mkdtempSync(join(tmpdir(), "wb-backup-"));
  const data = join(folder, "incoming", "alice.git", "lfs", "data");
  for (const file of [
    "blobs/xorbs/ab/cd/abcd",
    "blobs/incoming/i_1",
    "repositories/alice/demo.git/HEAD",
    "builds/b_1",
  ]) {
    mkdirSync(dirname(join(data, file)), { recursive: true });
    writeFileSync(join(data, file), file);
  }
  mkdirSync(join(data, "spool"));
  new DatabaseSync(join(data, "evidence.db")).close();
  try {
    await using journal = await openSqliteJournal({ folder: data, onFatal: assert.fail });
    const { version, secretsKeyFile, flush } = { version: "1", secretsKeyFile: "", flush: () => Promise.resolve() };
    const source = { journal, clock: systemClock, version, data, secretsKeyFile, flush };
    await makeBackup(source, join(folder, "backup"), new BackupProgress());
    const files = readdirSync(join(folder, "backup"), { recursive: true, withFileTypes: true });
    assert.deepEqual(files.flatMap((file) => (file.isFile() ? file.name : [])).toSorted(), [
      "HEAD",
      "abcd",
      "b_1",
      "backup.json",
      "evidence.db",
      "journal.db",
      "journal.mark",
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
