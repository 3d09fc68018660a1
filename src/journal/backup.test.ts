import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { copyJournal } from "./backup.ts";
import { createDatabase, JournalDatabase } from "./database.ts";
import { Packer, inBytes } from "./packing.ts";

test("a copy that is begun while a transaction is open has what that commits", async () => {
  const folder = mkdtempSync(join(tmpdir(), "waybill-backup-"));
  const [from, to] = ["from", "to"].map((name) => mkdtempSync(join(folder, name))) as [string, string];
  createDatabase(join(from, "journal.db"));
  const journal = new JournalDatabase(join(from, "journal.db"));
  try {
    const packer = new Packer(1);
    packer.add('{"index":1}', 1, []);
    journal.begin();
    journal.append(inBytes(packer.seal()));
    const copied = copyJournal(journal.db, to);
    // Some milliseconds: steps of the copy come and find it open.
    for (let turns = 0; turns < 5_000; turns++) await turn();
    journal.commit();
    const { index, hash } = journal.head;
    assert.deepEqual(await copied, { index, hash });
  } finally {
    journal.close();
    rmSync(folder, { recursive: true });
  }
});
