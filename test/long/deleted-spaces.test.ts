/** A Space that is deleted leaves nothing on its node: neither its releases, nor what its app wrote, nor a replica, also where the server is killed. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { needs } from "../support/needs.ts";
import { Platform, lives, until, type Account, type App } from "../support/platform.ts";

/** Appends a line to its diary at each start, and shows it. */
const app = {
  "README.md": "---\nsdk: node\n---\n",
  "package.json": JSON.stringify({ name: "diary", private: true, scripts: { start: "node server.js" } }),
  "server.js": `
const fs = require("node:fs");
fs.appendFileSync("/data/diary", "a start\\n");
require("node:http").createServer((_, to) => to.end(fs.readFileSync("/data/diary"))).listen(process.env.PORT);`,
};

describe("a Space that is deleted", await needs("sandbox"), () => {
  let up: Platform;
  let alice: Account;
  before(async () => {
    up = await Platform.start({ sandbox: "best", gpus: null, service: true });
    alice = await up.account("alice");
  });
  after(() => up?.[Symbol.asyncDispose]());

  const kept = (name: string): string => join(up.data, "node", "spaces", `alice%2F${name}`);
  const releases = (): readonly string[] => {
    const folder = join(up.data, "node", "releases");
    return existsSync(folder) ? readdirSync(folder).filter((one) => one.startsWith("rel_")) : [];
  };
  const remove = async (name: string): Promise<void> => {
    const answer = await fetch(`${up.url}/api/repos/delete`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${alice.token}`, "content-type": "application/json" },
      body: JSON.stringify({ name, organization: "alice", type: "space" }),
    });
    assert.equal(answer.status, 200, await answer.text());
  };
  const diary = async ({ url }: App): Promise<string> => (await fetch(url)).text();
  const deploy = (name: string): Promise<App> => up.deploy(alice, name, app);

  test("takes its releases and its /data along, and one that is made again begins with nothing", async () => {
    const first = await deploy("diary");
    assert.equal(await diary(first), "a start\n");
    assert.ok(existsSync(kept("diary")) && releases().length === 1);
    await remove("diary");
    await until("its /data is gone", () => !existsSync(kept("diary")));
    await until("its releases are gone", () => releases().length === 0);
    assert.equal(await diary(await deploy("diary")), "a start\n");
  });

  test("and whose server is killed before its replica has ended, ends with the next start, and nobody is blamed", async () => {
    const second = await deploy("killed");
    const replica = await up.replica(second.space);
    const before = up.log.length;
    await remove("killed");
    await up.restart();
    await until("its replica has ended", () => !lives(replica.shim) && !lives(replica.app));
    await until("its /data is gone", () => !existsSync(kept("killed")));
    await until("its releases are gone", () => releases().length === 1);
    assert.deepEqual(
      up.log.slice(before).filter((line) => line.includes("spoke of what is not its own")),
      [],
    );
  });
});
