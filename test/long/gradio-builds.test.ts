/** Builds of Gradio Spaces with the real uv and the real index: what each kind of requirements file comes to. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { BuildOutcome } from "../../src/build/builder.ts";
import { readRelease } from "../../src/build/release.ts";
import { testWorkshop, type Files, type TestBuild, type TestWorkshop } from "../support/commits.ts";
import { needs, programOnPath } from "../support/needs.ts";

const { skip } = await needs("gradio");
const sixHash = "4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274";
const newest = "python_version: '3.10'";
const buildMs = 900_000;
const python = {
  versions: [join(homedir(), ".pyenv", "versions")],
  toolsFolder: process.env["WAYBILL_TOOLS"] ?? join(homedir(), ".cache", "waybill"),
};

describe("a Gradio Space's requirements", { skip }, () => {
  let shop: TestWorkshop;
  const env = Object.fromEntries(
    ["SSL_CERT_FILE", "SSL_CERT_DIR", "PIP_CERT", "PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX"].flatMap((name) =>
      process.env[name] === undefined ? [] : [[name, process.env[name]]],
    ),
  );

  before(async () => {
    shop = await testWorkshop();
  });
  after(async () => {
    await shop[Symbol.asyncDispose]();
  });

  const build = (files: Files, settings = `sdk_version: 6.31.0\n${newest}`): Promise<TestBuild> =>
    shop.build(
      { "README.md": `---\nsdk: gradio\n${settings}\n---\n`, "app.py": "import gradio\n", ...files },
      { limitMs: buildMs, tools: { python, env } },
    );
  async function refused(files: Files, settings?: string): Promise<Extract<BuildOutcome, { ok: false }>> {
    const { outcome } = await build(files, settings);
    assert.ok(!outcome.ok, "it was built");
    return outcome;
  }
  async function environmentOf({ outcome, log }: TestBuild): Promise<string> {
    assert.ok(outcome.ok, log);
    return (await readRelease(shop.tools.folder, outcome.release))?.needs?.[0] ?? "";
  }

  test("that name a version which does not exist fail with its line first", async () => {
    const { code, step, because } = await refused({ "requirements.txt": "numpy\n\n# the model\ntorch==9.9.9\n" });
    assert.deepEqual(
      [code, step, because[0]],
      ["build/step-failed", "resolve", "requirements.txt line 4: torch==9.9.9"],
    );
    assert.match(because.join("\n"), /there is no version of torch==9\.9\.9/);
  });

  test("that include a file fail with its line, or with the line that includes one which is not there", async () => {
    const more = await refused({ "requirements.txt": "-r base/more.txt\n", "base/more.txt": "six\ntorch==9.9.9\n" });
    assert.equal(more.because[0], "base/more.txt line 2: torch==9.9.9");
    const none = await refused({ "requirements.txt": "six\n-r none.txt\n" });
    assert.deepEqual(
      [none.code, none.says],
      ["build/config-invalid", "requirements.txt line 2: the commit has no file none.txt"],
    );
  });

  test("that are fetched by git from where nothing answers fail with their line", async () => {
    const { because } = await refused({ "requirements.txt": "six\ngit+https://git.invalid/a/b.git@main\n" });
    assert.equal(because[0], "requirements.txt line 2: git+https://git.invalid/a/b.git@main");
  });

  test("that contradict each other fail with both lines", async () => {
    const { because } = await refused({ "requirements.txt": "numpy==1.26.4  # old\nnumpy>=2\n" });
    assert.deepEqual(because.slice(0, 2), [
      "requirements.txt line 1: numpy==1.26.4",
      "requirements.txt line 2: numpy>=2",
    ]);
  });

  test("that contradict sdk_version are told so, with both", async () => {
    const { code, says, because } = await refused({ "requirements.txt": "numpy\ngradio[oauth]<6\n" });
    assert.equal(code, "build/config-invalid");
    assert.equal(says, "requirements.txt line 2: gradio[oauth]<6 contradicts sdk_version 6.31.0 in README.md");
    assert.deepEqual(because.slice(0, 2), [
      "requirements.txt line 2: gradio[oauth]<6",
      "README.md: sdk_version is 6.31.0",
    ]);
  });

  test("an sdk_version that never was, or that the Python is too old for, is told before anything is resolved", async () => {
    const never = await refused({}, `sdk_version: 6.999.0\n${newest}`);
    assert.deepEqual(
      [never.code, never.says],
      ["build/config-invalid", "README.md: sdk_version is 6.999.0, and there is no such version of gradio"],
    );
    const old = await refused({}, "sdk_version: 6.31.0\npython_version: 3.9");
    if (old.code === "build/no-builder") return; // This machine has no such Python, and says so.
    assert.match(old.says, /^gradio 6\.31\.0 \(README\.md: sdk_version\) does not run on Python 3\.9\./);
  });

  test("that are neither UTF-8 nor marked as something else are refused with the line", async () => {
    const latin1 = Buffer.from("numpy\n# café\n", "latin1");
    const { code, says } = await refused({ "requirements.txt": latin1 });
    assert.deepEqual([code, says], ["build/config-invalid", "requirements.txt line 2 is not UTF-8"]);
  });

  test("with a hash that no file of the index has are refused", async () => {
    const { code, because } = await refused({ "requirements.txt": `six==1.17.0 --hash=sha256:${"0".repeat(64)}\n` });
    assert.deepEqual([code, because[0]], ["build/config-invalid", "requirements.txt line 1: six==1.17.0"]);
  });

  test("of which one cannot be built fail with the compiler's last words", async () => {
    const setup = "import sys; sys.exit('this package needs a compiler that is not here')\n";
    const { code, because } = await refused({ "requirements.txt": "./native\n", "native/setup.py": setup });
    assert.equal(code, "build/step-failed");
    assert.ok(because.includes("this package needs a compiler that is not here"), because.join("\n"));
  });

  test("that are a folder of the app are resolved anew by each build: what the folder asks for may have changed", async () => {
    const near = (needs: string): Files => ({
      "requirements.txt": "near @ ./near\n",
      "near/setup.py": `from setuptools import setup\nsetup(name="near", version="1", py_modules=[], install_requires=[${needs}])\n`,
    });
    const one = await environmentOf(await build(near("")));
    const two = await environmentOf(await build(near('"six==1.16.0"')));
    const packagesOf = (environment: string): string[] =>
      readdirSync(join(environment, "lib", "python3.10", "site-packages")).filter((name) => name.startsWith("six"));
    assert.deepEqual(packagesOf(two).toSorted(), ["six-1.16.0.dist-info", "six.py"]);
    assert.notDeepEqual(packagesOf(one), packagesOf(two));
  });

  test("in UTF-16, in pre-requirements.txt, with hashes and without an sdk_version are installed; one owner's environments share their files", async () => {
    const utf16 = Buffer.from("\uFEFFsix==1.16.0\r\n", "utf16le");
    const first = await build({ "requirements.txt": utf16 });
    const files = {
      "pre-requirements.txt": `six==1.17.0 \\\n  --hash=sha256:${sixHash}\n`,
      "packages.txt": "ffmpeg\n",
    };
    const second = await build(files, newest);
    assert.match(second.log, /^packages\.txt is not read: without a sandbox /m);
    assert.match(second.log, /^sdk gradio of no sdk_version, so the newest that the requirements allow$/m);
    const [one, two] = [await environmentOf(first), await environmentOf(second)];
    assert.notEqual(one, two);
    const large = "lib/python3.10/site-packages/numpy/_core/_multiarray_umath.cpython-310-x86_64-linux-gnu.so";
    const native = statSync(join(one, large), { throwIfNoEntry: false });
    // Another kind of machine names its libraries otherwise; every one has this file.
    const shared = native === undefined ? "lib/python3.10/site-packages/numpy/__init__.py" : large;
    assert.equal(statSync(join(one, shared)).ino, statSync(join(two, shared)).ino, shared);
    assert.ok(statSync(join(one, shared)).nlink >= 3, "the cache, and both environments");

    const compiledIn = (folder: string): boolean =>
      existsSync(join(one, "lib/python3.10/site-packages", folder, "__pycache__", "__init__.cpython-310.pyc"));
    assert.deepEqual(["numpy", "pandas/core", "numpy/tests"].map(compiledIn), [true, true, false], "all but tests");

    const again = await build({ ...files, "app.py": "import gradio, six\n" }, newest);
    assert.match(again.log, /^nothing to install: the environment of these packages is there$/m);
    assert.equal(await environmentOf(again), two);
  });

  test("are those of pyproject.toml where there is no requirements.txt, and those of its uv.lock to the version", async () => {
    const project = '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = ["six<1.17"]\n';
    const first = await build({ "pyproject.toml": project }, newest);
    const sixIn = (environment: string): string | undefined =>
      readdirSync(join(environment, "lib", "python3.10", "site-packages")).find((name) => name.startsWith("six-"));
    assert.equal(sixIn(await environmentOf(first)), "six-1.16.0.dist-info");
    const lock = lockOf(project, "six==1.15.0");
    const locked = await build({ "pyproject.toml": project, "uv.lock": lock }, newest);
    assert.equal(sixIn(await environmentOf(locked)), "six-1.15.0.dist-info", locked.log);
    const again = await build({ "pyproject.toml": project, "uv.lock": lock, "app.py": "import gradio, six\n" }, newest);
    assert.match(again.log, /^nothing to install: /m);
    const poetry = await refused({ "pyproject.toml": '[tool.poetry.dependencies]\nsix = "*"\n' }, newest);
    assert.match(
      poetry.says,
      /^pyproject\.toml names its packages for poetry, which is not here: write them into \[project\]/,
    );
  });

  test("with an index of their own get the best version that any index has, as with pip", async () => {
    await using index = await listen('<a href="six-0.0.1-py3-none-any.whl">six-0.0.1-py3-none-any.whl</a>');
    const { log } = await build({ "requirements.txt": `--extra-index-url ${index.url}\nsix==1.17.0\n` }, newest);
    assert.ok(index.asked.includes("/simple/six/"), index.asked.join(" "));
    assert.match(log, /^\d+ packages resolved; /m);
  });
});

/** A uv.lock of a project, in which one package has the version that is wanted. */
function lockOf(project: string, wanted: string): string {
  const folder = mkdtempSync(join(tmpdir(), "wb-uv-"));
  try {
    writeFileSync(join(folder, "pyproject.toml"), project);
    const uv = programOnPath(["uv"]) ?? join(python.toolsFolder, "uv", "bin", "uv");
    const { status, stderr } = spawnSync(uv, ["lock", "--quiet", "--upgrade-package", wanted], {
      cwd: folder,
      encoding: "utf8",
    });
    assert.equal(status, 0, stderr);
    return readFileSync(join(folder, "uv.lock"), "utf8");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A package index whose every package has only this file. */
async function listen(
  link: string,
): Promise<AsyncDisposable & { readonly url: string; readonly asked: readonly string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    if (request.url === "/simple/six/")
      response.setHeader("content-type", "text/html").end(`<html><body>${link}</body></html>`);
    else response.writeHead(404).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/simple`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
