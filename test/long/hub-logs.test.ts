/** Logs, variables and secrets by the real `hf` and `huggingface_hub`, from PyPI. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { chooseInterpreter, findInterpreters } from "../../src/build/python/interpreters.ts";
import { needs } from "../support/needs.ts";
import { Platform, until, visit, type Account } from "../support/platform.ts";

/** The versions whose wire was read. */
const packages = ["huggingface_hub==2.4.0"];
const installWithinMs = 600_000;
const commandWithinMs = 180_000;
const app = `
  import { createServer } from "node:http";
  console.log("it listens");
  createServer((request, response) => {
    console.log("asked for " + request.url);
    response.end(process.env[request.url.slice(1)] ?? "none");
  }).listen(process.env.PORT);`;

const possible = await needs("gradio"); // a Python, and PyPI
const folder = mkdtempSync(join(tmpdir(), "wb-hf-"));

before(async () => {
  if (possible.skip !== false) return;
  const paths = (process.env["PATH"] ?? "").split(":");
  const choice = chooseInterpreter(
    await findInterpreters(paths, [join(process.env["HOME"] ?? "/", ".pyenv", "versions")]),
    null,
  );
  assert.ok(choice.ok);
  run(choice.interpreter.path, ["-m", "venv", join(folder, "venv")]);
  run(join(folder, "venv/bin/pip"), ["install", "--quiet", ...packages], installWithinMs);
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe("huggingface_hub", () => {
  test("reads a Space's logs, follows them, and sets its variables and secrets", possible, async () => {
    await using up = await Platform.start();
    const alice = await up.account("alice");
    const { space, url, deployed } = await up.deploy(alice, "hub", { "server.js": app });
    assert.ok(deployed.ok, deployed.says);
    const hf = (...args: readonly string[]): string =>
      run(join(folder, "venv/bin/hf"), args, commandWithinMs, environment(up, alice));

    const built = hf("spaces", "logs", space, "--build");
    assert.match(built, /running; \d+ lines, complete$/m);
    assert.match(hf("spaces", "logs", space), /^it listens$/m);
    assert.equal(hf("spaces", "logs", space, "-n", "1").trim().split("\n").length, 1);

    const following = spawn(join(folder, "venv/bin/hf"), ["spaces", "logs", space, "-f"], {
      env: environment(up, alice),
      stdio: ["ignore", "pipe", "ignore"],
    });
    let followed = "";
    following.stdout.setEncoding("utf8").on("data", (text: string) => (followed += text));
    await until("the log is followed from its beginning", () => followed.includes("it listens"), commandWithinMs);
    await visit(`${url}/later`, alice);
    await until("what is printed later comes too", () => followed.includes("asked for /later"), commandWithinMs);
    assert.equal(followed.split("it listens").length, 2);
    following.kill("SIGINT");

    const script = `
from huggingface_hub import HfApi
api = HfApi()
api.add_space_secret("${space}", "HF_TOKEN", "hf_not_to_be_seen", description="a token")
api.add_space_variable("${space}", "GREETING", "hello")
assert list(api.get_space_secrets("${space}")) == ["HF_TOKEN"]
assert api.get_space_variables("${space}")["GREETING"].value == "hello"
print("set")`;
    assert.equal(
      run(join(folder, "venv/bin/python"), ["-c", script], commandWithinMs, environment(up, alice)),
      "set\n",
    );
    await until("the app has both", async () => {
      const answers = await Promise.all(
        ["HF_TOKEN", "GREETING"].map(async (name) => (await visit(`${url}/${name}`, alice)).text),
      );
      return answers.join(" ") === "hf_not_to_be_seen hello";
    });
    const removal = `
from huggingface_hub import HfApi
HfApi().delete_space_secret("${space}", "HF_TOKEN")
HfApi().delete_space_variable("${space}", "GREETING")`;
    run(join(folder, "venv/bin/python"), ["-c", removal], commandWithinMs, environment(up, alice));
    await until("the app has neither", async () => (await visit(`${url}/GREETING`, alice)).text === "none");
  });
});

function environment(up: Platform, { token }: Account): Record<string, string> {
  return {
    HF_ENDPOINT: up.url,
    HF_TOKEN: token,
    HF_HOME: join(folder, "home"),
    PATH: process.env["PATH"] ?? "",
    NO_COLOR: "1",
  };
}

/** What a program prints on standard output; fails where it fails. */
function run(
  program: string,
  args: readonly string[],
  timeout = commandWithinMs,
  env?: Record<string, string>,
): string {
  const { status, stdout, stderr, error } = spawnSync(program, [...args], {
    encoding: "utf8",
    timeout,
    ...(env && { env }),
  });
  assert.equal(status, 0, `${program} ${args.join(" ")}: ${error?.message ?? stderr}`);
  return stdout;
}
