/** Builds with the real git and npm, without a network. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { createBuilder, type BuildOutcome } from "../src/build/builder.ts";
import { buildMarker, membersOf } from "../src/build/processes.ts";
import { readRelease, releaseFolderOf } from "../src/build/release.ts";
import { writeSdkPackage } from "../src/client/sdk-package.ts";
import { spawn } from "node:child_process";
import { testWorkshop, type TestWorkshop } from "./support/commits.ts";

const readme = (...lines: readonly string[]): string => `---\n${lines.join("\n")}\n---\n`;
const packageJson = (members: object): string => JSON.stringify({ name: "app", private: true, ...members });
const lockfile = JSON.stringify({
  name: "app",
  lockfileVersion: 3,
  requires: true,
  packages: { "": { name: "app", hasInstallScript: true } },
});
const node = { "README.md": readme("sdk: node", "title: Demo", "app_port: 8080"), "server.js": "console.log('up')\n" };
const start = { start: "node server.js" };

function built(outcome: BuildOutcome): Extract<BuildOutcome, { ok: true }> {
  assert.ok(outcome.ok, JSON.stringify(outcome));
  return outcome;
}

function failed(outcome: BuildOutcome): Extract<BuildOutcome, { ok: false }> {
  assert.ok(!outcome.ok, "it was built");
  return outcome;
}

/** What a builder's disk holds when no build runs: whole releases, nothing half. */
const releasesOf = (shop: TestWorkshop): readonly string[] => readdirSync(join(shop.tools.folder, "releases"));

