/**
 * `npm test`: the checks, then every unit test in one process, then the process tests, some files at once. `--long` runs `test/long/` instead.
 * Arguments that are not flags name files. Ends with each skip and its reason, and `N passed, N failed, N skipped` alone on a line.
 */
import { spawn } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Summary } from "./reporter.ts";

const flags = process.argv.slice(2).filter((argument) => argument.startsWith("--"));
const named = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const folder = mkdtempSync(join(tmpdir(), "waybill-test-"));
const total: Summary = { passed: 0, failed: 0, skips: [], tookMs: {} };
/** One file may take so long on a slow machine; longer is a hang, and the runner ends it. */
const fileTimeoutMs = 1_500_000;
/** They wait for a third of their time: for an app to start, a lease to end. Each needs up to 1 GB of memory. */
const filesAtOnce = Math.min(8, Math.ceil(1.5 * availableParallelism()));
/** They begin before the others, in this order, so that none of them is alone at the end. */
const slowest = [
  "sim",
  "zerogpu-kills",
  "faults",
  "zerogpu",
  "examples-gradio",
  "zerogpu-versions",
  "gradio-builds",
  "broken-apps-builds",
  "clone",
  "docker-builds",
  "zerogpu-browser",
  "cycles",
  "git-push",
  "space-calls-space",
  "gradio-stream",
  "space-settings",
];
/** Where the time goes, so that it can be kept in bounds. */
const slowestShown = 12;

try {
  if (named.length > 0) {
    await tests("named files", named, ["--at-once=1"]);
  } else if (flags.includes("--long")) {
    await tests("long tests", slowestFirst(globSync("test/long/*.test.ts")), [`--at-once=${filesAtOnce}`]);
  } else {
    await check();
    await tests("unit tests", globSync("src/**/*.test.ts"), ["--together"]);
    await tests("process tests", slowestFirst(globSync("test/*.test.ts")), [`--at-once=${filesAtOnce}`]);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

const times = Object.entries(total.tookMs).sort(([, a], [, b]) => b - a);
for (const [file, tookMs] of times.slice(0, slowestShown))
  console.log(`${(tookMs / 1000).toFixed(1).padStart(7)} s  ${file}`);
for (const { name, why } of total.skips) console.log(`skipped  ${name}: ${why}`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skips.length} skipped`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;

function slowestFirst(files: readonly string[]): readonly string[] {
  const place = (file: string): number => {
    const found = slowest.indexOf(basename(file, ".test.ts"));
    return found < 0 ? slowest.length : found;
  };
  return files.toSorted((a, b) => place(a) - place(b) || a.localeCompare(b));
}

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
  const runner = join(import.meta.dirname, "test-files.ts");
  const code = await run([runner, `--timeout-ms=${fileTimeoutMs}`, ...options, ...files], {
    WAYBILL_TEST_SUMMARY: where,
    // One file has nobody to share with, and is as it is for whoever runs it alone.
    ...(files.length > 1 ? { WAYBILL_TEST_RUN: folder } : {}),
  });
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
