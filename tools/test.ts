/**
 * `npm test`: the checks, then every unit test in one process, then the process tests a file at a time. `--long` runs `test/long/` instead.
 * Arguments that are not flags name files. Ends with each skip and its reason, and `N passed, N failed, N skipped` alone on a line.
 */
import { spawn } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Summary } from "./reporter.ts";

const flags = process.argv.slice(2).filter((argument) => argument.startsWith("--"));
const named = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const folder = mkdtempSync(join(tmpdir(), "waybill-test-"));
const total: Summary = { passed: 0, failed: 0, skips: [], tookMs: {} };
/** One process test may take so long; longer is a hang, and the runner ends it. */
const fileTimeoutMs = flags.includes("--long") ? 1_500_000 : 240_000;
/** Where the time goes, so that it can be kept in bounds. */
const slowestShown = 12;

try {
  if (named.length > 0) {
    await tests("named files", named, ["--test-concurrency=1"]);
  } else if (flags.includes("--long")) {
    await tests("long tests", globSync("test/long/*.test.ts").sort(), ["--test-concurrency=2"]);
  } else {
    await check();
    await tests("unit tests", globSync("src/**/*.test.ts"), ["--test-isolation=none"]);
    await tests("process tests", globSync("test/*.test.ts").sort(), ["--test-concurrency=2"]);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

const slowest = Object.entries(total.tookMs).sort(([, a], [, b]) => b - a);
for (const [file, tookMs] of slowest.slice(0, slowestShown))
  console.log(`${(tookMs / 1000).toFixed(1).padStart(7)} s  ${file}`);
for (const { name, why } of total.skips) console.log(`skipped  ${name}: ${why}`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skips.length} skipped`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;

/** `npm run check`, counted as one test. */
async function check(): Promise<void> {
  const started = Date.now();
  const code = await run([join(import.meta.dirname, "check.ts")], {});
  if (code === 0) total.passed += 1;
  else {
    total.failed += 1;
    console.log("FAILED  npm run check");
  }
  said("check", started);
}

async function tests(what: string, files: readonly string[], options: readonly string[]): Promise<void> {
  if (files.length === 0) return;
  const started = Date.now();
  const where = join(folder, `${what.replaceAll(" ", "-")}.jsonl`);
  const reporter = join(import.meta.dirname, "reporter.ts");
  const code = await run(
    [
      "--test",
      `--test-timeout=${fileTimeoutMs}`,
      `--test-reporter=${reporter}`,
      "--test-reporter-destination=stdout",
      ...options,
      ...files,
    ],
    { WAYBILL_TEST_SUMMARY: where },
  );
  const summaries = readSummaries(where);
  for (const summary of summaries) {
    total.passed += summary.passed;
    total.failed += summary.failed;
    total.skips.push(...summary.skips);
    Object.assign(total.tookMs, summary.tookMs);
  }
  if (summaries.length === 0 || (code !== 0 && summaries.every((summary) => summary.failed === 0))) {
    total.failed += 1;
    console.log(`FAILED  ${what}: the test runner ended with ${code} and no failed test to show for it`);
  }
  said(what, started);
}

function readSummaries(where: string): Summary[] {
  try {
    return readFileSync(where, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Summary);
  } catch (error) {
    console.log(`no summary was written: ${String(error)}`);
    return [];
  }
}

function run(args: readonly string[], env: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...args], {
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, ...env },
    });
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

function said(what: string, started: number): void {
  console.log(`${what.padEnd(14)} ${((Date.now() - started) / 1000).toFixed(1)} s`);
}
