/** `hf auth …` of the real `huggingface_hub`, unmodified, against a real platform, and `git push` by what it leaves with git. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { promisify } from "node:util";
import { HubClient } from "../support/hub-client.ts";
import { needs } from "../support/needs.ts";
import { Platform, until, type Account } from "../support/platform.ts";

const run = promisify(execFile);
const { skip } = await needs("gradio");

describe("hf auth", { skip }, () => {
  let up: Platform;
  let alice: Account;
  let hub: HubClient;
  before(async () => {
    hub = await HubClient.make();
    up = await Platform.start();
    alice = await up.account("alice");
  });
  after(async () => {
    hub[Symbol.dispose]();
    await up[Symbol.asyncDispose]();
  });
  beforeEach(() => rmSync(hub.home, { recursive: true, force: true }));

  const hf = async (...args: readonly string[]) => {
    const { said, code } = hub.hf(up.url, args);
    return { code: await code, text: said.text };
  };
  const token = () => readFileSync(join(hub.home, "hf", "token"), "utf8");
  const answer = async (code: string, word: "approve" | "deny") => {
    const { status } = await fetch(`${up.url}/login/device`, {
      ...{ method: "POST", body: new URLSearchParams({ code, answer: word }) },
      headers: { authorization: `Bearer ${alice.token}` },
    });
    assert.equal(status, 200);
  };

  test("login with a browser: its code is approved here, and it is signed in by a token that it lists, names and forgets", async () => {
    const { said, code } = hub.hf(up.url, ["auth", "login"]);
    await answer(await until("a code is shown", () => /code=([A-Z]{4}-[A-Z]{4})/.exec(said.text)?.[1]), "approve");
    assert.equal(await code, 0, said.text);
    assert.match(said.text, /Login successful/);
    assert.match(token(), /^hf_wb/);
    assert.equal(statSync(join(hub.home, "hf", "token")).mode & 0o777, 0o600);
    assert.match((await hf("auth", "whoami")).text, /alice/);
    assert.match((await hf("auth", "list")).text, /hf on 127\.0\.0\.1/);
    const made = (await up.admin.tokens({ account: "alice" })).items.find(({ name }) => name === "hf on 127.0.0.1");
    assert.deepEqual(made?.scopes, ["read", "write", "gpu"]);
    assert.equal((await hf("auth", "logout")).code, 0);
    assert.match((await hf("auth", "whoami")).text, /Not logged in/);
  });

  test("login with a browser that is denied says so", async () => {
    const { said, code } = hub.hf(up.url, ["auth", "login"]);
    await answer(await until("a code is shown", () => /code=([A-Z]{4}-[A-Z]{4})/.exec(said.text)?.[1]), "deny");
    assert.notEqual(await code, 0);
    assert.match(said.text, /denied/);
  });

  test("login with a token stores it under its name; one that holds no longer is refused", async () => {
    const { token: named, id } = await alice.client.createToken({ name: "my laptop" });
    const done = await hf("auth", "login", "--token", named);
    assert.equal(done.code, 0, done.text);
    assert.match((await hf("auth", "list")).text, /my laptop/);
    await alice.client.revokeToken(id);
    const refused = await hf("auth", "login", "--token", named, "--force");
    assert.notEqual(refused.code, 0);
    assert.match(refused.text, /Invalid user token/);
  });

  test("login with --add-to-git-credential leaves git what a push needs", async () => {
    const git = async (...args: readonly string[]) => {
      const env = {
        PATH: process.env["PATH"] ?? "",
        HOME: hub.home,
        GIT_CONFIG_NOSYSTEM: "1",
        GIT_TERMINAL_PROMPT: "0",
      };
      return run("git", args, { cwd: join(hub.home, "app"), env });
    };
    mkdirSync(join(hub.home, "app"), { recursive: true });
    await git("config", "--global", "credential.helper", "store");
    const done = await hf("auth", "login", "--token", alice.token, "--add-to-git-credential");
    assert.equal(done.code, 0, done.text);
    assert.match(done.text, /git credential helpers/);
    for (const [name, text] of [
      ["README.md", "---\ntitle: T\nsdk: static\n---\n"],
      ["index.html", "<h1>pushed</h1>"],
    ] as const)
      writeFileSync(join(hub.home, "app", name), text);
    await git("init", "--quiet", "--initial-branch=main");
    await git("add", "--all");
    await git("-c", "user.name=a", "-c", "user.email=a@example.test", "commit", "--quiet", "--message", "one");
    await git("push", `${up.url}/spaces/alice/pushed`, "main");
    assert.equal((await up.admin.space("alice/pushed")).build?.outcome, "ok");
  });
});
