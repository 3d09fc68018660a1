/**
 * How long a call waits for its grant while a slot is free, beside a row's commit by node:sqlite alone at the same pace. Counted
 * from when the call was due: whatever keeps it from being asked in time, another call's commit above all, is part of its wait.
 */
import { join } from "node:path";
import type { Engine } from "../src/control/engine.ts";
import { rawDatabase } from "./disk.ts";
import { compare, quantile } from "./document.ts";
import type { Figure, Report } from "./document.ts";
import { attach, end, hear, leaseOf, schedule } from "./engine-calls.ts";

/** Calls that begin in a second. */
export const pacePerSecond = 1_000;
const paceMs = 3_000;
/** Callers in turn, each with a slot of its own. */
const slots = 1_000;

export async function scheduleToGrant(engine: Engine, folder: string, report: Report): Promise<Figure> {
  const file = join(folder, "commits.db");
  const db = rawDatabase(file);
  const insert = db.prepare("INSERT INTO j (b) VALUES (?)");
  const row = new Uint8Array(600);
  const ours = async (): Promise<number> => {
    await hear(engine, slots);
    return quantile(
      await arrivals(async (i, granted) => {
        const { call, fence } = leaseOf(await engine.submit(schedule(i % slots)));
        granted();
        await engine.submit(attach(call, fence));
        await engine.submit(end(call, fence));
      }),
      0.99,
    );
  };
  const raw = async (): Promise<number> =>
    quantile(
      await arrivals(async (_, granted) => {
        insert.run(row);
        granted();
      }),
      0.99,
    );
  try {
    return await compare(
      {
        name: "schedule to grant p99 ms",
        unit: "ms",
        rounds: 3,
        ours,
        peers: [{ name: "one row, one commit, node:sqlite alone, p99 ms", run: raw }],
      },
      report,
    );
  } finally {
    db.close();
  }
}

/** Starts `one` at the moderate load's pace; gives how long after each was due it said that it was granted, in milliseconds. */
async function arrivals(one: (i: number, granted: () => void) => Promise<void>): Promise<number[]> {
  const waits: number[] = [];
  const going: Promise<void>[] = [];
  const startedAt = performance.now();
  const total = (pacePerSecond * paceMs) / 1000;
  const start = (i: number): Promise<void> => {
    const dueAt = startedAt + (i * 1000) / pacePerSecond;
    return one(i, () => waits.push(performance.now() - dueAt));
  };
  while (going.length < total) {
    const due = ((performance.now() - startedAt) * pacePerSecond) / 1000;
    while (going.length < Math.min(due, total)) going.push(start(going.length));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(going);
  if (waits.length !== total) throw new Error(`${waits.length} of ${total} calls were granted`);
  return waits;
}
