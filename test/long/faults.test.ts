// The fault matrix, as `npm run faults -- --json --alone` prints it: each fault once, and each record judged in all ways.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

interface Matrix {
  readonly cases: readonly { readonly name: string; readonly score: string; readonly why: string | null }[];
  readonly right: number;
  readonly unknown: number;
  readonly wrong: number;
  readonly controls: number;
  readonly controlsBlamed: number;
  readonly whole: { readonly right: number };
  readonly outside: { readonly right: number };
}

/** More is a hang: a slow machine takes a third of it. */
const withinMs = 1_200_000;

test("each fault that is caused is named right, and no control run is blamed", () => {
  const main = join(import.meta.dirname, "..", "faults", "main.ts");
  // Its platforms are not a test's: their words would hide those of the cases.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const run = spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", main, "--json", "--alone"], {
    env,
    encoding: "utf8",
    timeout: withinMs,
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 1 << 26,
  });
  const matrix = JSON.parse(run.stdout) as Matrix;
  const notRight = matrix.cases
    .filter(({ score }) => score !== "right")
    .map(({ name, score, why }) => `${name}: ${score}, ${why}`);
  assert.equal(matrix.wrong, 0, notRight.join("\n"));
  assert.equal(matrix.controlsBlamed, 0);
  assert.ok(matrix.cases.length >= 120 && matrix.controls >= 30);
  assert.ok(matrix.right >= 0.97 * matrix.cases.length, notRight.join("\n"));
  assert.ok(matrix.outside.right < matrix.whole.right, "evidence tells more than a look from outside");
  assert.equal(run.status, 0);
});
