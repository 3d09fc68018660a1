// The whole fault matrix, as `npm run faults -- --json` prints it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

interface Matrix {
  readonly cases: readonly { readonly name: string; readonly score: string }[];
  readonly right: number;
  readonly unknown: number;
  readonly wrong: number;
  readonly controls: number;
  readonly controlsBlamed: number;
}

const withinMs = 900_000;

test("each fault that is caused is named right, and no control run is blamed", () => {
  const main = join(import.meta.dirname, "..", "faults", "main.ts");
  const run = spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", main, "--json"], {
    encoding: "utf8",
    timeout: withinMs,
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 1 << 26,
  });
  const matrix = JSON.parse(run.stdout) as Matrix;
  const notRight = matrix.cases.filter(({ score }) => score !== "right").map(({ name, score }) => `${name}: ${score}`);
  assert.equal(matrix.wrong, 0, notRight.join("\n"));
  assert.equal(matrix.controlsBlamed, 0);
  assert.ok(matrix.cases.length >= 10 && matrix.controls >= 8);
  assert.ok(matrix.right >= 0.97 * matrix.cases.length, notRight.join("\n"));
  assert.equal(run.status, 0);
});
