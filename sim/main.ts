/**
 * `npm run sim -- --seeds N [--seed S] [--steps K] [--without FAULT,…] [--jobs J] [--json]`: the deterministic simulator.
 * `npm run sim -- --mutants [--mutant NAME …] [--seeds N] [--json]`: the bugs that are planted for it to catch. With `--keep` the seeds
 * that caught them are written to `caught-in.json`, to be lived first the next time.
 * What it runs is told first; a failure ends with the command that repeats it.
 */
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { counted, removable, runSeed, shrink, stepsMax } from "./run.ts";
import type { Failure, SeedResult, Shrunk } from "./run.ts";
import { keepSeeds, tryMutants } from "./planted.ts";
import type { Verdict } from "./planted.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string" },
    seed: { type: "string", default: "1" },
    steps: { type: "string", default: String(stepsMax) },
    without: { type: "string", default: "" },
    jobs: { type: "string", default: String(availableParallelism()) },
    json: { type: "boolean", default: false },
    mutants: { type: "boolean", default: false },
    mutant: { type: "string", multiple: true, default: [] },
    keep: { type: "boolean", default: false },
  },
});
const first = whole("seed", values.seed, 0);
/** A planted bug is to be caught within so many seeds. */
const mutantSeeds = 2_000;
const isPlanted = values.mutants || values.mutant.length > 0;
const seeds = whole("seeds", values.seeds ?? String(isPlanted ? mutantSeeds : 1), 1);
const steps = whole("steps", values.steps, 1);
const jobs = Math.min(whole("jobs", values.jobs, 1), seeds);
const without = new Set(values.without === "" ? [] : values.without.split(","));
for (const name of without) if (!removable.includes(name)) usage(`--without knows ${removable.join(", ")}`);
/** From so many seeds on every fault must have come at least once. */
const allFaultsFrom = 1_000;
/** Failures that are shrunk and told; the others are only counted. */
const shrunkMax = 3;

const started = performance.now();
const say = (text: string): void => void process.stderr.write(`${text}\n`);
if (isPlanted) await planted();
else await lives();

async function planted(): Promise<void> {
  say(`sim: planted bugs, at most ${seeds} seeds each, ${jobs} at once`);
  const onVerdict = ({ name, caught, invariant, seed, because }: Verdict): void =>
    say(
      `${name}: ${caught ? `${invariant} in seed ${seed}: ${because}` : `NOT CAUGHT: ${because ?? `lived ${seeds} seeds`}`}`,
    );
  const verdicts = await tryMutants({ names: values.mutant, seeds, jobs, onVerdict });
  const caught = verdicts.filter((verdict) => verdict.caught).length;
  const summary = { mutants: verdicts, caught, of: verdicts.length, tookMs: Math.round(performance.now() - started) };
  say(`${caught} of ${verdicts.length} planted bugs caught`);
  if (values.keep) keepSeeds(verdicts);
  if (values.json) console.log(JSON.stringify(summary));
  process.exitCode = caught === verdicts.length ? 0 : 1;
}

async function lives(): Promise<void> {
  say(`sim: seeds ${first} to ${first + seeds - 1}, at most ${steps} steps each, ${jobs} at once`);
  const results = seeds === 1 ? [await one()] : await many();
  const failures = results.flatMap(({ failure }) => failure ?? []);
  const failed: (Failure | Shrunk)[] = [];
  for (const [at, failure] of failures.entries())
    failed.push(at < shrunkMax && seeds > 1 ? await shrink(failure, without) : failure);
  const counters = sums(
    results.map((result) => result.counters),
    counted,
  );
  const invariantsChecked = sums(
    results.map(({ looked }) => looked),
    [],
  );
  const never = seeds < allFaultsFrom || without.size > 0 ? [] : counted.filter((name) => counters[name] === 0);
  const summary = {
    seeds,
    firstSeed: first,
    without: [...without],
    failed,
    never,
    steps: results.reduce((sum, result) => sum + result.steps, 0),
    virtualSeconds: Math.round(results.reduce((sum, { virtualMs }) => sum + virtualMs, 0) / 1000),
    tookMs: Math.round(performance.now() - started),
    counters,
    invariantsChecked,
  };
  for (const failure of failed) tell(failure);
  for (const name of never) say(`never in ${seeds} seeds: ${name}`);
  if (values.json) console.log(JSON.stringify(summary));
  else say(JSON.stringify(summary, null, 2));
  process.exitCode = failed.length > 0 || never.length > 0 ? 1 : 0;
}

/** A single seed shows what it drew. */
async function one(): Promise<SeedResult> {
  return runSeed(first, {
    steps,
    without,
    onConfiguration: (configuration) => say(JSON.stringify(configuration, null, 2)),
    onSchedule: (schedule) => say(schedule.map(({ atMs, fault }) => `${atMs} ms ${fault}`).join("\n")),
  });
}

/** Seeds are dealt out to processes, so that each of them takes its share of the slow ones. */
async function many(): Promise<SeedResult[]> {
  const results: SeedResult[] = [];
  const take = (result: SeedResult): void => {
    results.push(result);
    if (results.length % 500 === 0) say(`sim: ${results.length} of ${seeds}`);
  };
  await Promise.all(Array.from({ length: jobs }, (_, job) => child(job, take)));
  return results.sort((a, b) => a.seed - b.seed);
}

async function child(job: number, take: (result: SeedResult) => void): Promise<void> {
  const share = JSON.stringify({
    first: first + job,
    last: first + seeds - 1,
    every: jobs,
    steps,
    without: [...without],
  });
  const args = ["--disable-warning=ExperimentalWarning", join(import.meta.dirname, "child.ts"), share];
  const process_ = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = new Promise<number>((resolve, reject) => {
    process_.on("error", reject);
    process_.on("exit", (code) => resolve(code ?? 1));
  });
  for await (const line of createInterface(process_.stdout)) take(JSON.parse(line) as SeedResult);
  const code = await exited;
  if (code !== 0) throw new Error(`a process of the simulator ended with ${code}`);
}

function tell(failure: Failure | Shrunk): void {
  say(`\n${failure.invariant} broken in seed ${failure.seed}: ${failure.says}`);
  if ("schedule" in failure) for (const { atMs, fault } of failure.schedule) say(`  ${atMs} ms ${fault}`);
  const command =
    "command" in failure ? failure.command : `npm run sim -- --seed ${failure.seed} --steps ${failure.step}`;
  say(`${failure.invariant} broken at step ${failure.step} · ${command}`);
}

function sums(parts: readonly Readonly<Record<string, number>>[], names: readonly string[]): Record<string, number> {
  const sum: Record<string, number> = Object.fromEntries(names.map((name) => [name, 0]));
  for (const part of parts) for (const [name, count] of Object.entries(part)) sum[name] = (sum[name] ?? 0) + count;
  return Object.fromEntries(Object.entries(sum).sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true })));
}

function whole(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < least) usage(`--${name} is a whole number, at least ${least}`);
  return value;
}

function usage(says: string): never {
  process.stderr.write(`${says}\n`);
  process.exit(2);
}
