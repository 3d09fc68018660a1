/** `bin/waybill.js` as a process: with the Node that runs the tests, and with an older one where the machine has it. */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, test } from "node:test";
import { Platform } from "./support/platform.ts";

const bin = fileURLToPath(new URL("../bin/waybill.js", import.meta.url));
const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };

describe("bin/waybill.js", () => {
  claims(process.execPath, false);

  const older = ["/usr/bin/node", "/usr/local/bin/node"].find(
    (path) => existsSync(path) && majorOf(path) >= 20 && majorOf(path) < 26,
  );
  describe("under an older Node", () =>
    claims(older ?? process.execPath, older ? false : "this machine has no Node 20 to 25 beside the shipped one"));
});

function claims(node: string, skip: string | false): void {
  test("prints the answer on stdout and ends with 0", { skip }, async () => {
    assert.deepEqual(await run(node, ["version"]), { code: 0, out: `${manifest.version}\n`, err: "" });
  });

  test("passes on the exit code of a failure, with one JSON document", { skip }, async () => {
    const { code, out, err } = await run(node, ["status", "--url", "http://127.0.0.1:9", "--json"]);
    assert.deepEqual([code, (JSON.parse(out) as { code: string }).code, err], [6, "server-unreachable", ""]);
  });
}

test(
  "a server has bounded memory, in the process that was started",
  { skip: process.platform !== "linux" && "its arguments are read in /proc" },
  async () => {
    await using up = await Platform.start({ gpus: null });
    const [, flag] = readFileSync(`/proc/${up.pid}/cmdline`, "utf8").split("\0");
    assert.equal(flag, "--max-semi-space-size=8");
    assert.match(readFileSync(`/proc/${up.pid}/environ`, "utf8"), /GLIBC_TUNABLES=glibc\.malloc\.arena_max=2/);
  },
);

function majorOf(node: string): number {
  return Number(/^v(\d+)/.exec(execFileSync(node, ["--version"], { encoding: "utf8" }))?.[1]);
}

async function run(node: string, args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  return await new Promise((resolve) => {
    execFile(node, [bin, ...args], { timeout: 180_000 }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    );
  });
}
