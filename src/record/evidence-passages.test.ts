import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Entry, Packed } from "../evidence/entry.ts";
import { EvidenceDatabase } from "./evidence-database.ts";
import { passagesMax, readPassages } from "./evidence-passages.ts";

const noon = Date.UTC(2026, 10, 22, 12);
const at = (ms: number): string => new Date(noon + ms).toISOString();
const space = "alice/demo";
const packed = (seq: number, work: string, ms: number, lasted: number, facts: Packed["facts"]): Packed => ({
  ...{ work, kind: work.startsWith("x_") ? "connection" : "request", emitter: "edge", epoch: 1, seq, at: at(ms) },
  ...{ stages: [[work.startsWith("x_") ? "egress.stream" : "edge.deliver", lasted]], facts: { space, ...facts } },
});
const entry = (seq: number, work: string, ms: number, rest: Partial<Entry>): Entry => ({
  ...{ id: `edge/1/${seq}`, work, hop: "edge.deliver", mark: "failed", emitter: "edge", epoch: 1, seq, at: at(ms) },
  ...{ facts: {}, ...rest },
});

function opened(records: readonly (Entry | Packed)[]) {
  const folder = mkdtempSync(join(tmpdir(), "waybill-passages-"));
  const store = new EvidenceDatabase(join(folder, "evidence.db"));
  const lines = records.map((body) => ({ kind: "stages" in body ? ("packed" as const) : ("entry" as const), body }));
  store.ingest([{ batch: { emitter: "edge", epoch: 1, records: lines }, heardAt: noon }]);
  const dispose = (): void => {
    store.close();
    rmSync(folder, { recursive: true });
  };
  return { store, [Symbol.dispose]: dispose };
}

const asked = { space, replica: "p_1", from: noon, to: noon + 10_000 };

test("a replica's requests and connections are told with when they began and ended, others' and those that only listen are not", () => {
  using here = opened([
    packed(1, "q_own", 1_000, 500, { replica: "p_1", method: "GET", path: "/" }),
    packed(2, "q_others", 1_000, 500, { replica: "p_2", method: "GET", path: "/" }),
    packed(3, "q_listens", 1_000, 500, { replica: "p_1", method: "GET", path: "/queue/data" }),
    packed(4, "x_own", 1_200, 100, { link: "p_1" }),
    packed(5, "x_builds", 1_200, 100, { link: "b_1" }),
    packed(6, "q_before", -1, 500, { replica: "p_1" }),
    entry(7, "q_long", 2_000, { hop: "edge.route", mark: "done", facts: { space, replica: "p_1" } }),
    entry(8, "x_refused", 3_000, { hop: "egress.open", mark: "took", facts: { link: "p_1" } }),
    entry(9, "x_refused", 3_000, { hop: "egress.dial", facts: { link: "p_1", ms: 700, code: "egress/dial-refused" } }),
    entry(10, "x_others", 3_000, { hop: "egress.dial", facts: { link: "p_2", ms: 700, code: "egress/dial-refused" } }),
  ]);
  const { passages, isCut, clocks } = readPassages(here.store, asked);
  assert.deepEqual(
    passages.map(({ id, kind, from, to }) => [id, kind, from - noon, to === null ? null : to - noon]),
    [
      ["q_own", "request", 1_000, 1_500],
      ["x_own", "connection", 1_200, 1_300],
      ["q_long", "request", 2_000, null],
      ["x_refused", "connection", 2_300, 3_000],
    ],
  );
  assert.deepEqual([isCut, clocks.map(({ emitter }) => emitter)], [false, ["edge"]]);
});

test("more than one look reads is said to be cut", () => {
  const many = Array.from({ length: passagesMax + 1 }, (_, i) => packed(i + 1, `q_${i}`, i, 1, { replica: "p_1" }));
  using here = opened(many);
  assert.equal(readPassages(here.store, asked).isCut, true);
});
