import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const module = join(import.meta.dirname, "../src/main/idle-memory.ts");
const hangMs = 120_000;

/** Keeps what it makes until the young space is large, then does nothing but look whether that is given back. */
const program = `
  import { giveBackWhenIdle, youngSpace } from ${JSON.stringify(module)};
  const large = 8 << 20;
  let kept = [];
  while (youngSpace().sizeBytes <= large) {
    kept.push({ n: kept.length });
    if (kept.length === 500_000) kept = [];
  }
  kept = [];
  giveBackWhenIdle(500);
  const timer = setInterval(() => {
    if (youngSpace().sizeBytes >= large) return;
    console.log("given back");
    clearInterval(timer);
  }, 100);
`;

test("the young space that a busy time has filled is given back when nothing happens", async () => {
  const args = ["--input-type=module-typescript", "--eval", program];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: hangMs });
  assert.equal(stdout.trim(), "given back");
});
