/**
 * `npm test`: the checks beside every unit test, which share a few processes, then the process tests, some files at once. `--long` runs `test/long/` instead.
 * Arguments that are not flags name files. A file that failed beside others is run once more alone: what passes then is named unsteady.
 * Ends with each skip and its reason, and `N passed, N failed, N skipped` alone on a line.
 */
import { spawn } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, homedir, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { buildConsole } from "./console.ts";
import { processorTimes } from "./processor-times.ts";
import type { Summary } from "./reporter.ts";

const flags = process.argv.slice(2).filter((argument) => argument.startsWith("--"));
const named = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const folder = mkdtempSync(join(tmpdir(), "waybill-test-"));
const nothing: Summary = { passed: 0, failed: 0, failures: [], skips: [], tookMs: {} };
const total = structuredClone(nothing);
/** One file may take so long on a slow machine; longer is a hang, and the runner ends it. */
const fileTimeoutMs = 1_500_000;
/** They wait for a third of their time: for an app to start, a lease to end. Each needs up to 1 GB of memory. */
const filesAtOnce = Math.min(8, Math.ceil(1.5 * availableParallelism()));
/** While processors idle all the same: where the files that run wait for most of it. Times that are claims have room for such a machine. */
const filesAtOnceMax = Math.min(8, 2 * availableParallelism());
const someAtOnce = [`--at-once=${filesAtOnce}`, `--at-once-max=${filesAtOnceMax}`];
/** Each loads all that its share of them imports, some seconds; who is done takes the next share. */
const unitProcesses = Math.min(4, availableParallelism());
const unitShares = 4 * unitProcesses;
/** They begin before the others, in this order, so that none of them is alone at the end. */
const slowest = [
  "hub-kills",
  "sim",
  "zerogpu-kills",
  "faults",
  "zerogpu",
  "crash",
  "examples-life",
  "visitor-keys",
  "waking-page",
  "docker-builds",
  "git-push",
  "zerogpu-versions",
  "examples-gradio",
  "clone",
  "console-hard",
  "containerfile",
  "catalog-postgres",
  "edge-bodies",
  "guide",
  "hub-repos",
  "hub-discussions",
  "hub-gated",
  "broken-apps-running",
  "what-is-kept",
  "streamlit",
  "spare-kills",
  "console",
  "space-calls-space",
  "identity-paths",
  "gradio-stream",
  "edge-apart",
  "runtime-contract",
  "broken-apps-builds",
  "docker",
  "gradio-builds",
  "zerogpu-browser",
  "cycles",
  "build-kills",
  "gradio-sign-in",
  "edge-attacks",
  "space-settings",
  "gradio-messages",
  "gradio",
];
/** Where the platform keeps what Node compiled of it (bin/waybill.js). */
const compiled = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "waybill", "compiled");
/** More than so many files that fail are no chance of a busy machine. */
const unsteadyFilesMax = 3;
const unsteady: string[] = [];
/** Where the time goes, so that it can be kept in bounds. */
const slowestShown = 12;

