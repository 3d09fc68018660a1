import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { BuildSpec } from "../../contract/agent.ts";
import type { RuntimeFacts } from "../../contract/release.ts";
import { durationMs } from "../../stdx/time.ts";
import { libraryBytes } from "../cuda/library.suite.ts";
import { checkImagePackages, findPackages } from "./image-packages.ts";

const ada = { name: "NVIDIA L4", simulated: false, computeCapability: "8.9", driver: "550.54.14" };
const conda = "opt/conda/lib/python3.10/site-packages";
const usual = "usr/local/lib/python3.11/site-packages";

describe("the packages of an unpacked image", () => {
  let root: string;
  beforeEach(() => void (root = mkdtempSync(join(tmpdir(), "waybill-image-"))));
  afterEach(() => rmSync(root, { recursive: true }));

  function put(path: string, content: string | Uint8Array): void {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }

  function putTorch(folder: string, cuda: string, archs: string): void {
    put(`${folder}/torch/version.py`, `__version__ = '2.6.0'\ncuda = '${cuda}'\n`);
    put(`${folder}/torch/lib/libtorch_python.so`, `\0${archs}\0`);
  }

  async function check(
    argv = ["python", "app.py"],
  ): Promise<{ readonly log: string; readonly runtime: RuntimeFacts | undefined }> {
    const notes: string[] = [];
    const spec: BuildSpec = {
      ...{ build: "b_1", space: "a/b", commit: "0", repository: "", limitMs: durationMs(1), cards: [ada] },
    };
    const shop = { spec, note: (text: string) => void notes.push(text) };
    const runtime = await checkImagePackages(shop, root, { argv, workdir: "/app" });
    return { log: notes.join("\n"), runtime };
  }

  test("are found whatever Python they are for, Debian's, conda's and an environment's in somebody's home", async () => {
    const folders = [usual, conda, "usr/lib/python3/dist-packages", "home/user/app/.venv/lib/python3.12/site-packages"];
    for (const folder of folders) mkdirSync(join(root, folder), { recursive: true });
    const found = await findPackages(root);
    assert.deepEqual(found.folders.toSorted(), folders.map((folder) => join(root, folder)).toSorted());
    assert.equal(found.cut, false);
  });

  test("that no card can run are a warning with package and card, and are kept with the release", async () => {
    putTorch(usual, "12.8", "sm_100 sm_120");
    put(`${usual}/gradio-6.31.0.dist-info/RECORD`, "");
    const { log, runtime } = await check();
    assert.match(log, /^Python packages are in \/usr\/local\/lib\/python3\.11\/site-packages$/m);
    assert.match(log, /^warning: torch 2\.6\.0, CUDA 12\.8, .* has no code for NVIDIA L4, .* refused \(runtime\/arch/m);
    assert.deepEqual([runtime?.python, runtime?.gradio, runtime?.spaces], ["3.11", "6.31.0", null]);
    assert.deepEqual(runtime?.torch, { version: "2.6.0", cuda: "12.8", archs: ["sm_100", "sm_120"] });
  });

  test("of two torches the one that fits counts: which of them the app begins in is not known", async () => {
    putTorch(usual, "12.8", "sm_120");
    putTorch(conda, "12.4", "sm_86");
    const { log, runtime } = await check();
    assert.doesNotMatch(log, /warning/);
    assert.deepEqual([runtime?.torch?.archs, runtime?.python], [["sm_86"], "3.10, 3.11"]);
  });

  test("conda's are read by conda's own records, and its toolkit is not compared", async () => {
    const files = [`lib/python3.10/site-packages/flash_attn/_C.so`, "lib/libcublas.so.12"];
    for (const file of files) put(`opt/conda/${file}`, libraryBytes({ containers: [["sm_90"]] }));
    const record = { name: "flash-attn", version: "2.6.3", build: "py310_cuda12.4_0", files };
    put("opt/conda/conda-meta/flash-attn-2.6.3-0.json", JSON.stringify(record));
    put("opt/conda/conda-meta/broken.json", "{");
    const { log, runtime } = await check();
    const found = { name: "flash-attn", version: "2.6.3", cuda: "12.4", archs: ["sm_90"] };
    assert.deepEqual(runtime?.packages, [found]);
    assert.match(log, /^warning: flash-attn 2\.6\.3, .* has no code for NVIDIA L4/m);
  });

  test("a link out of the image is not followed, for folders, packages or their objects, and a pipe is not waited for", async () => {
    const outside = mkdtempSync(join(tmpdir(), "waybill-host-"));
    mkdirSync(join(outside, "site-packages"));
    writeFileSync(join(outside, "secret.so"), libraryBytes({ containers: [["sm_90"]] }));
    writeFileSync(join(outside, "version.py"), "__version__ = '1'\ncuda = '12.8'\n");
    mkdirSync(join(root, usual, "torch"), { recursive: true });
    symlinkSync(outside, join(root, "linked"));
    symlinkSync(join(outside, "version.py"), join(root, usual, "torch/version.py"));
    put(
      `${usual}/a-1.dist-info/RECORD`,
      `../../../../../../${outside.slice(1)}/secret.so,,\nlink/secret.so,,\npipe.so,,\n`,
    );
    symlinkSync(outside, join(root, usual, "link"));
    execFileSync("mkfifo", [join(root, usual, "pipe.so")]);
    symlinkSync(outside, join(root, "usr/local/conda-meta"));
    const { log, runtime } = await check();
    assert.equal(log, `Python packages are in /${usual}`);
    assert.deepEqual([runtime?.torch, runtime?.packages, runtime?.warnings], [null, [], []]);
    rmSync(outside, { recursive: true });
  });

  test("a walk that takes too long ends, and that is said", async () => {
    mkdirSync(join(root, usual), { recursive: true });
    assert.equal((await findPackages(root, AbortSignal.abort())).cut, true);
  });

  test("a coroutine under the GPU decorator is named with its line, in the file that the command or a server begins with", async () => {
    mkdirSync(join(root, usual), { recursive: true });
    put(
      "app/app.py",
      "import spaces\n\n@spaces.GPU(duration=5)\n@other\nasync def draw():\n    ...\n\nasync def fine():\n    ...\n",
    );
    const says = /^warning: app\.py line 5: async def draw stands under the GPU decorator/m;
    for (const argv of [
      ["python", "app.py"],
      ["uvicorn", "app:app"],
      ["sh", "-c", "exec python3 /app/app.py"],
    ]) {
      const { log } = await check(argv);
      assert.match(log.replace("/app/app.py", "app.py"), says);
      assert.doesNotMatch(log, /fine/);
    }
  });

  test("an image without Python says nothing", async () => {
    put("usr/bin/app", "");
    assert.deepEqual(await check(["/usr/bin/app"]), { log: "", runtime: undefined });
  });
});
