import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Packed } from "../evidence/entry.ts";
import { EvidenceDatabase } from "./evidence-database.ts";
import { packedWorkOf } from "./packed-search.ts";

const noon = Date.UTC(2026, 10, 22, 12);

function opened() {
  const folder = mkdtempSync(join(tmpdir(), "waybill-packed-"));
  const store = new EvidenceDatabase(join(folder, "evidence.db"));
  const take = (emitter: string, epoch: number, numbers: readonly number[]): void => {
    const records = numbers.map((seq) => {
      const work = `q_${emitter}_${epoch}_${seq}`;
      const body: Packed = {
        ...{ work, kind: "request", emitter, epoch, seq, at: new Date(noon + seq).toISOString() },
        ...{ stages: [["edge.deliver", 1]], facts: { space: "alice/demo", status: 200 } },
      };
      return { kind: "packed" as const, body };
    });
    store.ingest([{ batch: { emitter, epoch, records } }]);
  };
  const dispose = (): void => {
    store.close();
    rmSync(folder, { recursive: true });
  };
  return { store, take, [Symbol.dispose]: dispose };
}

const range = (from: number, to: number): readonly number[] => Array.from({ length: to - from }, (_, i) => from + i);

test("a packed record is found by its number, among those of others, of other epochs, and also where it came late", () => {
  using here = opened();
  const find = (emitter: string, epoch: number, seq: number) => packedWorkOf(here.store, { emitter, epoch, seq });
  assert.equal(find("edge", 1, 1), null);
  here.take("edge", 1, range(1, 300));
  for (const round of range(0, 20)) {
    here.take("gateway-n1", 1, [round + 1]);
    here.take("edge", 2, range(round * 50 + 1, round * 50 + 50));
    here.take("edge-1", 2, range(round * 50 + 1, round * 50 + 51));
  }
  // Each fiftieth came late, all together.
  here.take(
    "edge",
    2,
    range(1, 21).map((round) => round * 50),
  );
  for (const [emitter, epoch, seq] of [
    ["edge", 1, 1],
    ["edge", 1, 299],
    ["edge", 2, 1],
    ["edge", 2, 777],
    ["edge", 2, 950],
    ["edge-1", 2, 500],
    ["gateway-n1", 1, 20],
  ] as const)
    assert.equal(find(emitter, epoch, seq), `q_${emitter}_${epoch}_${seq}`);
  for (const [emitter, epoch, seq] of [
    ["edge", 1, 300],
    ["edge", 3, 1],
    ["edge", 2, 2_000],
    ["edg", 1, 1],
    ["edge/2", 1, 1],
  ] as const)
    assert.equal(find(emitter, epoch, seq), null, `${emitter}/${epoch}/${seq}`);
});
