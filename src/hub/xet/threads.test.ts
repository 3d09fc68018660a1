/** When a computing thread is there, and when not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256 } from "./writer.suite.ts";
import { Threads } from "./threads.ts";

const bytes = (): Uint8Array => new Uint8Array(100_000).fill(7);

/** The SHA-256 that the thread finds, of a file without packed chunks. */
async function converted(threads: Threads): Promise<string> {
  using job = threads.begin("convert");
  await job.take(bytes());
  return (await job.end()).sha256;
}

/** What the timers and messages that wait have to say comes before. */
async function turnsUntil(is: () => boolean): Promise<void> {
  while (!is()) await new Promise((done) => setImmediate(done));
}

test("a thread ends when it has idled, and the next work begins another", async () => {
  await using threads = new Threads(1);
  assert.equal(threads.count, 0);
  for (let round = 0; round < 3; round++) {
    assert.equal(await converted(threads), sha256(bytes()));
    await turnsUntil(() => threads.count === 0);
  }
});

test("a thread that has a job stays, whatever else came to its end in it", async () => {
  await using threads = new Threads(0);
  const jobs = Array.from({ length: 8 }, () => threads.begin("convert"));
  const there = threads.count;
  // Each takes longer than one may idle.
  for (let round = 0; round < 8; round++) assert.equal(await converted(threads), sha256(bytes()));
  for (const job of jobs) await job.take(bytes());
  assert.equal(threads.count, there);
  for (const job of jobs) assert.equal((await job.end()).sha256, sha256(bytes()));
  await turnsUntil(() => threads.count === 0);
});

test("of a job that was dropped while it was computed the thread ends after it, and no other with it", async () => {
  await using threads = new Threads(0);
  const dropped = threads.begin("convert");
  const taken = dropped.take(new Uint8Array(8_000_000));
  dropped[Symbol.dispose]();
  await taken;
  await turnsUntil(() => threads.count === 0);
  assert.equal(await converted(threads), sha256(bytes()));
});