// What platforms of the tests show to browsers.
await buildConsole();
try {
  if (named.length > 0) {
    await tests("named files", named, ["--at-once=1"]);
  } else if (flags.includes("--long")) {
    await tests("long tests", slowestFirst(globSync("test/long/*.test.ts")), someAtOnce);
  } else {
    await Promise.all([check(), unitTests()]);
    await tests("process tests", slowestFirst(globSync("test/*.test.ts")), someAtOnce);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

const times = Object.entries(total.tookMs).sort(([, a], [, b]) => b - a);
for (const [file, tookMs] of times.slice(0, slowestShown))
  console.log(`${(tookMs / 1000).toFixed(1).padStart(7)} s  ${file}`);
for (const name of unsteady) console.log(`unsteady ${name}: failed beside others, passed alone; to be mended`);
// Once more at the end: where they stand in the middle, some thousand lines may hide them.
for (const { file, name } of total.failures) console.log(`failed   ${file} > ${name}`);
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

async function unitTests(): Promise<void> {
  const started = Date.now();
  const files = globSync("src/**/*.test.ts").toSorted();
  const shares = Array.from({ length: unitShares }, (_, share) => files.filter((_file, n) => n % unitShares === share));
  const left = shares.entries();
  const takeInTurn = async (): Promise<void> => {
    for (const [n, share] of left) await tests(`unit tests ${n + 1} of ${unitShares}`, share, ["--together"]);
  };
  await Promise.all(Array.from({ length: unitProcesses }, takeInTurn));
  said("unit tests", started);
}

async function tests(what: string, files: readonly string[], options: readonly string[]): Promise<void> {
  if (files.length === 0) return;
  const started = Date.now();
  const before = processorTimes();
  const summary = await runFiles(what, files, options);
  const failing = [...new Set(summary.failures.map(({ file }) => file))];
  const beside = files.length > 1 && !options.includes("--together");
  if (beside && failing.length <= unsteadyFilesMax) await again(what, failing, summary);
  total.passed += summary.passed;
  total.failed += summary.failed;
  total.failures.push(...summary.failures);
  total.skips.push(...summary.skips);
  Object.assign(total.tookMs, summary.tookMs);
  const { idle, all } = processorTimes();
  const busy = 1 - (idle - before.idle) / (all - before.all);
  said(what, started, `, processors ${Math.round(100 * busy)} % busy`);
}

/**
 * Runs each failed file alone. One whose every test passes then had failed by what ran beside it: its tests count as passed, and are
 * named. Of one that fails again, or skips what had failed, the first failures stand.
 */
async function again(what: string, failing: readonly string[], summary: Summary): Promise<void> {
  for (const file of failing) {
    console.log(`once more, alone: ${file}`);
    const second = await runFiles(`${what} again ${basename(file)}`, [file], ["--at-once=1"]);
    const names = summary.failures.filter((one) => one.file === file).map(({ name }) => `${file} > ${name}`);
    const isSkipped = second.skips.some(({ name }) => names.includes(name));
    if (second.failed > 0 || second.passed === 0 || isSkipped) continue;
    unsteady.push(...names);
    summary.failures = summary.failures.filter((one) => one.file !== file);
    summary.failed -= names.length;
    summary.passed += names.length;
  }
}

/** Runs the files in a process of their own, and says what that came to. */
async function runFiles(what: string, files: readonly string[], options: readonly string[]): Promise<Summary> {
  const where = join(folder, `${what.replaceAll(" ", "-")}.jsonl`);
  const runner = join(import.meta.dirname, "test-files.ts");
  const code = await run([runner, `--timeout-ms=${fileTimeoutMs}`, ...options, ...files], {
    WAYBILL_TEST_SUMMARY: where,
    // One file has nobody to share with, and is as it is for whoever runs it alone.
    ...(files.length > 1 ? { WAYBILL_TEST_RUN: folder } : {}),
  });
  const summary = readSummary(where);
  if (summary === undefined || (code !== 0 && summary.failed === 0)) {
    console.log(`FAILED  ${what}: the test runner ended with ${code} and no failed test to show for it`);
    return { ...(summary ?? nothing), failed: 1, failures: [] };
  }
  return summary;
}

function readSummary(where: string): Summary | undefined {
  try {
    return JSON.parse(readFileSync(where, "utf8")) as Summary;
  } catch (error) {
    console.log(`no summary was written: ${String(error)}`);
    return undefined;
  }
}

function run(args: readonly string[], env: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...args], {
      stdio: ["ignore", "inherit", "inherit"],
      // Each file's process loads some hundred modules of ours; compiled once, that is 1.5 s of a processor less for each.
      env: { NODE_COMPILE_CACHE: compiled, ...process.env, ...env },
    });
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

function said(what: string, started: number, more = ""): void {
  console.log(`${what.padEnd(14)} ${((Date.now() - started) / 1000).toFixed(1)} s${more}`);
}
