/**
 * How long a call waits for its grant while a slot is free, beside a row's commit by node:sqlite alone at the same pace. Counted
 * from when the call was due: whatever keeps it from being asked in time, another call's commit above all, is part of its wait.
 */
import { once } from "node:events";
import { join } from "node:path";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import type { Engine } from "../src/control/engine.ts";
import { rawDatabase } from "./disk.ts";
import { compare, quantile } from "./document.ts";
import type { Figure, Report } from "./document.ts";
import { attach, end, hear, leaseOf, schedule } from "./engine-calls.ts";

/** Calls that begin in a second. */
export const pacePerSecond = 1_000;
const calls = 3 * pacePerSecond;
/** Callers in turn, each with a slot of its own. */
const slots = 1_000;

/** `where`: what the figures' names have besides. */
export async function scheduleToGrant(engine: Engine, folder: string, where: string, report: Report): Promise<Figure> {
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
        name: `schedule to grant p99 ms${where}`,
        unit: "ms",
        rounds: 3,
        ours,
        peers: [{ name: `one row, one commit, node:sqlite alone, p99 ms${where}`, run: raw }],
      },
      report,
    );
  } finally {
    db.close();
  }
}

/**
 * Starts `one` at the moderate load's pace, as a thread of its own says: a timer of this one would be late by a millisecond by itself.
 * Gives how long after each was due it said that it was granted, in milliseconds.
 */
async function arrivals(one: (i: number, granted: () => void) => Promise<void>): Promise<number[]> {
  const waits: number[] = [];
  const going: Promise<void>[] = [];
  const thread = new Worker(new URL(import.meta.url));
  thread.on("message", (dueAt: number) => going.push(one(going.length, () => waits.push(monotonicMs() - dueAt))));
  await once(thread, "exit");
  await Promise.all(going);
  if (waits.length !== calls) throw new Error(`${waits.length} of ${calls} calls were granted`);
  return waits;
}

/** The same in all threads. */
function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

if (!isMainThread) {
  const nobody = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const startedAt = monotonicMs();
  for (let i = 0; i < calls; i++) {
    const dueAt = startedAt + (i * 1000) / pacePerSecond;
    const left = dueAt - monotonicMs();
    if (left > 0) Atomics.wait(nobody, 0, 0, left);
    parentPort?.postMessage(dueAt);
  }
}
