/** One process of a run over many seeds: takes every so-manieth, and prints a line for each. */
import { runSeed } from "./run.ts";

const share = JSON.parse(process.argv[2] ?? "") as {
  readonly first: number;
  readonly last: number;
  readonly every: number;
  readonly steps: number;
  readonly without: readonly string[];
};
const without = new Set(share.without);
for (let seed = share.first; seed <= share.last; seed += share.every)
  console.log(JSON.stringify(await runSeed(seed, { steps: share.steps, without })));
