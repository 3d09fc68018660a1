import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { BuildSpec } from "../contract/agent.ts";
import { durationMs } from "../stdx/time.ts";
import { libraryBytes } from "./cuda/library.suite.ts";
import { checkRuntime, type CheckedRuntime } from "./runtime-check.ts";

type Cards = NonNullable<BuildSpec["cards"]>;
const h100 = { name: "NVIDIA H100", simulated: false, computeCapability: "9.0", driver: "535.104.05" };
const gpuApp = "import spaces\n\n@spaces.GPU(duration=5)\ndef draw():\n    return 1\n";

describe("the check of a built environment", () => {
  let environment: string;
  before(() => {
    environment = mkdtempSync(join(tmpdir(), "waybill-check-"));
    mkdirSync(join(environment, "lib", "python3.10", "site-packages"), { recursive: true });
  });
  after(() => rmSync(environment, { recursive: true }));

  /** What the log says of an environment with this torch, or the failure. */
  async function check(
    torch: { cuda: string | null; archs: string } | null,
    cards: Cards,
    program = gpuApp,
  ): Promise<string> {
    return (await checked(torch, cards, program)).log;
  }

  async function checked(
    torch: { cuda: string | null; archs: string } | null,
    cards: Cards,
    program = gpuApp,
    needsCard = true,
  ): Promise<{ log: string; runtime: CheckedRuntime | undefined }> {
    const folder = join(environment, "lib", "python3.10", "site-packages", "torch");
    rmSync(folder, { recursive: true, force: true });
    if (torch) {
      mkdirSync(join(folder, "lib"), { recursive: true });
      const cuda = torch.cuda === null ? "None" : `'${torch.cuda}'`;
      writeFileSync(join(folder, "version.py"), `__version__ = '2.9.0'\ncuda = ${cuda}\n`);
      writeFileSync(join(folder, "lib", "libtorch_python.so"), `\0${torch.archs}\0`);
    }
    const notes: string[] = [];
    const spec = { build: "b_1", space: "a/b", commit: "0", repository: "", limitMs: durationMs(1), cards };
    const shop = { spec, note: (text: string) => void notes.push(text) };
    const folders = [join(environment, "lib", "python3.10", "site-packages")];
    const runtime = await checkRuntime(shop, { root: environment, folders, program, needsCard }).catch(
      (error: Error & { code: string }) => void notes.push(`${error.code}: ${error.message}`),
    );
    return { log: notes.join("\n"), runtime: runtime ?? undefined };
  }

  /** Installs a package with one library; gone after the test. */
  function install(name: string, version: string, archs: string, needed: readonly string[] = []): Disposable {
    const packages = join(environment, "lib", "python3.10", "site-packages");
    const info = join(packages, `${name}-${version}.dist-info`);
    mkdirSync(join(packages, name));
    mkdirSync(info);
    writeFileSync(join(packages, name, "_C.so"), libraryBytes({ containers: [archs.split(" ")], needed }));
    writeFileSync(join(info, "RECORD"), `${name}/__init__.py,,\n${name}/_C.so,sha256=x,99\n`);
    return {
      [Symbol.dispose]: () => {
        for (const one of [join(packages, name), info]) rmSync(one, { recursive: true });
      },
    };
  }

  test("says on how many of the pool's cards it may run", async () => {
    const cards = [h100, { ...h100, computeCapability: "7.0" }];
    assert.equal(
      await check({ cuda: "12.1", archs: "sm_80 sm_90" }, cards),
      "torch 2.9.0, CUDA 12.1, compiled for sm_80 sm_90: it may run on 1 of 2 cards",
    );
  });

  test("fails where that is none, with the card and what would do", async () => {
    assert.match(
      await check({ cuda: "12.8", archs: "sm_100 sm_120" }, [h100]),
      /^runtime\/arch-mismatch: .*no code for NVIDIA H100.*name torch 2\.7 or later of PyTorch's index cu128, which runs there$/m,
    );
    assert.match(
      await check({ cuda: "13.0", archs: "sm_90" }, [h100]),
      /^runtime\/driver-too-old: .*needs a driver of 580\.65\.06 or later, and that of NVIDIA H100 is 535\.104\.05/m,
    );
  });

  test("warns of that where the app may never ask for a card, and says what a call would get", async () => {
    const { log, runtime } = await checked({ cuda: "12.8", archs: "sm_100 sm_120" }, [h100], "", false);
    assert.match(log, /^warning: torch .*no code for NVIDIA H100.*; a call .* refused \(runtime\/arch-mismatch\)$/m);
    assert.deepEqual(runtime?.torch?.archs, ["sm_100", "sm_120"]);
    assert.equal(runtime.warnings.length, 1);
  });

  test("says that nothing was compared where cards are simulated, or none are there", async () => {
    const wheel = { cuda: "13.0", archs: "sm_120" };
    const says = "torch 2.9.0, CUDA 13.0, compiled for sm_120: there are no real cards to compare it with";
    assert.equal(await check(wheel, [{ name: "simulated GPU", simulated: true }]), says);
    assert.equal(await check(wheel, []), says);
  });

  test("warns of a torch without CUDA, where the app has GPU functions and the pool has cards", async () => {
    const cpu = { cuda: null, archs: "" };
    assert.match(await check(cpu, [h100]), /warning: this torch has no CUDA/);
    assert.match(await check(cpu, [h100], "from spaces import GPU\n@GPU\ndef f(): ...\n"), /warning/);
    assert.doesNotMatch(await check(cpu, [h100], "def f(): ...\n"), /warning/);
    assert.doesNotMatch(await check(cpu, [{ ...h100, simulated: true }]), /warning/);
  });

  test("warns of a package beside torch that has no code for the cards, and keeps that with the release", async () => {
    using _package = install("flash_attn", "2.6.3+cu123torch2.4", "sm_120");
    const { log, runtime } = await checked({ cuda: "12.4", archs: "sm_90" }, [h100]);
    const [line = "", ...others] = log.split("\n").slice(1);
    assert.match(
      line,
      /^flash-attn 2\.6\.3\+cu123torch2\.4, CUDA 12\.3, compiled for sm_120: it may run on 0 of 1 card$/,
    );
    assert.match(
      others.join(),
      /^warning: flash-attn .* has no code for NVIDIA H100.*name a flash-attn that was compiled for sm_90/,
    );
    assert.deepEqual(runtime?.warnings, [others.join().replace("warning: ", "")]);
    assert.deepEqual(runtime?.packages, [
      { name: "flash-attn", version: "2.6.3+cu123torch2.4", cuda: "12.3", archs: ["sm_120"] },
    ]);
  });

  test("fails where there is no torch, and nothing of what is there fits", async () => {
    using _package = install("onnxruntime_gpu", "1.20.0", "sm_120", ["libcudart.so.12"]);
    assert.match(
      await check(null, [h100]),
      /^onnxruntime-gpu .* 0 of 1 card\nruntime\/arch-mismatch: onnxruntime-gpu 1\.20\.0, CUDA 12,/,
    );
  });

  test("a library that lies outside of the environment is not read", async () => {
    using _package = install("outside", "1.0", "sm_120");
    const record = join(environment, "lib", "python3.10", "site-packages", "outside-1.0.dist-info", "RECORD");
    const secret = mkdtempSync(join(tmpdir(), "waybill-outside-"));
    writeFileSync(join(secret, "a.so"), libraryBytes({ containers: [["sm_120"]] }));
    writeFileSync(record, `${"../".repeat(20)}${secret.slice(1)}/a.so,,\n`);
    assert.equal(await check(null, [h100]), "");
    rmSync(secret, { recursive: true });
  });

  test("says nothing where there is no torch", async () => assert.equal(await check(null, [h100]), ""));
});
