/** Rows of one line leave the same store as the same records one by one. */
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import type { EvidenceBatch } from "../contract/agent.ts";
import type { Facts, Packed } from "../evidence/entry.ts";
import { EvidenceDatabase } from "./evidence-database.ts";
import { recordsIn } from "./lines.ts";
import type { SpoolRecord } from "./lines.ts";
import { RowLines } from "./rows.ts";
import type { Packable } from "./rows.ts";

const stores: EvidenceDatabase[] = [];
afterEach(() => stores.splice(0).forEach((store) => store.close()));

function open(): EvidenceDatabase {
  const store = new EvidenceDatabase(":memory:");
  stores.push(store);
  return store;
}

const startedAt = Date.UTC(2026, 10, 22, 12);
const request = (n: number, facts: Facts = {}): Packable => ({
  work: `q_${n}`,
  kind: "request",
  startedAt: startedAt + n * 1000,
  stages: [
    ["edge.accept", 0],
    ["edge.connect", 2],
    ["app.take", 3],
    ["app.respond", 40 + n],
    ["edge.deliver", 50 + n],
  ],
  facts: { method: "GET", path: `/${n}`, space: `alice/demo-${n % 3}`, status: 200, answeredBy: "app", ...facts },
});
const records: readonly Packable[] = [
  request(1),
  request(2, { status: 503 }),
  request(3, { link: "c_1" }),
  request(4, { link: ["c_2", "c_3"], space: null }),
  request(5, { space: ".waybill/trial" }),
  request(6, { more: "x".repeat(5_000), ["long".repeat(1_500)]: 1 }),
  {
    ...{ work: "t_1", kind: "transfer", startedAt, facts: { negotiateMs: 7, space: "alice/demo-1" } },
    stages: [["transfer.move", 9]],
  },
  { work: "x_1", kind: "connection", startedAt, stages: [["egress.dial", 12]], facts: { host: "pypi.org" } },
];

/** As a spool writes them, but for the one with this number. */
function linesWithout(left: number): Uint8Array<ArrayBuffer> {
  const rows = new RowLines("edge", 1);
  const pieces = records.map((record, i) => (i + 1 === left ? "" : rows.add(record, i + 1)));
  return new TextEncoder().encode(pieces.join("") + rows.end());
}

function ofServer({ kind, body }: SpoolRecord): SpoolRecord {
  return { kind, body: { ...(body as Packed), emitter: "server" } };
}

/** All of its tables; names by themselves, since their numbers are of the order in which they were first met. */
function tablesOf(store: EvidenceDatabase): unknown {
  const tables = store.db
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('names', 'packed') ORDER BY name")
    .all()
    .map(({ name }) => String(name));
  const rows = (of: string): unknown => store.db.prepare(`SELECT * FROM ${of}`).all();
  return {
    ...Object.fromEntries(tables.map((name) => [name, rows(name)])),
    meta: rows("meta WHERE name <> 'counting-since'"),
    names: rows("(SELECT text FROM names ORDER BY text)"),
    rows: rows(`(SELECT n, seq, text AS space, at, request, failed FROM packed JOIN names ON id = space)`),
    packed: store.packedRows.find("true ORDER BY n"),
  };
}

test("packed records that come as rows leave what the same ones leave that come one by one", () => {
  const [text, single] = [open(), open()];
  const heardAt = startedAt + 60_000;
  for (const lines of [linesWithout(3), linesWithout(0), linesWithout(5)]) {
    const batch = { emitter: "edge", epoch: 1 };
    const came = text.ingest([{ batch: { ...batch, lines, seq: 0 }, heardAt }]);
    assert.deepEqual(came, single.ingest([{ batch: { ...batch, records: recordsIn(lines) }, heardAt }]));
  }
  assert.deepEqual(tablesOf(text), tablesOf(single));
  assert.equal(text.index(), records.length);
  assert.equal(text.db.prepare("SELECT count(*) AS n FROM packed WHERE shape IS NULL").get()?.["n"], 1);
});

test("a node's frame has records or nothing: rows, bytes and what is no record are refused in it, and what comes beside it is stored", () => {
  const store = open();
  const lines = linesWithout(0);
  const rows: unknown = JSON.parse(new TextDecoder().decode(lines));
  const frames: readonly unknown[] = [
    { emitter: "edge", epoch: 1, records: [rows, null, 7, { kind: "packed" }, { kind: 3, body: {} }] },
    { emitter: "edge", epoch: 1, lines: { 0: 123 }, seq: 9 },
    { emitter: "edge", epoch: 1, records: "none" },
    { emitter: null, epoch: 1, records: [null] },
    { emitter: "edge", epoch: "1", records: [] },
  ];
  const came = store.ingest([
    ...frames.map((batch) => ({ batch: batch as EvidenceBatch, node: "n1" })),
    { batch: { emitter: "server", epoch: 1, records: recordsIn(lines).map(ofServer) } },
  ]);
  assert.deepEqual(
    came.map(({ stored, refused }) => [stored, refused]),
    [
      [0, 5],
      [0, 0],
      [0, 0],
      [0, 1],
      [0, 0],
      [records.length, 0],
    ],
  );
});

test("rows of another emitter or epoch than their file's are refused", () => {
  const store = open();
  const lines = linesWithout(0);
  for (const batch of [
    { emitter: "server", epoch: 1 },
    { emitter: "edge", epoch: 2 },
  ]) {
    const [came] = store.ingest([{ batch: { ...batch, lines, seq: 0 } }]);
    assert.deepEqual([came?.stored, came?.refused, came?.seq], [0, records.length, records.length]);
  }
  assert.equal(store.totals().packed, 0);
});
