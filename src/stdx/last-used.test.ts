/** What is kept of answers, and for how long. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LastUsed } from "./last-used.ts";

const counting = (max: number) => {
  const worked: string[] = [];
  const kept = new LastUsed<string>(max);
  const ask = (asked: string): Promise<string> =>
    kept.get(asked, async () => {
      worked.push(asked);
      return `of ${asked}`;
    });
  return { worked, kept, ask };
};

test("an answer is worked out once, also for two who ask at once, until it is forgotten", async () => {
  const { worked, kept, ask } = counting(9);
  assert.deepEqual(await Promise.all([ask("a"), ask("a")]), ["of a", "of a"]);
  assert.equal(await ask("a"), "of a");
  assert.deepEqual(worked, ["a"]);
  kept.forget("a");
  await ask("a");
  assert.deepEqual(worked, ["a", "a"]);
});

test("of more than may be kept the one goes that was not used for longest", async () => {
  const { worked, ask } = counting(2);
  for (const asked of ["a", "b", "a", "c", "a", "b"]) await ask(asked);
  assert.deepEqual(worked, ["a", "b", "c", "b"]);
});

test("what failed is told to all who wait for it, and worked out anew for who asks then", async () => {
  const kept = new LastUsed<number>(9);
  const failing = async (): Promise<number> => Promise.reject(new Error("no disk"));
  const both = await Promise.allSettled([kept.get("a", failing), kept.get("a", async () => 1)]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  assert.equal(await kept.get("a", async () => 2), 2);
});
