import assert from "node:assert/strict";
import { test } from "node:test";
import { simulate } from "../support/sim.ts";

/** A run of `npm test` has seeds from 1 on; these are others. */
const firstSeed = 100_000;

test("10,000 further lives under faults break no invariant", async () => {
  const { summary, said } = await simulate(["--seeds", "10000", "--seed", String(firstSeed)]);
  assert.deepEqual([summary.failed, summary.never], [[], []], said);
});

test("each planted bug is caught within 2,000 seeds", async () => {
  const { summary, said } = await simulate(["--mutants"]);
  const left = summary.mutants?.filter(({ caught }) => !caught).map(({ name }) => name);
  assert.deepEqual(left, [], said);
});
