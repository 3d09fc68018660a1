/** The keys of visitors' tokens are replaced while requests are under way, with the edge in processes of its own: nothing is refused. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { decodeProtectedHeader } from "jose";
import { Role } from "../support/cluster.ts";
import { get, loadOf } from "../support/edge-load.ts";
import { freePort } from "../support/free-port.ts";
import { Platform, until, visit, type Account, type App } from "../support/platform.ts";

const waybill = resolve(import.meta.dirname, "../../bin/waybill.js");

describe("the keys of visitors' tokens, with an edge of two workers", () => {
  let up: Platform;
  let edge: Role;
  let alice: Account;
  let app: App;
  before(async () => {
    up = await Platform.start({ apart: await freePort(), gpus: "1x1", service: true });
    edge = new Role("edge", ["edge", "--data", up.data, "--workers", "2"], {});
    await edge.start().ready;
    alice = await up.account("alice", "unlimited");
    app = await up.deploy(alice, "app");
    assert.ok(app.deployed.ok, app.deployed.says);
  });
  after(async () => {
    await edge?.end("SIGTERM");
    await up?.[Symbol.asyncDispose]();
  });

  const token = async (): Promise<string> => (await visit(`${app.url}/token`, alice)).text;
  const current = async (): Promise<string> => (await up.admin.visitorKeys()).keys[0]?.kid ?? "";
  /** What the app gets for a GPU by this token. */
  const byHand = (of: string) => visit(`${app.url}/raw/schedule?seconds=1&token=${encodeURIComponent(of)}`, alice);

  test("two rotations under load: calls that wait, forwarded tokens and old ones are all taken", async () => {
    const kids = [await current()];
    const first = await token();
    const passOn = async (): Promise<void> => {
      // What one worker has minted goes to whichever takes the next connection.
      const answer = await get(`${app.url}/token`, { headers: { "x-ip-token": await token() } });
      assert.equal(answer.status, 200, answer.text);
    };
    const hold = async (): Promise<void> => {
      const { status, text } = await visit(`${app.url}/gpu/hold?seconds=0.2&declare=1`, alice);
      assert.equal(status, 200, text);
    };
    const loads = [loadOf(6, hold), loadOf(4, passOn)];
    const waiting = (): Promise<unknown> =>
      until("calls wait for the one slot", async () => (await up.admin.gpuQueue()).calls.length >= 3);
    for (let n = 0; n < 2; n++) {
      await waiting();
      const answered = loads.map((load) => load.answered);
      const { keys } = await up.admin.rotateVisitorKeys();
      kids.push(keys[0]?.kid ?? "");
      assert.equal(
        decodeProtectedHeader(await token()).kid,
        kids.at(-1),
        "from the answer on every worker mints with it",
      );
      await until("both loads go on", () => loads.every((load, at) => load.answered > (answered[at] ?? 0) + 5));
    }
    for (const load of loads) await load.stop();
    assert.deepEqual(
      loads.flatMap(({ failures }) => failures),
      [],
    );
    assert.equal(new Set(kids).size, 3);
    const { keys } = await up.admin.visitorKeys();
    assert.deepEqual(
      keys.map(({ kid, stage }) => [kid, stage]),
      [
        [kids[2], "current"],
        [kids[1], "former"],
        [kids[0], "former"],
      ],
    );
    const { status, text } = await byHand(first);
    assert.equal(status, 200, `a token of the first key, after two rotations: ${text}`);
  });

  test("each is told in the audit log, with the keys' names and nothing of their secrets", async () => {
    const { items } = await up.admin.audit({ action: "key.rotate" });
    assert.deepEqual(
      items.map(({ account, target, outcome }) => [account, target, outcome]),
      [
        ["admin", "platform", "done"],
        ["admin", "platform", "done"],
      ],
    );
    const [last, earlier] = items;
    assert.deepEqual([last?.before, last?.after], [earlier?.after, { kid: await current() }]);
  });

  test("they outlive a server that is killed, and an edge that goes on without it", async () => {
    const before = await token();
    await up.kill();
    const alone = await token();
    await up.up();
    await up.admin.rotateVisitorKeys();
    for (const kept of [before, alone]) assert.equal((await byHand(kept)).status, 200);
  });

  test("a key that others may have is dropped by the same order: its tokens are refused by all from the answer on", async () => {
    const stolen = await token();
    const { keys } = await up.admin.rotateVisitorKeys({ dropFormer: true });
    assert.deepEqual(keys.map(({ stage }) => stage), ["current"]); // prettier-ignore
    assert.equal((await byHand(stolen)).status, 401);
    for (let n = 0; n < 20; n++) {
      const refused = await get(`${app.url}/`, { headers: { "x-ip-token": stolen } });
      assert.equal(refused.status, 401);
      assert.match(refused.text, /identity\/bad-signature|bad-signature/);
    }
    assert.equal((await byHand(await token())).status, 200);
  });

  test("a worker that hangs is named to whoever drops a key, who is not told that it is dropped everywhere", async () => {
    const [hung] = (await up.admin.status()).edge ?? [];
    assert.ok(hung);
    process.kill(hung.pid, "SIGSTOP");
    try {
      const env = { ...process.env, WAYBILL_URL: up.url, WAYBILL_TOKEN: up.operatorToken };
      const order = promisify(execFile)(process.execPath, [waybill, "key", "rotate", "--drop-former"], { env });
      const told = (await order.catch((error: unknown) => error)) as { code?: number; stderr: string; stdout: string };
      assert.equal(told.code, 1, told.stdout);
      assert.match(told.stderr, new RegExp(`Not everywhere yet: ${hung.name}, process ${hung.pid} did not answer`));
    } finally {
      process.kill(hung.pid, "SIGCONT");
    }
    const { behind } = await up.admin.rotateVisitorKeys({ dropFormer: true });
    assert.deepEqual(behind, []);
  });
});
