/** A platform that is told to stop and leaves its apps running: for its next start, for another version, or to be ended by hand. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { readStored, writeStored, type ShimRecord } from "../src/runtime/folder.ts";
import { Platform, lives, until, visit, type Account, type App, type Replica } from "./support/platform.ts";

const waybill = resolve(import.meta.dirname, "../bin/waybill.js");

/** `waybill stop --all` on this data folder. */
function stopAll(data: string): Promise<{ readonly code: number; readonly out: string }> {
  return new Promise((done) => {
    execFile(process.execPath, [waybill, "stop", "--all", "--data", data, "--json"], (error, out) =>
      done({ code: error === null ? 0 : Number(error.code), out }),
    );
  });
}

describe("waybill up --service", () => {
  let up: Platform;
  let alice: Account;
  let app: App;
  let replica: Replica;
  before(async () => {
    up = await Platform.start({ service: true });
    alice = await up.account("alice");
    app = await up.deploy(alice, "app");
    assert.ok(app.deployed.ok, app.deployed.says);
    replica = await up.replica(app.space);
  });
  after(() => up[Symbol.asyncDispose]());

  const answers = () => until("the app answers", async () => (await visit(`${app.url}/pid`, alice)).status === 200);

  /** SIGTERM; meanwhile something is done to the shim's record; and up again. */
  async function upgrade(change: (record: ShimRecord) => ShimRecord): Promise<void> {
    assert.equal(await up.stop(), 0);
    assert.ok(lives(replica.app) && lives(replica.shim), "both run on");
    writeStored(replica.folder, "shim.json", change(readStored<ShimRecord>(replica.folder, "shim.json") as ShimRecord));
    await up.up();
  }

  test("leaves its apps on SIGTERM, and the next start goes on with them", async () => {
    await upgrade((record) => record);
    await answers();
    assert.equal((await up.replica(app.space)).id, replica.id);
    assert.ok(lives(replica.app), "the same process");
  });

  test("goes on with the shim of the version before", async () => {
    await upgrade(({ pid, start }) => ({ pid, start }));
    await answers();
    assert.equal((await up.replica(app.space)).id, replica.id);
  });

  test("starts an app again whose shim it cannot understand, and says so", async () => {
    const { id } = replica;
    await upgrade((record) => ({ ...record, contract: 99 }));
    await until("another replica is ready", async () => (await up.replica(app.space).catch(() => ({ id }))).id !== id);
    assert.ok(!lives(replica.app) && !lives(replica.shim));
    replica = await up.replica(app.space);
    const { replicas } = await alice.client.space(app.space);
    assert.match(replicas.find((one) => one.id === id)?.says ?? "", /version 99 of the messages.*started again/);
    await answers();
  });

  test("is not robbed of its apps by stop --all, which ends them once it has stopped", async () => {
    const refused = await stopAll(up.data);
    assert.equal(refused.code, 1);
    assert.match(refused.out, /a platform or an agent runs on/);
    assert.ok(lives(replica.app));
    assert.equal(await up.stop(), 0);
    assert.deepEqual(await stopAll(up.data).then(({ code, out }) => ({ code, ...(JSON.parse(out) as object) })), {
      code: 0,
      stopped: [replica.id],
      running: [],
    });
    assert.deepEqual(up.leftovers(), []);
    assert.equal(readStored<{ phase: string }>(replica.folder, "exit.json")?.phase, "stopped");
    await up.up();
    await answers();
  });
});
