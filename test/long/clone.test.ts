// What a newcomer does: a fresh clone, nothing installed, `npm run demo`. What an installer does is in install.test.ts.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { DemoDocument } from "../../tools/demo/document.ts";
import { newcomer } from "../support/newcomer.ts";

const root = join(import.meta.dirname, "..", "..");
const folder = mkdtempSync(join(tmpdir(), "waybill-clone-"));
const clone = join(folder, "clone");
/** Installing over a slow line, building and the demo itself, each bounded by this. */
const withinMs = 1_200_000;

function run(command: string, ...args: readonly string[]): string {
  return execFileSync(command, args, {
    cwd: clone,
    env: newcomer(),
    encoding: "utf8",
    timeout: withinMs,
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 1 << 26,
  });
}

describe("a fresh clone", () => {
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("runs the demo with one command, and the demo's document holds", () => {
    execFileSync("git", ["clone", "--quiet", root, clone]);
    const document = JSON.parse(run("npm", "run", "--silent", "demo", "--", "--once", "--json")) as DemoDocument;
    assert.deepEqual(
      document.spaces.flatMap(({ sdk, status }) => (sdk === "gradio" ? [] : [[sdk, status]])),
      [
        ["node", "ok"],
        ["static", "ok"],
      ],
    );
    // Where the machine has no Python for it or no PyPI, the demo says so.
    const gradio = document.spaces.find(({ sdk }) => sdk === "gradio");
    const isSkipped = gradio?.status === "skipped" && document.skipped.some(({ what }) => what === "gradio");
    assert.ok(gradio?.status === "ok" || isSkipped, JSON.stringify(gradio));
    for (const call of document.spaces.flatMap(({ calls }) => calls)) {
      assert.ok(call.chargedMs > 0 && call.chargedMs <= call.heldMs && call.receipt !== null, JSON.stringify(call));
    }
    const { refused, quotaBefore, quotaAfter } = document.saturation;
    assert.deepEqual(
      [refused.verdict?.boundary, refused.verdict?.code, refused.verdict?.certainty],
      ["gpu", "queue-timeout", "proved"],
    );
    assert.equal(refused.chargedMs, 0);
    assert.deepEqual(quotaAfter, quotaBefore);
  });
});
