// What a newcomer does: a fresh clone, nothing installed, `npm run demo`. And what an installer gets: the packed tarball, in a clean prefix.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after, describe, test } from "node:test";
import { deployFolder } from "../../src/client/deploy.ts";
import { WaybillClient } from "../../src/client/api.ts";
import type { DemoDocument } from "../../tools/demo/document.ts";
import { needs } from "../support/needs.ts";

const { skip: noSandbox } = await needs("sandbox");
const root = join(import.meta.dirname, "..", "..");
const folder = mkdtempSync(join(tmpdir(), "waybill-clone-"));
const clone = join(folder, "clone");
/** Installing over a slow line, building and the demo itself, each bounded by this. */
const withinMs = 1_200_000;

/** The environment of somebody who has no Waybill: no shipped Node first, nothing of npm's from the run that we are in. */
function newcomer(): NodeJS.ProcessEnv {
  const path = (process.env["PATH"] ?? "").split(":").filter((part) => !part.includes("node_modules"));
  const env: NodeJS.ProcessEnv = { ...process.env, PATH: path.join(":") };
  for (const name of Object.keys(env))
    if (name.startsWith("npm_") || name.startsWith("NODE_TEST") || name.startsWith("WAYBILL_")) delete env[name];
  return env;
}

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

  test("packs into a tarball that boots from a clean prefix and runs an app", async () => {
    run("npm", "pack", "--silent", "--pack-destination", folder);
    const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"));
    assert.ok(tarball);
    const prefix = join(folder, "prefix");
    run("npm", "install", "--silent", "--global", "--prefix", prefix, join(folder, tarball));
    const args = ["up", "--data", join(folder, "data"), "--port", "0", "--simulate-gpus", "1x2", "--json"];
    if (noSandbox !== false) args.push("--sandbox", "none");
    const up = spawn(join(prefix, "bin", "waybill"), args, {
      cwd: dirname(clone),
      env: newcomer(),
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = new Promise<number | null>((resolve) => up.once("exit", resolve));
    const ready = await new Promise<string>((resolve, reject) => {
      createInterface({ input: up.stdout }).once("line", resolve);
      void ended.then((code) => reject(new Error(`it ended with ${code} before it was ready`)));
    });
    const { url, token } = JSON.parse(ready) as { url: string; token: string };
    const app = join(folder, "app");
    mkdirSync(app);
    writeFileSync(join(app, "README.md"), "---\nsdk: node\n---\n");
    writeFileSync(
      join(app, "package.json"),
      JSON.stringify({ name: "app", private: true, type: "module", scripts: { start: "node server.js" } }),
    );
    const server = 'createServer((_, response) => response.end("it runs")).listen(process.env.PORT);';
    writeFileSync(join(app, "server.js"), `import { createServer } from "node:http";\n${server}\n`);
    const client = new WaybillClient({ url, token });
    const { ok, says, space } = await deployFolder(client, app, "admin/app", { waitMs: withinMs });
    assert.ok(ok, says);
    const address = space.addresses.at(-1);
    assert.ok(address);
    const answer = await fetch(address, { headers: { authorization: `Bearer ${token}` } });
    assert.deepEqual([answer.status, await answer.text()], [200, "it runs"]);
    up.kill("SIGTERM");
    assert.equal(await ended, 0);
  });
});
