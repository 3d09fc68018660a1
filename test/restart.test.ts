/** Restarts and factory rebuilds of a running Space, by its owner. */
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { ApiError } from "../src/client/errors.ts";
import { Platform, killProcess, lives, until, visit, type Account, type App } from "./support/platform.ts";

describe("waybill restart", () => {
  let up: Platform;
  let alice: Account;
  let app: App;
  before(async () => {
    up = await Platform.start();
    alice = await up.account("alice");
    app = await up.deploy(alice, "app");
  });
  after(() => up[Symbol.asyncDispose]());

  const running = (id: string) => until(`${id} runs`, async () => (await alice.client.space(id)).state === "running");

  test("starts the app again, and no request is refused meanwhile", async () => {
    const old = await up.replica(app.space);
    const { release } = await alice.client.space(app.space);
    const statuses = new Set<number>();
    let over = false;
    const visitor = (async () => {
      while (!over) statuses.add((await visit(`${app.url}/pid`, alice)).status);
    })();
    const { stage } = await alice.client.restart(app.space);
    assert.ok(["RUNNING", "APP_STARTING"].includes(stage), stage);
    await until("the old replica has ended", () => !lives(old.app) && !lives(old.shim));
    over = true;
    await visitor;
    assert.deepEqual([...statuses], [200]);
    const next = await up.replica(app.space);
    assert.notEqual(next.id, old.id);
    assert.equal((await alice.client.space(app.space)).release, release, "the same release");
  });

  test("brings an app back that was given up on", async () => {
    const broken = await up.deploy(alice, "broken", {
      // It exits where a file of ours is there.
      "server.js": [
        'import { existsSync } from "node:fs";',
        'import { createServer } from "node:http";',
        `if (existsSync(${JSON.stringify(`${up.folder}/dies`)})) process.exit(3);`,
        'createServer((_request, response) => response.end("ok")).listen(Number(process.env.PORT), "127.0.0.1");',
        "",
      ].join("\n"),
    });
    assert.equal(broken.deployed.ok, true, broken.deployed.says);
    writeFileSync(`${up.folder}/dies`, "");
    killProcess((await up.replica(broken.space)).app);
    await until("the platform gives up", async () =>
      (await alice.client.space(broken.space)).replicas.some(({ says }) => says.includes("not started again")),
    );
    rmSync(`${up.folder}/dies`);
    await alice.client.restart(broken.space);
    await running(broken.space);
    assert.equal((await visit(`${broken.url}/`, alice)).text, "ok");
  });

  test("--factory builds the last commit again, and its release takes over", async () => {
    const before_ = await alice.client.space(app.space);
    const { stage } = await alice.client.restart(app.space, { factory: true });
    assert.equal(stage, "RUNNING_BUILDING", "the old release answers until the new one does");
    const { build } = await alice.client.space(app.space);
    assert.notEqual(build?.id, before_.build?.id);
    assert.equal(build?.commit, before_.build?.commit);
    await until("the new release runs", async () => (await alice.client.build(build?.id ?? "")).outcome === "ok");
    await until(
      "the Space names the new release",
      async () => (await alice.client.space(app.space)).release !== before_.release,
    );
    const lines: string[] = [];
    for await (const { text } of alice.client.buildLog(build?.id ?? "")) lines.push(text);
    assert.match(lines.join("\n"), /a factory rebuild: nothing that an earlier build resolved is used/);
  });

  test("says why it cannot be", async () => {
    const site = await up.deploy(alice, "site", {
      "README.md": "---\nsdk: static\n---\n",
      "index.html": "<html></html>",
      "package.json": "",
      "server.js": "",
      "work.js": "",
    });
    await assert.rejects(alice.client.restart(site.space), refusal(400, /A static Space has no process/));
    await assert.rejects(alice.client.restart(site.space, { factory: true }), refusal(400, /no packages/));
    await assert.rejects(alice.client.restart("alice/nothing"), refusal(404, /There is no Space/));
    const bob = await up.account("bob");
    await assert.rejects(bob.client.restart(app.space), refusal(403, /belongs to alice/));
  });
});

function refusal(status: number, says: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ApiError, String(error));
    assert.equal(error.problem.status, status);
    assert.match(error.problem.detail, says);
    return true;
  };
}
