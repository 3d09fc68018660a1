/** Gradio apps as they were written for Spaces, with the real packages: built, run in the sandbox where there is one, called by Gradio's own client. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { Client } from "@gradio/client";
import { runCli } from "../src/cli/program.ts";
import { systemClock } from "../src/main/clock.ts";
import { cliWorld } from "./support/cli-world.ts";
import { needs } from "./support/needs.ts";
import { Platform, until, type Account, type App } from "./support/platform.ts";

const { skip } = await needs("gradio");
const { skip: noSandbox } = await needs("sandbox");
const example = resolve(import.meta.dirname, "../examples/mandelbrot");
const mandelbrot = Object.fromEntries(
  ["README.md", "app.py", "requirements.txt"].map((name) => [name, readFileSync(join(example, name), "utf8")]),
);
/** The fixture's own files, which `deploy` would add. */
const nothingElse = { "package.json": "", "server.js": "", "work.js": "" };
const readme = (...lines: readonly string[]): string => `---\n${["sdk: gradio", ...lines].join("\n")}\n---\n`;

describe("Gradio apps", { skip }, () => {
  let up: Platform;
  let alice: Account;
  let app: App;
  const deploy = (name: string, files: Readonly<Record<string, string>>): Promise<App> =>
    up.deploy(alice, name, { ...nothingElse, ...files });
  const buildLog = async (space: string): Promise<string> => {
    const lines: string[] = [];
    const { build } = await up.admin.space(space);
    for await (const { text } of up.admin.buildLog(build?.id ?? "")) lines.push(text);
    return lines.join("\n");
  };

  before(async () => {
    up = await Platform.start({ sandbox: noSandbox === false ? "bubblewrap" : "none" });
    alice = await up.account("alice");
    app = await deploy("mandelbrot", mandelbrot);
    assert.equal(app.deployed.ok, true, `${app.deployed.says}\n${await buildLog(app.space)}`);
  });
  after(async () => {
    await up[Symbol.asyncDispose]();
  });

  test("a generator with progress and a dynamic duration is called, metered and charged for what it used", async () => {
    const client = await Client.connect(app.url, { token: alice.token as `hf_${string}` });
    let updates = 0;
    for await (const event of client.submit("/draw", { zoom: 1, iterations: 100 }))
      if (event.type === "data") updates += 1;
    assert.ok(updates >= 10, `${updates} updates`);
    const call = await until("the call has its receipt", async () => {
      const [newest] = (await alice.client.calls({ account: "alice" })).items;
      return newest && newest.receipt !== null ? newest : undefined;
    });
    assert.deepEqual([call.outcome, call.account, call.declaredMs], ["ok", "alice", 12_000]);
    assert.ok(
      call.chargedMs > 0 && call.chargedMs === call.usedMs && call.chargedMs <= call.heldMs,
      JSON.stringify(call),
    );
    assert.ok(call.request?.startsWith("q_"), "linked to the visitor's request");
  });

  test("`waybill call` calls it as its clients do, knows its price the second time, and keeps the picture", async () => {
    const out = up.write({ "keep.txt": "a folder" });
    const said = await Promise.all(
      [1, 2].map(async (n) => {
        const env = { WAYBILL_URL: up.url, WAYBILL_TOKEN: alice.token };
        const { world, said: one } = cliWorld({ env, clock: systemClock });
        const args = ["call", app.space, "/draw", "zoom=1", "iterations=100", "--save", join(out, String(n))];
        assert.equal(await runCli(args, world), 0, one.err);
        return one;
      }),
    );
    for (const { out: answer, err } of said) {
      assert.match(err, /^price {4}holds 12 s; usually /m);
      assert.match(err, /^receipt {2}r_\w+: charged [\d.]+ s, [\d.]+ s given back/m);
      assert.ok(readFileSync(JSON.parse(answer) as string).length > 1_000, answer);
    }
  });

  test("the next build uses the same packages and the same environment", async () => {
    const before_ = (await up.admin.space(app.space)).release;
    const again = await deploy("mandelbrot", { ...mandelbrot, "app.py": `${mandelbrot["app.py"]}\n# changed\n` });
    assert.equal(again.deployed.ok, true, again.deployed.says);
    assert.notEqual((await up.admin.space(app.space)).release, before_);
    const log = await buildLog(app.space);
    assert.match(log, /the requirements have not changed/);
    assert.match(log, /nothing to install/);
  });

  test("a Python that is not here is refused with the list of those that are", async () => {
    const refused = await deploy("old", { "README.md": readme("python_version: '3.99'"), "app.py": "print(1)" });
    assert.equal(refused.deployed.build?.code, "build/no-builder");
    assert.match(refused.deployed.says, /python_version 3\.99 is not on this node; here: 3\./);
  });

  test("a coroutine under the GPU decorator ends the build with its file and line", async () => {
    const refused = await deploy("coroutine", {
      "README.md": mandelbrot["README.md"] ?? "",
      "requirements.txt": mandelbrot["requirements.txt"] ?? "",
      "app.py": "import spaces\n\n@spaces.GPU(duration=5)\nasync def draw():\n    return 1\n",
    });
    assert.equal(refused.deployed.build?.code, "build/step-failed");
    assert.match(await buildLog(refused.space), /app\.py line 4: async def draw stands under the GPU decorator/);
  });

  test("an app_file that the commit does not have is said before anything runs", async () => {
    const refused = await deploy("absent", {
      "README.md": readme("sdk_version: 6.31.0", "python_version: '3.10'", "app_file: main.py"),
      "requirements.txt": "numpy\n",
    });
    assert.equal(refused.deployed.build?.code, "build/config-invalid");
    assert.match(refused.deployed.says, /app_file is main\.py/);
  });
});
