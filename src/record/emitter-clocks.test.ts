import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { EvidenceDatabase } from "./evidence-database.ts";
import { readWork } from "./evidence-queries.ts";

const noon = Date.UTC(2026, 10, 22, 12);

function opened() {
  const folder = mkdtempSync(join(tmpdir(), "waybill-clocks-"));
  const open = (): EvidenceDatabase => new EvidenceDatabase(join(folder, "evidence.db"));
  let store = open();
  let seq = 0;
  return {
    get store() {
      return store;
    },
    /** A record of `at` comes at `now`, both after noon. */
    came: (at: number, now: number): void => {
      seq += 1;
      const body = {
        ...{ id: `agent-n1/1/${seq}`, work: "p_1", hop: "replica.start", mark: "took", emitter: "agent-n1", epoch: 1 },
        ...{ seq, at: new Date(noon + at).toISOString(), facts: {} },
      };
      store.ingest([
        { batch: { emitter: "agent-n1", epoch: 1, records: [{ kind: "entry", body }] }, heardAt: noon + now },
      ]);
    },
    clock: () => store.clocks.of("agent-n1")?.aheadMs ?? null,
    again: (): void => {
      store.close();
      store = open();
    },
    [Symbol.dispose]: (): void => {
      store.close();
      rmSync(folder, { recursive: true });
    },
  };
}

test("the freshest record tells how far a clock is ahead at least, and a start forgets nothing of it", () => {
  using here = opened();
  assert.equal(here.clock(), null);
  here.came(0, 9_000);
  here.came(10_000, 10_300);
  here.came(11_000, 14_000);
  assert.equal(here.clock(), -300);
  here.again();
  assert.equal(here.clock(), -300);
});

test("a clock that is set is known anew, and what it was told before counts for twenty minutes at most", () => {
  using here = opened();
  const minute = 60_000;
  here.came(minute + 5_000, minute);
  here.came(11 * minute - 7_000, 11 * minute);
  assert.equal(here.clock(), 5_000);
  here.came(21 * minute - 7_000, 21 * minute);
  assert.equal(here.clock(), -7_000);
});

test("a work is read with the clocks of those who told of it, in the order of the times that they wrote", () => {
  using here = opened();
  here.came(5_000, 0);
  assert.deepEqual(
    readWork(here.store, "p_1").clocks.map(({ emitter, aheadMs }) => [emitter, aheadMs]),
    [["agent-n1", 5_000]],
  );
  assert.deepEqual(readWork(here.store, "p_2").clocks, []);
});

test("what was measured long ago goes with the evidence of then", () => {
  using here = opened();
  here.came(0, 0);
  assert.equal(here.store.clocks.drop(noon), 0);
  assert.equal(here.store.clocks.drop(noon + 3_600_000), 1);
  assert.equal(here.clock(), null);
});
