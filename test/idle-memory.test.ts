import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { Platform, visit } from "./support/platform.ts";

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

test(
  "the platform takes memory from two places of its C library, and its apps from as many as they like",
  {
    skip: process.platform !== "linux" && "the environment of a process is read in /proc",
  },
  async () => {
    await using up = await Platform.start({ gpus: null });
    assert.equal(environmentOf(up.pid).get("MALLOC_ARENA_MAX"), "2");
  const commandLine = readFileSync(`/proc/${up.pid}/cmdline`, "utf8").split("\0");
  assert.ok(commandLine.some((word) => word.endsWith("bin/waybill.js")), "it began again by the same program");
    const alice = await up.account("alice");
    const says = 'createServer((_, answer) => answer.end(process.env.MALLOC_ARENA_MAX ?? "nothing"))';
    const server = `import { createServer } from "node:http"; ${says}.listen(Number(process.env.PORT));`;
    const app = await up.deploy(alice, "app", { "server.js": server });
    assert.ok(app.deployed.ok);
    assert.equal((await visit(app.url)).text, "nothing");
  },
);

function environmentOf(pid: number): ReadonlyMap<string, string> {
  const lines = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  return new Map(lines.map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]));
}
