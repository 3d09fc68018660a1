/** Installed packages that builds share: the real npm, a registry of our own with one package. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { buildMarker, membersOf } from "../src/build/processes.ts";
import { releaseFolderOf } from "../src/build/release.ts";
import { newId } from "../src/stdx/ids.ts";
import { random, testWorkshop, type Files, type TestBuild, type TestWorkshop } from "./support/commits.ts";
import { until } from "./support/platform.ts";
import { npmRegistry, type NpmRegistry } from "./support/npm-registry.ts";

const fileCount = 300;

describe("packages that were installed once", () => {
  let registry: NpmRegistry;
  before(async () => void (registry = await npmRegistry(fileCount)));
  after(() => registry[Symbol.asyncDispose]());

  const files = (server: string): Files => ({
    "README.md": "---\nsdk: node\n---\n",
    "server.js": server,
    "package.json": JSON.stringify({
      name: "app",
      scripts: { start: "node server.js" },
      dependencies: { many: "1.0.0" },
    }),
    "package-lock.json": registry.lockfile,
  });
  const build = (shop: TestWorkshop, space: string, server = "0", id = newId("b", random)): Promise<TestBuild> =>
    shop.build(files(server), { space, build: id, tools: { env: { npm_config_registry: registry.url } } });

  /** What a release has of the package: whole, or the test fails. */
  function packageIn(shop: TestWorkshop, { outcome, log }: TestBuild): void {
    assert.ok(outcome.ok, log);
    const folder = join(releaseFolderOf(shop.tools.folder, outcome.release), "app", "node_modules", "many");
    const names = readdirSync(folder).filter((name) => name.startsWith("file-"));
    assert.equal(names.length, fileCount);
    for (const name of names)
      assert.equal(readFileSync(join(folder, name), "utf8"), `module.exports = ${/\d+/.exec(name)?.[0]};\n`);
  }

  test("are there for the owner's next build of the same lockfile, and for no other owner's", async () => {
    await using shop = await testWorkshop();
    const first = await build(shop, "alice/one");
    assert.match(first.log, /^\$ npm ci /m);
    packageIn(shop, first);
    const again = await build(shop, "alice/two", "1");
    assert.match(again.log, /^nothing to install: these packages are there$/m);
    assert.doesNotMatch(again.log, /npm ci/);
    packageIn(shop, again);
    assert.match((await build(shop, "bob/one")).log, /^\$ npm ci /m);
  });

  test("are whole for everybody where six builds of two owners want them at once and one is killed in the middle", async () => {
    await using shop = await testWorkshop();
    const killed = newId("b", random);
    const first = build(shop, "alice/0", "0", killed);
    const pidsOfIt = (): readonly number[] => membersOf({ group: null, marker: buildMarker(killed) });
    await until("its npm is there, for which the other two of that owner wait", () => pidsOfIt().length > 0);
    const others = ["alice/1", "alice/2", "bob/0", "bob/1", "bob/2"].map((space) => build(shop, space));
    for (const pid of pidsOfIt()) killIfThere(pid);
    const [lost, ...whole] = await Promise.all([first, ...others]);
    assert.ok(!lost.outcome.ok, lost.log);
    assert.equal(lost.outcome.code, "build/step-failed");
    for (const one of whole) packageIn(shop, one);
    packageIn(shop, await build(shop, "alice/3"));
  });
});

/** One of them may end by itself in between. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
