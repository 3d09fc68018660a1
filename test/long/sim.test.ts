import assert from "node:assert/strict";
import { test } from "node:test";
import { simulate } from "../support/sim.ts";

/** `npm test` lives those before: both together are 10,000. */
const firstSeed = 2_001;
const seeds = 8_000;

test("8,000 further lives under faults break no invariant", async () => {
  const { summary, said } = await simulate(["--seeds", String(seeds), "--seed", String(firstSeed)]);
  assert.deepEqual([summary.failed, summary.never], [[], []], said);
});

test("each planted bug is caught within 2,000 seeds", async () => {
  const { summary, said } = await simulate(["--mutants"]);
  const left = summary.mutants?.filter(({ caught }) => !caught).map(({ name }) => name);
  assert.deepEqual(left, [], said);
});
