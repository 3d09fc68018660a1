import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Entry, Packed } from "../evidence/entry.ts";
import { EvidenceDatabase } from "./evidence-database.ts";
import { workOf } from "./evidence-queries.ts";
import { readSpan } from "./evidence-span.ts";

const noon = Date.UTC(2026, 10, 22, 12);
const at = (ms: number): string => new Date(noon + ms).toISOString();
const entry = (seq: number, work: string, ms: number, rest: Partial<Entry> = {}): Entry => ({
  ...{ id: `edge/1/${seq}`, work, hop: "edge.deliver", mark: "failed", emitter: "edge", epoch: 1, seq },
  ...{ at: at(ms), facts: { code: "route/reset-midway", space: "alice/demo" } },
  ...rest,
});
const packed = (seq: number, work: string, ms: number, status: number): Packed => ({
  ...{ work, kind: "request", emitter: "edge", epoch: 1, seq, at: at(ms), stages: [] },
  facts: { space: "alice/demo", status, account: "bob" },
});

function opened() {
  const folder = mkdtempSync(join(tmpdir(), "waybill-span-"));
  const store = new EvidenceDatabase(join(folder, "evidence.db"));
  const take = (records: readonly (Entry | Packed)[]): unknown =>
    store.ingest([
      {
        batch: {
          emitter: "edge",
          epoch: 1,
          records: records.map((body) => ({ kind: "stages" in body ? "packed" : "entry", body })),
        },
      },
    ]);
  const close = (): void => {
    store.close();
    rmSync(folder, { recursive: true });
  };
  return { store, take, [Symbol.dispose]: close };
}

test("a span has the works that failed within it, its ends as `[from, to)`, and counts what went well", () => {
  using here = opened();
  here.take([
    entry(1, "q_before", -1),
    entry(2, "q_first", 0),
    entry(3, "q_open", 10, { mark: "took", facts: {} }),
    packed(4, "q_well", 20, 200),
    packed(5, "q_app", 30, 503),
    entry(7, "q_last", 99),
    entry(8, "q_after", 100),
  ]);
  const span = readSpan(here.store, { from: noon, to: noon + 100 });
  assert.deepEqual(
    span.works.map(({ work, code, space, account }) => [work, code, space, account]),
    [
      ["q_first", "route/reset-midway", "alice/demo", null],
      ["q_last", "route/reset-midway", "alice/demo", null],
      ["q_app", null, "alice/demo", "bob"],
    ],
  );
  assert.deepEqual(span.well, [{ kind: "request", space: "alice/demo", count: 1 }]);
  assert.deepEqual([span.readTo, span.isWellCut], [null, false]);
  assert.deepEqual(span.emitters, [{ emitter: "edge", epoch: 1, lastSeq: 8, state: "open", lastAt: at(100) }]);
});

test("what the platform tries in Spaces of its own is nobody's failure, and nothing that went well", () => {
  using here = opened();
  const tried = { space: ".probes/prober" };
  here.take([
    entry(1, "x_tried", 0, { hop: "egress.policy", facts: { ...tried, code: "egress/address-denied" } }),
    entry(2, "x_app", 0, { hop: "egress.policy", facts: { space: "alice/demo", code: "egress/address-denied" } }),
    { ...packed(3, "x_triedWell", 0, 200), kind: "connection", facts: tried },
    { ...packed(4, "q_triedBadly", 0, 500), facts: { ...tried, status: 500, answeredBy: "app" } },
  ]);
  const { works, well } = readSpan(here.store, { from: noon, to: noon + 100 });
  assert.deepEqual([works.map(({ work }) => work), well], [["x_app"], []]);
});

test("a hole is of the span in which it lies, by the times of what is written on both sides of it", () => {
  using here = opened();
  here.take([entry(1, "q_1", 0), entry(3, "q_3", 1_000), entry(5, "q_5", 2_000)]);
  const holes = (from: number, to: number) =>
    readSpan(here.store, { from: noon + from, to: noon + to }).gaps.map((gap) => [gap.from, gap.to]);
  assert.deepEqual(holes(0, 500), [[2, 2]]);
  assert.deepEqual(holes(1_500, 3_000), [[4, 4]]);
  assert.deepEqual(holes(900, 1_100), [
    [2, 2],
    [4, 4],
  ]);
});

test("an entry's number names its work, and a packed record's", () => {
  using here = opened();
  here.take([entry(1, "q_1", 0), packed(2, "q_2", 0, 200)]);
  assert.deepEqual(
    [1, 2, 3].map((seq) => workOf(here.store, { emitter: "edge", epoch: 1, seq })),
    ["q_1", "q_2", null],
  );
});

test("apps' failed answers beyond what one look takes in are behind where it was read to", () => {
  using here = opened();
  const records = Array.from({ length: 2_001 }, (_, i) => packed(i + 1, `q_${i}`, i, 500));
  here.take(records);
  const span = readSpan(here.store, { from: noon, to: noon + 10_000 });
  assert.deepEqual([span.works.length, span.readTo], [2_000, noon + 2_000]);
  const rest = readSpan(here.store, { from: noon + 2_000, to: noon + 10_000 });
  assert.deepEqual([rest.works.length, rest.readTo], [1, null]);
});

test("of requests that are only counted those that went well are told as that", () => {
  using here = opened();
  const put = here.store.prepare("INSERT INTO request_counts VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0)");
  for (const [status, by, count] of [
    [2, "app", 7],
    [4, "app", 2],
    [3, "edge", 1],
    [4, "edge", 100],
    [5, "app", 1_000],
    [0, "nobody", 10_000],
  ] as const)
    put.run("alice/demo", noon, "GET", "/", status, by, count);
  const { rolledUp } = readSpan(here.store, { from: noon, to: noon + 60_000 });
  assert.deepEqual(rolledUp, [{ space: "alice/demo", count: 10 }]);
});
