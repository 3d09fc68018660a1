/** `waybill login`, `logout` and `whoami` against a real platform: a code that a person approves, and what is saved where. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { runCli } from "../src/cli/program.ts";
import { WaybillClient } from "../src/client/api.ts";
import { cliWorld, type Said } from "./support/cli-world.ts";
import { Platform, until, type Account } from "./support/platform.ts";

let up: Platform;
let alice: Account;
let folder: string;
let file: string;
before(async () => {
  up = await Platform.start();
  alice = await up.account("alice");
});
after(() => up[Symbol.asyncDispose]());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "wb-login-"));
  file = join(folder, "waybill", "sign-in.json");
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Running {
  readonly said: Said;
  readonly code: Promise<number>;
}

interface Wishes {
  readonly stdin: string;
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

function waybill(args: readonly string[], { stdin = "", ...wishes }: Partial<Wishes> = {}): Running {
  const clock = { wall: () => Date.now() as never, monotonic: () => performance.now() };
  const { world, said } = cliWorld({ ...wishes, signInFile: file, stdin: { text: async () => stdin }, clock });
  return { said, code: runCli(args, world) };
}

async function ran(args: readonly string[], wishes: Partial<Wishes> = {}) {
  const { said, code } = waybill(args, wishes);
  return { ...said, code: await code, ...said };
}

/** The code that a program shows while it waits. */
const codeOf = (running: Running): Promise<string> =>
  until("the code is shown", () => /code=([A-Z-]{9})/.exec(running.said.err)?.[1]);

async function answer(code: string, word: "approve" | "deny", by = alice): Promise<void> {
  const response = await fetch(`${up.url}/login/device`, {
    ...{ method: "POST", body: new URLSearchParams({ code, answer: word }) },
    headers: { authorization: `Bearer ${by.token}` },
  });
  assert.equal(response.status, 200, await response.text());
}

const saved = () => JSON.parse(readFileSync(file, "utf8")) as { url: string; token: string };
const takes = async (token: string): Promise<boolean> =>
  (await fetch(`${up.url}/api/whoami-v2`, { headers: { authorization: `Bearer ${token}` } })).status === 200;