describe("a node Space", () => {
  test("without dependencies becomes a release, and its log says so from the first line on", async () => {
    await using shop = await testWorkshop();
    const { outcome, log, steps, build } = await shop.build({
      ...node,
      "package.json": packageJson({ scripts: start }),
    });
    const { release, settings } = built(outcome);
    assert.deepEqual(steps, ["fetch done", "configure done", "install done", "check done", "publish done"]);
    assert.match(
      log,
      /^builds alice\/app at [0-9a-f]{40}\n3 files\nsdk node, Demo\nnothing to install: package\.json names no packages\n/,
    );
    assert.deepEqual([settings["appPort"], settings["title"]], [8080, "Demo"]);
    const manifest = await readRelease(shop.tools.folder, release);
    assert.equal(manifest?.build, build);
    assert.deepEqual([manifest?.appPort, manifest?.sdk, manifest?.title], [8080, "node", "Demo"]);
    assert.deepEqual(manifest?.argv, ["sh", "-c", 'export PATH="$PWD/node_modules/.bin:$PATH"\nexec node server.js']);
    assert.deepEqual(releasesOf(shop), [release]);
    assert.deepEqual(readdirSync(releaseFolderOf(shop.tools.folder, release)).sort(), ["app", "release.json"]);
  });

  test("gets the platform's SDK as plain JavaScript that Node runs under node_modules", async () => {
    await using shop = await testWorkshop();
    const sdk = { version: "1.2.3", write: (folder: string) => writeSdkPackage(folder, "1.2.3") };
    const files = {
      ...node,
      "package.json": packageJson({
        type: "module",
        scripts: { ...start, build: "node -e \"import('waybill').then(m => console.log('gpu is', typeof m.gpu))\"" },
      }),
    };
    const { outcome, log, steps } = await shop.build(files, { tools: { sdk } });
    const { release } = built(outcome);
    assert.match(log, /^SDK: waybill 1\.2\.3 of this platform, put into node_modules\/waybill$/m);
    assert.match(log, /^gpu is function$/m);
    assert.ok(steps.includes("build done"));
    assert.ok(existsSync(join(releaseFolderOf(shop.tools.folder, release), "app/node_modules/waybill/package.json")));
  });

  test("keeps the SDK that it brings itself", async () => {
    await using shop = await testWorkshop();
    const sdk = { version: "1.2.3", write: () => assert.fail("the app's own SDK was replaced") };
    const own = { ...node, "package.json": packageJson({ scripts: start }), "node_modules/waybill/index.js": "own" };
    assert.match((await shop.build(own, { tools: { sdk } })).log, /SDK: the app's own, in its node_modules/);
  });

  test("all problems of the settings and of package.json are said at once, before anything is installed", async () => {
    await using shop = await testWorkshop();
    const { outcome, log, steps } = await shop.build({
      "README.md": readme("sdk: node", "app_port: 0", "pinned: 7"),
      "package.json": "{",
    });
    const { code, step, because } = failed(outcome);
    assert.deepEqual([code, step, because.length], ["build/config-invalid", "configure", 3]);
    for (const says of [
      /README\.md line 3: app_port is 0/,
      /README\.md line 4: pinned is 7/,
      /package\.json is not JSON/,
    ])
      assert.match(log, says);
    assert.deepEqual(steps, ["fetch done", "configure failed"]);
    assert.deepEqual(releasesOf(shop), []);
  });

  test("a missing start script and a missing README are said with what to write", async () => {
    await using shop = await testWorkshop();
    const noStart = failed((await shop.build({ ...node, "package.json": packageJson({}) })).outcome);
    assert.deepEqual(noStart.because, [
      'package.json has no `start` script; write for example `"scripts": { "start": "node server.js" }`',
    ]);
    const noReadme = failed((await shop.build({ "package.json": packageJson({ scripts: start }) })).outcome);
    assert.equal(noReadme.code, "build/config-invalid");
    assert.match(noReadme.says, /there is no README\.md; write one/);
  });

  test("an image is made where there is a sandbox and an engine only, and the refusal says what is missing", async () => {
    await using shop = await testWorkshop();
    const files = { "README.md": readme("sdk: docker"), Dockerfile: "FROM scratch\n" };
    const bare = failed((await shop.build(files)).outcome);
    assert.deepEqual([bare.code, bare.step], ["build/no-builder", "configure"]);
    assert.match(bare.says, /runs in a sandbox only/);
    const images = {
      engine: null,
      archives: null,
      maxBytes: 1 << 30,
      known: { users: new Map<string, number>() },
      hasDriver: false,
    };
    const without = failed((await shop.build(files, { tools: { images } })).outcome);
    assert.equal(without.code, "build/no-builder");
    assert.match(without.says, /apt-get install buildah/);
  });

  test("a failing install script fails the step with its last words", async () => {
    await using shop = await testWorkshop();
    const files = {
      ...node,
      "package.json": packageJson({
        scripts: { ...start, preinstall: "echo reason one && echo reason two >&2 && exit 3" },
      }),
      "package-lock.json": lockfile,
    };
    const { outcome, log, steps } = await shop.build(files);
    const { code, step, says, because } = failed(outcome);
    assert.deepEqual([code, step, says], ["build/step-failed", "install", "install ended with exit code 3"]);
    assert.ok(
      because.some((line) => line.includes("reason two")),
      because.join("\n"),
    );
    assert.match(log, /^\$ npm ci /m);
    assert.equal(steps.at(-1), "install failed");
    assert.deepEqual(releasesOf(shop), []);
  });

  test("steps see a clean environment: nothing of the platform's", async () => {
    await using shop = await testWorkshop();
    process.env["WAYBILL_SECRET_OF_TEST"] = "x";
    const files = { ...node, "package.json": packageJson({ scripts: { ...start, build: "env" } }) };
    const { log, build } = await shop.build(files).finally(() => delete process.env["WAYBILL_SECRET_OF_TEST"]);
    assert.doesNotMatch(log, /WAYBILL_SECRET_OF_TEST/);
    assert.match(log, new RegExp(`^HOME=${join(shop.tools.folder, "releases", `.building-${build}`, "home")}$`, "m"));
    assert.match(log, /^WAYBILL_BUILD=b_/m);
  });
});

// A process that leaves its parent, its group and its session, as a daemon of an install script would.
const daemon = "setsid sleep 300 > /dev/null 2>&1 &";

describe("what a step starts", () => {
  test("is ended with it at its deadline, whole", async () => {
    await using shop = await testWorkshop();
    const files = {
      ...node,
      "package.json": packageJson({ scripts: { ...start, build: `${daemon} echo begun; sleep 300` } }),
    };
    const { outcome, build } = await shop.build(files, {
      tools: { limits: { fetchMs: 300_000, installMs: 300_000, buildMs: 4_000 } },
    });
    const { code, step, says, because } = failed(outcome);
    assert.deepEqual(
      [code, step, says],
      ["build/step-timeout", "build", "build ran past its limit of 4 s and was ended"],
    );
    assert.ok(because.includes("begun"), because.join("\n"));
    assert.deepEqual(membersOf({ group: null, marker: buildMarker(build) }), []);
  });

  test("is ended when the build is cancelled", async () => {
    await using shop = await testWorkshop();
    const cancel = new AbortController();
    const files = {
      ...node,
      "package.json": packageJson({ scripts: { ...start, build: `${daemon} echo begun; sleep 300` } }),
    };
    const onLine = ({ stream, text }: { stream: string; text: string }) =>
      stream === "out" && text === "begun" && cancel.abort(new Error("superseded"));
    const { outcome, build } = await shop.build(files, { signal: cancel.signal, onLine });
    assert.equal(failed(outcome).says, "the build was stopped: superseded");
    assert.deepEqual(membersOf({ group: null, marker: buildMarker(build) }), []);
    assert.deepEqual(releasesOf(shop), []);
  });

  test("and left running after its end is ended too, and said", async () => {
    await using shop = await testWorkshop();
    const files = { ...node, "package.json": packageJson({ scripts: { ...start, build: daemon } }) };
    const { outcome, log, build } = await shop.build(files);
    built(outcome);
    assert.match(log, /^ended \d+ process\(es\) that npm had left running$/m);
    assert.deepEqual(membersOf({ group: null, marker: buildMarker(build) }), []);
  });

  test("and hid from us, with our pipes in its hands, does not hold up the build", async () => {
    await using shop = await testWorkshop();
    const hidden = "env -i /usr/bin/setsid /bin/sleep 300 & echo $! > hidden";
    const { outcome } = await shop.build({
      ...node,
      "package.json": packageJson({ scripts: { ...start, build: hidden } }),
    });
    const pid = Number(
      readFileSync(join(releaseFolderOf(shop.tools.folder, built(outcome).release), "app/hidden"), "utf8"),
    );
    // It still runs, or the build had simply waited for it.
    assert.ok(process.kill(pid, "SIGKILL"));
  });

  test("of a builder that was killed is ended by the next one, which names the lost build", async () => {
    await using shop = await testWorkshop();
    const build = "b_lost";
    mkdirSync(join(shop.tools.folder, "releases", `.building-${build}`), { recursive: true });
    const orphan = spawn("sleep", ["300"], {
      detached: true,
      stdio: "ignore",
      env: { PATH: "/usr/bin:/bin", WAYBILL_BUILD: build },
    });
    const gone = new Promise((resolve) => orphan.once("exit", (_code, signal) => resolve(signal)));
    assert.deepEqual(await createBuilder(shop.tools).recover(), [build]);
    assert.equal(await gone, "SIGTERM");
    assert.deepEqual(releasesOf(shop), []);
  });

  test("the whole build has a limit of its own", async () => {
    await using shop = await testWorkshop();
    const files = { ...node, "package.json": packageJson({ scripts: { ...start, build: "sleep 300" } }) };
    assert.equal(failed((await shop.build(files, { limitMs: 2_500 })).outcome).code, "build/step-timeout");
  });
});

describe("a static Space", () => {
  test("is checked and published as it is", async () => {
    await using shop = await testWorkshop();
    const { outcome, steps } = await shop.build({ "README.md": readme("sdk: static"), "index.html": "<h1>hi</h1>" });
    const { release } = built(outcome);
    assert.deepEqual(steps, ["fetch done", "configure done", "check done", "publish done"]);
    const manifest = await readRelease(shop.tools.folder, release);
    assert.deepEqual([manifest?.argv, manifest?.staticFolder, manifest?.title], [null, ".", "alice/app"]);
    assert.equal(
      readFileSync(join(releaseFolderOf(shop.tools.folder, release), "app/index.html"), "utf8"),
      "<h1>hi</h1>",
    );
  });

  test("may be made by its build command", async () => {
    await using shop = await testWorkshop();
    const files = {
      "README.md": readme(
        "sdk: static",
        "app_build_command: mkdir dist && echo made > dist/index.html",
        "static_folder: dist",
      ),
    };
    const { release } = built((await shop.build(files)).outcome);
    assert.equal(
      readFileSync(join(releaseFolderOf(shop.tools.folder, release), "app/dist/index.html"), "utf8"),
      "made\n",
    );
  });

  test("begins with the page that app_file names, whose folder is served", async () => {
    await using shop = await testWorkshop();
    const of = async (...lines: readonly string[]): Promise<readonly unknown[]> => {
      const { outcome } = await shop.build({ "README.md": readme("sdk: static", ...lines), "site/page.html": "" });
      if (!outcome.ok) return [outcome.code, outcome.says];
      const manifest = await readRelease(shop.tools.folder, outcome.release);
      return [manifest?.staticFolder, manifest?.startPage];
    };
    assert.deepEqual(await of("app_file: site/page.html"), ["site", "page.html"]);
    assert.deepEqual(await of("app_file: site/page.html", "static_folder: ./"), ["site", "page.html"]);
    const [code, says] = await of("app_file: page.html", "static_folder: site");
    assert.equal(code, "build/config-invalid");
    assert.match(String(says), /^app_file is page\.html, which is not in site/);
  });

  test("without index.html is refused with where it was looked for", async () => {
    await using shop = await testWorkshop();
    const { outcome } = await shop.build({
      "README.md": readme("sdk: static", "static_folder: site"),
      "index.html": "",
    });
    assert.deepEqual([failed(outcome).code, failed(outcome).step], ["build/config-invalid", "check"]);
    assert.match(failed(outcome).says, /there is no site\/index\.html/);
  });

  test("whose folder is made to lead out of the app is refused", async () => {
    await using shop = await testWorkshop();
    const files = {
      "README.md": readme(
        "sdk: static",
        "app_build_command: mkdir ../tmp/x && touch ../tmp/x/index.html && ln -s ../tmp/x dist",
        "static_folder: dist",
      ),
    };
    assert.match(failed((await shop.build(files)).outcome).says, /leads out of the app's folder/);
  });
});

test("a commit that cannot be read is the platform's fault, not the app's", async () => {
  await using shop = await testWorkshop();
  const source = { checkout: async () => assert.fail("disk gone") };
  const { outcome } = await shop.build({ "README.md": readme("sdk: static"), "index.html": "" }, { tools: { source } });
  assert.deepEqual([failed(outcome).code, failed(outcome).step], ["build/fetch-failed", "fetch"]);
});
