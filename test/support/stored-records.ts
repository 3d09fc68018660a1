/** Changes what `journal.db` holds of one record, as a hand or a failing disk would, whatever row it lies in. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { recordsOf, storedOf } from "../../src/journal/rows.ts";
import type { Row, StoredRow } from "../../src/journal/rows.ts";

/** `change` gives the record's new bytes; without any the record goes. The hashes stay as they are. */
export function changeRecord(folder: string, index: number, change: (body: Buffer) => Uint8Array | undefined): void {
  using db = new DatabaseSync(join(folder, "journal.db"));
  const stored = db
    .prepare("SELECT idx, at, hash, body, parts FROM journal WHERE idx >= ? ORDER BY idx LIMIT 1")
    .get(index) as unknown as StoredRow | undefined;
  assert.ok(stored, `record ${index} is there`);
  const rows = recordsOf(stored);
  db.prepare("DELETE FROM journal WHERE idx = ?").run(stored.idx);
  const insert = db.prepare("INSERT INTO journal (idx, at, hash, body, parts) VALUES (?, ?, ?, ?, ?)");
  const put = (part: readonly Row[]): void => {
    if (part.length === 0) return;
    const { idx, at, hash, body, parts } = storedOf(part);
    insert.run(idx, at, hash, body, parts);
  };
  const body = change(Buffer.from((rows.find(({ idx }) => idx === index) as Row).body));
  if (body !== undefined) return put(rows.map((row) => (row.idx === index ? { ...row, body } : row)));
  put(rows.filter(({ idx }) => idx < index));
  put(rows.filter(({ idx }) => idx > index));
}
