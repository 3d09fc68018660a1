import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import fc from "fast-check";
import { hashBytes } from "./packing.ts";
import { recordsOf, rowAt, rowsFrom, storedOf } from "./rows.ts";
import type { Row } from "./rows.ts";

const plain = (rows: Iterable<Row>): unknown[] =>
  Array.from(rows, ({ idx, at, hash, body }) => [
    idx,
    at,
    Buffer.from(hash).toString("hex"),
    Buffer.from(body).toString("hex"),
  ]);

/** Records 1 to N with any bytes, in rows of any sizes. */
const journal = fc
  .array(
    fc.array(
      fc.record({
        at: fc.maxSafeNat(),
        hash: fc.uint8Array({ minLength: hashBytes, maxLength: hashBytes }),
        body: fc.uint8Array({ maxLength: 40 }),
      }),
      { minLength: 1, maxLength: 6 },
    ),
    { minLength: 1, maxLength: 8 },
  )
  .map((groups) => {
    let idx = 0;
    return groups.map((group) => group.map((record): Row => ({ idx: ++idx, ...record })));
  });

describe("rows of the journal", () => {
  test("give the records that were put into them, from any record on and each by itself", () => {
    fc.assert(
      fc.property(journal, fc.nat({ max: 50 }), fc.integer({ min: 1, max: 3 }), (groups, from, atOnce) => {
        using db = new DatabaseSync(":memory:");
        db.exec("CREATE TABLE journal (idx INTEGER PRIMARY KEY, at INTEGER, hash BLOB, body BLOB, parts BLOB)");
        const insert = db.prepare("INSERT INTO journal VALUES (?, ?, ?, ?, ?)");
        for (const { idx, at, hash, body, parts } of groups.map(storedOf)) insert.run(idx, at, hash, body, parts);
        const all = groups.flat();
        assert.deepEqual(plain(rowsFrom(db, from, { atOnce })), plain(all.filter(({ idx }) => idx >= from)));
        for (const row of all) assert.deepEqual(plain([rowAt(db, row.idx) as Row]), plain([row]));
        assert.equal(rowAt(db, all.length + 1), undefined);
      }),
    );
  });

  test("that do not hold what they say are one record, whatever they say", () => {
    fc.assert(
      fc.property(journal, fc.uint8Array({ maxLength: 60 }), ([group], parts) => {
        const stored = storedOf(group as Row[]);
        const records = recordsOf({ ...stored, parts });
        const bytes = records.reduce((sum, { body }) => sum + body.length, hashBytes * (records.length - 1));
        assert.equal(bytes, stored.body.length);
        assert.equal(records.at(-1)?.idx, stored.idx);
      }),
    );
  });
});
