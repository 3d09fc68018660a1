/** Rows of packed records: what comes back is what came, and it is found. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Facts, Packed } from "../evidence/entry.ts";
import { EvidenceDatabase } from "./evidence-database.ts";
import type { Sent } from "./intake.ts";
import { readWork } from "./evidence-queries.ts";
import { workPart } from "./evidence-schema.ts";
import { shapesMax } from "./packed-rows.ts";
import { listRequests } from "./request-log.ts";
import { retain } from "./retention.ts";

let folder: string;
let store: EvidenceDatabase;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "waybill-packed-"));
  store = new EvidenceDatabase(join(folder, "evidence.db"));
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

const record = (seq: number, facts: Facts = {}, more: object = {}): Packed => ({
  work: `q_${seq}`,
  kind: "request",
  emitter: "edge",
  epoch: 1,
  seq,
  at: "2026-11-22T12:00:00.123Z",
  stages: [
    ["edge.accept", 0],
    ["edge.deliver", 1.5],
  ],
  facts: { method: "GET", path: "/", space: "alice/demo", status: 200, ...facts },
  ...more,
});
const sent = (...records: readonly Packed[]): Sent => ({
  batch: { emitter: "edge", epoch: 1, records: records.map((body) => ({ kind: "packed", body })) },
});
const names = (): number => Number(store.db.prepare("SELECT count(*) AS n FROM names").get()?.["n"]);
const whole = (): number =>
  Number(store.db.prepare("SELECT count(*) AS n FROM packed WHERE shape IS NULL").get()?.["n"]);

describe("a packed record", () => {
  const cases: readonly [what: string, packed: Packed][] = [
    ["of the usual kind", record(1)],
    ["with facts of every kind", record(1, { a: null, b: true, c: -0.5, d: 'é\u0000"', e: [1, { f: [] }], g: {} })],
    [
      "with facts named like parts of a program",
      record(1, JSON.parse('{"__proto__":1,"constructor":{"x":1},"1":2}') as Facts),
    ],
    ["without stages or facts", record(1, {}, { stages: [], facts: {} })],
    [
      "of a connection, which is no Space's",
      record(1, {}, { kind: "connection", work: "x_1", facts: { host: "a.example" } }),
    ],
    ["whose time is not written as ours", record(1, {}, { at: "2026-11-22T13:00:00+01:00" })],
    ["with a field that this version does not know", record(1, {}, { later: "yes" })],
  ];
  for (const [what, packed] of cases)
    test(`${what} comes back as it came`, () => {
      store.ingest([sent(packed)]);
      const [found] = store.packedRows.ofWork(packed.work, 10);
      assert.deepEqual(found, { n: 1, packed });
      assert.equal(JSON.stringify(found?.packed), JSON.stringify(packed), "in the same order");
    });

  test("of a shape that was seen before adds nothing but its row", () => {
    store.ingest([sent(record(1))]);
    const before = names();
    store.ingest([sent(record(2, { status: 404 }), record(3, { path: "/other" }))]);
    assert.deepEqual([names(), whole()], [before, 0]);
  });

  test("is kept whole once there are as many shapes as there may be, or where its own is very long", () => {
    const shapes = Array.from({ length: shapesMax + 10 }, (_, index) => record(index + 1, { [`f${index}`]: index }));
    store.ingest([sent(...shapes)]);
    assert.equal(whole(), 10);
    const long = record(shapesMax + 11, { ["x".repeat(5_000)]: 1 });
    store.ingest([sent(long)]);
    assert.equal(whole(), 11);
    for (const packed of [shapes[0], shapes.at(-1), long] as readonly Packed[])
      assert.deepEqual(store.packedRows.ofWork(packed.work, 10)[0]?.packed, packed);
  });

  test("is found by its work in whichever part of the index it lies, also below the first number", () => {
    const part = 1 << workPart;
    const numbers = [-part - 1, -1, 1, part - 1, part, 5 * part + 3, 400 * part];
    for (const n of numbers) store.packedRows.put(record(1, {}, { work: `q_at${n}` }), { n, at: 0, failed: false });
    for (const n of numbers)
      assert.deepEqual(
        store.packedRows.ofWork(`q_at${n}`, 10).map((found) => found.n),
        [Math.max(0, n)],
      );
    assert.deepEqual(store.packedRows.ofWork("q_nowhere", 10), []);
  });

  test("is looked for in an empty store", () => {
    assert.deepEqual(store.packedRows.ofWork("q_1", 10), []);
  });

  test("of a commit that failed leaves nothing that the next one would go by", () => {
    const fails: Sent = {
      batch: {
        ...{ emitter: "edge", epoch: 1 },
        get records(): never {
          throw new Error("no space left on device");
        },
      },
    };
    assert.throws(() => store.ingest([sent(record(1)), fails]), /no space/);
    assert.equal(names(), 0);
    // Another name and shape take the numbers that were taken back.
    store.ingest([sent(record(1, { space: "bob/other", query: "a=1" }))]);
    store.ingest([sent(record(2))]);
    assert.deepEqual(
      [1, 2].map((seq) => store.packedRows.ofWork(`q_${seq}`, 10)[0]?.packed),
      [record(1, { space: "bob/other", query: "a=1" }), record(2)],
    );
  });
});

test("a store of the third version is taken over: its records are found, listed and dropped as before, numbered or not", () => {
  store.db.exec("DROP TABLE packed; DROP TABLE names; UPDATE meta SET value = 3 WHERE name = 'schema'");
  store.db.exec(schema3);
  const put = store.db.prepare("INSERT INTO packed VALUES ('edge', 1, ?, ?, 'request', 'alice/demo', ?, ?, ?, ?)");
  const old = [
    record(1, {}, { at: "2026-11-22T12:00:00.001Z" }),
    record(2, {}, { at: "2026-11-22T12:00:00.002Z" }),
    record(3, { status: 500 }, { at: "2026-11-22T12:00:00.003Z" }),
    record(4, {}, { at: "2026-11-22T12:00:00.004Z" }),
  ];
  for (const [index, packed] of old.entries())
    put.run(
      packed.seq,
      packed.work,
      Date.parse(packed.at),
      JSON.stringify(packed),
      [0, 0, 7, 9][index] ?? 0,
      index === 2 ? 1 : 0,
    );
  store.db.exec(
    "INSERT INTO request_logs VALUES ('alice/demo', 3, 1, 0); UPDATE meta SET value = 9 WHERE name = 'index'",
  );
  store.close();
  store = new EvidenceDatabase(join(folder, "evidence.db"));
  for (const packed of old) assert.deepEqual(store.packedRows.ofWork(packed.work, 10)[0]?.packed, packed);
  assert.equal(readWork(store, "q_4").entries.length, 2);
  const listed = listRequests(store, { space: "alice/demo", limit: 10 }).items;
  assert.deepEqual(
    listed.map(({ id, n }) => [id, n]),
    [
      ["q_4", 9],
      ["q_3", 7],
      ["q_2", 0],
      ["q_1", 0],
    ],
  );
  store.ingest([sent(record(5))]);
  assert.equal(store.packedRows.ofWork("q_5", 10)[0]?.n, 10);
  const bounds = {
    packedMaxAgeMs: 1e12,
    packedMaxRows: 1,
    entriesMaxAgeMs: 1e12,
    failedMaxRows: 10,
    countsMaxRows: 10,
  };
  assert.equal(retain(store, { now: Date.parse("2026-11-22T12:01:00.000Z"), ...bounds }), 3);
  assert.deepEqual(
    listRequests(store, { space: "alice/demo", limit: 10 }).items.map(({ id }) => id),
    ["q_5", "q_3"],
  );
});

test("the tables of a store that was taken over are those of a fresh one", () => {
  const tables = (db: DatabaseSync): unknown =>
    db
      .prepare(
        "SELECT name, replace(sql, 'IF NOT EXISTS ', '') AS sql FROM sqlite_schema WHERE tbl_name IN ('packed', 'names') ORDER BY name",
      )
      .all();
  const fresh = tables(store.db);
  store.db.exec("DROP TABLE packed; DROP TABLE names; UPDATE meta SET value = 3 WHERE name = 'schema'");
  store.db.exec(schema3);
  store.close();
  store = new EvidenceDatabase(join(folder, "evidence.db"));
  assert.deepEqual(tables(store.db), fresh);
});

/** Packed records' table in the schema's third version. */
const schema3 = `
CREATE TABLE packed (
  emitter TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
  work TEXT NOT NULL, kind TEXT NOT NULL, space TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL,
  n INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (emitter, epoch, seq)) WITHOUT ROWID;
CREATE INDEX packed_by_work ON packed (work);
CREATE INDEX packed_of_space ON packed (space, at, failed);
CREATE INDEX packed_in_order ON packed (space, n) WHERE kind = 'request';
CREATE INDEX packed_by_age ON packed (failed, at);
`;
