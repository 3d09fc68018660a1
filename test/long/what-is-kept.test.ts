/** A Space that is built again and again under tiny bounds: what its platform keeps stays as it is, and what is gone is said to be. */
import assert from "node:assert/strict";
import { existsSync, globSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bytesBelow } from "../../src/build/disk-use.ts";
import { newId } from "../../src/stdx/ids.ts";
import { random } from "../support/commits.ts";
import { Platform, until, visit, type Account } from "../support/platform.ts";

const space = "alice/app";
const kept = 2;
const builds = 16;
const mib = 1 << 20;

/** A page of 256 KiB, another one each time. */
const page = (version: number): Record<string, string> => ({
  "README.md": "---\nsdk: node\n---\n",
  "package.json": JSON.stringify({ name: "app", scripts: { start: "node server.js" } }),
  "server.js": `require("node:http").createServer((_, answer) => answer.end("version ${version}")).listen(process.env.PORT);\n`,
  "filler.txt": String(version)
    .padEnd(4, "-")
    .repeat(64 << 10),
  "gradio.js": "",
  "work.js": "",
});

describe("a Space under tiny bounds", () => {
  let up: Platform;
  let alice: Account;
  const published: { readonly release: string; readonly build: string; readonly commit: string }[] = [];
  /** Bytes of the folders that follow the Space's builds, when they had been swept. */
  const sizes: number[] = [];

  before(async () => {
    up = await Platform.start({
      gpus: null,
      env: {
        WAYBILL_RELEASES_KEPT: String(kept),
        WAYBILL_BUILDS_KEPT: String(kept),
        WAYBILL_EVENTS_KEPT: "20",
        WAYBILL_CACHES_MAX_MB: "1",
      },
    });
    alice = await up.account("alice");
  });
  after(() => up[Symbol.asyncDispose]());

  const node = (...names: string[]): string => join(up.data, "node", ...names);
  const releases = (): readonly string[] => readdirSync(node("releases")).toSorted();
  const logs = (): readonly string[] => readdirSync(join(up.data, "builds")).toSorted();
  /** Releases that the catalog says can run. */
  const runnable = async (): Promise<readonly string[]> =>
    (await alice.client.releases(space)).items
      .flatMap(({ id, removedAt }) => (removedAt === undefined ? id : []))
      .toSorted();
  /** The disk and the catalog have the same, and no more than is kept; one more where a replica has just ended. */
  const swept = (says = "swept"): Promise<true> =>
    until(says, async () => {
      const known = await runnable();
      return known.length <= kept && `${releases()}` === `${known}`;
    }); // prettier-ignore

  async function deploy(version: number): Promise<void> {
    const { deployed } = await up.deploy(alice, "app", page(version));
    const { release, build } = deployed.space;
    assert.ok(release !== null && build);
    published.push({ release, build: build.id, commit: build.commit });
  }

  test(
    "keeps the newest releases, builds and logs, and its folders stay as large as they were",
    { timeout: 1_200_000 },
    async () => {
      for (let n = 1; n <= builds; n += 1) {
        await deploy(n);
        // The one before ends when the next listens: a sweep that came first leaves its release to the next one.
        if (n % 4 !== 0) continue;
        await up.deploy(alice, "app", { ...page(n), "package.json": "{" }).catch(() => undefined); // fails, and is swept after
        await swept(`after ${n} builds`);
        sizes.push(await bytesBelow([node("releases"), node("owners"), join(up.data, "builds")]));
      }
      const [first = 0, ...rest] = sizes;
      for (const size of rest) assert.ok(size < first + mib / 4, `${sizes.join(", ")} bytes`);
      assert.ok(logs().length <= 3 * kept + 1, `${logs().length} build logs`);
      const items = (await alice.client.builds(space)).items;
      assert.equal(items.filter(({ trimmedAt }) => trimmedAt === undefined).length, logs().length);
      assert.ok((await alice.client.spaceEvents(space)).items.length <= 2 * 20 + 20);
      assert.match(
        (await visit((await alice.client.space(space)).addresses.at(-1) ?? "")).text,
        new RegExp(`version ${builds}`),
      );
    },
  );

  test("goes back to a release that is kept, and says of one that is not why, and what to push again", async () => {
    const [gone, back] = [published[0], published.at(-2)];
    assert.ok(gone && back);
    await assert.rejects(alice.client.rollBack(space, { release: gone.release }), (error: Error) => {
      assert.match(
        error.message,
        new RegExp(
          `Release ${gone.release} of ${space} was removed at .*the newest ${kept} are kept.*Push commit ${gone.commit} again`,
          "s",
        ),
      );
      return true;
    });
    await alice.client.rollBack(space, { release: back.release });
    await until("the release before runs", async () => (await alice.client.space(space)).release === back.release);
    const { addresses } = await alice.client.space(space);
    await until("it answers", async () => (await visit(addresses.at(-1) ?? "")).text === `version ${builds - 1}`);
    const listed = (await alice.client.releases(space)).items.find(({ id }) => id === gone.release);
    assert.ok(listed?.removedAt !== undefined);
  });

  test("explains a build of which little is kept, and says that its log was removed", async () => {
    const id = published[0]?.build ?? "";
    const { sentence } = await alice.client.explain(id);
    assert.match(sentence, /The log of build b_\w+ was removed at .*newest builds/);
    await assert.rejects(async () => {
      for await (const line of alice.client.buildLog(id)) assert.fail(`a line: ${line.text}`);
    }, /The log of build b_\w+ was removed/);
  });

  test(
    "a SIGKILL in the middle of a sweep leaves nothing behind: the next start finishes it",
    { timeout: 900_000 },
    async () => {
      for (let round = 1; round <= 4; round += 1) {
        await deploy(builds + round);
        const done = up.deploy(alice, "app", page(100 + round)).catch(() => undefined); // its release may be gone by then
        await until("one is published beside those that are kept", () => releases().length > kept + 1, 30_000).catch(
          () => undefined,
        ); // swept faster
        await up.kill();
        // What each cut can leave: a folder that has lost its name, a release that no build has, a log that no build has.
        mkdirSync(node("releases", ".gone-rel_cut", "app"), { recursive: true });
        mkdirSync(node("releases", newId("rel", random)));
        const lost = join(up.data, "builds", newId("b", random));
        mkdirSync(lost);
        writeFileSync(join(lost, "log.1"), "");
        await up.up();
        await done;
        alice = { ...alice, client: (await up.account("alice")).client };
        await until("no build is left", async () => (await up.admin.buildQueue()).building.length === 0);
        await swept("after a SIGKILL");
        assert.deepEqual(globSync("**/.gone-*", { cwd: node() }), []);
        assert.ok(!existsSync(lost));
      }
      const view = await alice.client.space(space);
      assert.ok(view.release !== null && existsSync(node("releases", view.release, "release.json")));
      assert.ok(readFileSync(node("releases", view.release, "release.json"), "utf8").includes(view.release));
    },
  );
});
