import assert from "node:assert/strict";
import { test } from "node:test";
import type { LedgerRecord } from "../core/record.ts";
import type { CallCounts } from "../record/work-counts.ts";
import { CallCounting } from "./call-counting.ts";
import { ControlWorld, replica, request } from "./control.suite.ts";

test("two who ask at once count each record once, also where the second reads it back while the first stores it", async () => {
  await using world = await ControlWorld.open();
  await world.space();
  await world.release("rel_1", 1);
  const node = await world.node([replica("p_1", "ready")]);
  let through: number | null = null;
  let waits = 0;
  const storing = Promise.withResolvers<void>();
  const record = {
    callsThrough: async () => through,
    beginCalls: async (to: number) => void (through = to),
    countCalls: async (counts: CallCounts) => {
      await storing.promise;
      if (through !== null && counts.from !== through + 1) return through;
      waits += counts.waits.length;
      return (through = counts.to);
    },
  };
  const read = Promise.withResolvers<void>();
  const journal = {
    read: async (from: number, limit: number): Promise<readonly LedgerRecord[]> => {
      const records = await world.journal.read(from, limit);
      await read.promise;
      return records;
    },
  };
  using counting = await CallCounting.open({ engine: world.engine, journal, record });
  node.say({ type: "schedule", request: request("c_1", { task: "c_1" }) });
  await world.settled();
  const first = counting.catchUp();
  const second = counting.catchUp();
  storing.resolve();
  await first;
  read.resolve();
  await second;
  assert.equal(waits, 1);
});
