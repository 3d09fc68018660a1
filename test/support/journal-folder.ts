/** A journal in a folder, of what a test's ledger has recorded. */
import assert from "node:assert/strict";
import { worksOf } from "../../src/control/engine.ts";
import type { LedgerRecord } from "../../src/core/record.ts";
import { openSqliteJournal } from "../../src/journal/index.ts";

export async function keepRecords(folder: string, records: readonly LedgerRecord[]): Promise<void> {
  await using journal = await openSqliteJournal({ folder, onFatal: (failure) => assert.fail(failure) });
  await Promise.all(records.map((record) => journal.append(record, worksOf(record.events))));
}