describe("waybill login", () => {
  test("shows a code, is signed in when that is approved, and saves what only the file's owner reads; logout ends it", async () => {
    const running = waybill(["login", up.url]);
    await answer((await codeOf(running)).toLowerCase().replace("-", " "), "approve");
    assert.equal(await running.code, 0, running.said.err);
    const { url, token } = saved();
    assert.equal(url, up.url);
    assert.equal(running.said.out, `export HF_ENDPOINT=${up.url}\nexport HF_TOKEN=${token}\n`);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(statSync(join(folder, "waybill")).mode & 0o777, 0o700);
    const { items } = await new WaybillClient(saved()).tokens();
    const made = items.find(({ current }) => current);
    assert.deepEqual([made?.name, made?.scopes], [`waybill on ${hostname()}`, ["read", "write", "gpu"]]);
    const who = await ran(["whoami"]);
    assert.match(who.out, /^alice, by token "waybill on .+" \(write\)/);
    assert.match(who.out, new RegExp(`the saved sign-in, ${file}`));
    const out = await ran(["logout"]);
    assert.equal(out.code, 0, out.err);
    assert.match(out.out, new RegExp(`its token ${made?.id} is revoked`));
    assert.equal(existsSync(file), false);
    assert.equal(await takes(token), false);
    const again = await ran(["logout"]);
    assert.deepEqual([again.code, /No sign-in is saved/.test(again.err)], [4, true]);
  });

  test("that is denied on the console saves nothing and ends with 4", async () => {
    const running = waybill(["login", up.url]);
    await answer(await codeOf(running), "deny");
    assert.equal(await running.code, 4);
    assert.match(running.said.err, /login-denied/);
    assert.equal(existsSync(file), false);
  });

  test("with --json prints one document, and the code beside it", async () => {
    const running = waybill(["login", up.url, "--json", "--scope", "read"]);
    await answer(await codeOf(running), "approve");
    assert.equal(await running.code, 0, running.said.err);
    const document = JSON.parse(running.said.out) as Record<string, unknown>;
    assert.deepEqual(document, {
      ...{ account: "alice", url: up.url, file },
      environment: { HF_ENDPOINT: up.url, HF_TOKEN: saved().token },
    });
    const { items } = await up.admin.tokens({ account: "alice" });
    assert.ok(items.some(({ name, scopes }) => name.startsWith("waybill on ") && scopes.join() === "read"));
    // Whatever a token may: it ends itself.
    assert.equal((await ran(["logout"])).code, 0);
  });

  test("is interrupted by Ctrl-C at once, with nothing saved", async () => {
    const stop = new AbortController();
    const running = waybill(["login", up.url], { signal: stop.signal });
    await codeOf(running);
    stop.abort("SIGINT");
    assert.equal(await running.code, 130);
    assert.equal(existsSync(file), false);
  });

  test("takes a token on standard input, and none that the server does not know", async () => {
    const good = await ran(["login", up.url, "--token-stdin"], { stdin: `${alice.token}\n` });
    assert.equal(good.code, 0, good.err);
    assert.deepEqual(saved(), { url: up.url, token: alice.token });
    // An earlier version's file, or somebody's own, may be open to others.
    chmodSync(file, 0o644);
    const bad = await ran(["login", up.url, "--token-stdin"], { stdin: "hf_wbwrong" });
    assert.deepEqual([bad.code, /bad-token/.test(bad.err)], [4, true]);
    assert.equal(saved().token, alice.token);
    assert.equal((await ran(["login", up.url, "--token-stdin"])).code, 2);
    assert.equal((await ran(["login", up.url, "--token-stdin"], { stdin: alice.token })).code, 0);
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  test("without a server says so with 6, and at something else that it gives no code", async () => {
    assert.equal((await ran(["login", "http://127.0.0.1:9"])).code, 6);
    assert.equal((await ran(["login", "ftp://127.0.0.1"])).code, 2);
  });
});

describe("waybill logout", () => {
  test("keeps a sign-in whose server is not reached, unless it is to be forgotten", async () => {
    await ran(["login", up.url, "--token-stdin"], { stdin: alice.token });
    writeFileSync(file, JSON.stringify({ url: "http://127.0.0.1:9", token: alice.token }));
    assert.equal((await ran(["logout"])).code, 6);
    assert.equal(existsSync(file), true);
    assert.equal((await ran(["logout", "--forget"])).code, 0);
    assert.equal(existsSync(file), false);
    assert.equal(await takes(alice.token), true);
  });

  test("forgets a token that holds no longer", async () => {
    const { id, token } = await up.admin.createToken({ account: "alice" });
    await ran(["login", up.url, "--token-stdin"], { stdin: token });
    await up.admin.revokeToken(id);
    const out = await ran(["logout"]);
    assert.deepEqual([out.code, /held no longer/.test(out.out)], [0, true]);
  });
});

describe("waybill whoami", () => {
  test("says which credential it was: the environment's goes before the saved one", async () => {
    await ran(["login", up.url, "--token-stdin"], { stdin: alice.token });
    const { token } = await up.account("bob");
    const env = { WAYBILL_TOKEN: token };
    const { out } = await ran(["whoami"], { env });
    assert.match(out, /^bob, .*from WAYBILL_TOKEN/s);
    const document = JSON.parse((await ran(["whoami", "--json"], { env })).out) as Record<string, unknown>;
    assert.deepEqual([document["name"], document["credential"]], ["bob", { from: "WAYBILL_TOKEN", url: up.url }]);
    const other = JSON.parse((await ran(["whoami", "--json"])).out) as Record<string, unknown>;
    assert.deepEqual([other["name"], other["credential"]], ["alice", { from: "file", file, url: up.url }]);
  });
});
