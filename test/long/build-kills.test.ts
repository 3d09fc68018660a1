/** kill -9 of the platform in each stage of a build: none is lost, none runs twice, and each log has its first and its last line. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { commitBody } from "../../src/client/deploy.ts";
import { listFolder } from "../../src/client/folder.ts";
import type { BuildDetails, BuildStage } from "../../src/contract/api.ts";
import { Platform, until, type Account } from "../support/platform.ts";

const withinMs = 180_000;
const server = (afterMs: number): string =>
  `setTimeout(() => require("node:http").createServer((_, to) => to.end("hi")).listen(process.env.PORT), ${afterMs});`;

describe("kill -9 of the platform", () => {
  let up: Platform;
  let alice: Account;
  let spaces = 0;
  before(async () => {
    up = await Platform.start();
    alice = await up.account("alice");
  });
  after(() => up[Symbol.asyncDispose]());

  /** A commit of an app whose build, and whose start, take so long. */
  const commit = async (buildMs: number, startMs = 0): Promise<string> => {
    const scripts = { start: "node server.js", build: `node -e 'setTimeout(() => {}, ${buildMs})'` };
    const folder = up.write({
      "README.md": "---\nsdk: node\n---\n",
      "package.json": JSON.stringify({ name: "app", private: true, scripts }),
      "server.js": server(startMs),
    });
    const body = await commitBody(folder, await listFolder(folder), "Deploy");
    const { build } = await alice.client.commit(`alice/app${++spaces}`, body);
    assert.ok(build);
    return build;
  };
  const reaches = (build: string, ...stages: readonly BuildStage[]): Promise<BuildDetails> =>
    until(
      `build ${build} is ${stages.join(" or ")}`,
      async () => {
        const now = await up.admin.build(build);
        return stages.includes(now.stage) && now;
      },
      withinMs,
    );
  /** It went well, once, and its log is whole. */
  const wentWell = async (build: string): Promise<BuildDetails> => {
    const ended = await reaches(build, "done", "failed", "cancelled", "superseded");
    assert.deepEqual([ended.stage, ended.code], ["done", null], ended.says);
    const kinds = ended.events.map(({ event }) => event);
    assert.deepEqual(
      ["queued", "published", "ended"].map((kind) => kinds.filter((one) => one === kind).length),
      [1, 1, 1],
      kinds.join(" "),
    );
    assert.equal(kinds.filter((kind) => kind === "given").length, ended.attempts);
    const lines: string[] = [];
    for await (const { text } of up.admin.buildLog(build)) lines.push(text);
    assert.match(lines[0] ?? "", /^queued 1st of 1, /);
    assert.equal(lines.at(-1), `built and running; ${lines.length} lines, complete`);
    const { outcome, verdict } = await up.admin.explain(build);
    assert.deepEqual([outcome, verdict], ["ok", null]);
    return ended;
  };

  test("while it waits: it waits on, and is built in its turn", async () => {
    const first = await commit(4_000);
    await reaches(first, "building");
    const waits = await commit(0);
    assert.equal((await reaches(waits, "queued")).waiting?.position, 1);
    await up.restart();
    assert.equal((await up.admin.build(waits)).stage, "queued");
    await wentWell(first);
    assert.equal((await wentWell(waits)).attempts, 1);
  });

  test("while it builds: it is given to the builder again", async () => {
    const build = await commit(2_000);
    await reaches(build, "building");
    await up.restart();
    assert.equal((await wentWell(build)).attempts, 2);
  });

  test("while its app starts: the app goes on starting, and the build is done when it listens", async () => {
    const build = await commit(0, 4_000);
    const { release } = await reaches(build, "starting");
    await up.restart();
    const ended = await wentWell(build);
    assert.deepEqual([ended.attempts, ended.release], [1, release]);
  });

  for (const lines of [1, 2, 4, 5, 6, 8]) {
    test(`when its log has ${lines} lines, wherever it is then`, async () => {
      const build = await commit(0);
      await until("it has come so far", async () => (await up.admin.build(build)).logLines >= lines, withinMs);
      await up.restart();
      await wentWell(build);
    });
  }
});
