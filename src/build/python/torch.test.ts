import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { packagesIn, readTorch as read } from "./torch.ts";
import type { TorchFacts } from "../runtime-contract.ts";

const archs = "sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90";

describe("reading an environment's torch", () => {
  let environment: string;
  let torch: string;
  beforeEach(() => {
    environment = mkdtempSync(join(tmpdir(), "waybill-torch-"));
    torch = join(environment, "lib", "python3.10", "site-packages", "torch");
    mkdirSync(join(torch, "lib"), { recursive: true });
  });
  afterEach(() => rmSync(environment, { recursive: true }));

  const readTorch = async (root: string): Promise<TorchFacts | null> => read((await packagesIn(root))[0] ?? "", root);
  const write = (version: string, library?: Buffer): void => {
    writeFileSync(join(torch, "version.py"), version);
    if (library) writeFileSync(join(torch, "lib", "libtorch_python.so"), library);
  };
  /** Text as C keeps it, `before` bytes into a file of other things. */
  const library = (before: number, ...texts: string[]): Buffer =>
    Buffer.concat([
      Buffer.alloc(before, 0xa5),
      ...texts.map((text) => Buffer.from(`\0${text}\0`)),
      Buffer.alloc(999, 0x5a),
    ]);

  test("tells its version, its CUDA and the list that was compiled in", async () => {
    write(
      "__version__ = '2.1.2+cu121'\ndebug = False\ncuda = '12.1'\nhip = None\n",
      library(5_000_000, "sm_90", archs),
    );
    assert.deepEqual(await readTorch(environment), { version: "2.1.2+cu121", cuda: "12.1", archs: archs.split(" ") });
  });

  test("also where the file says types, as newer ones do", async () => {
    write(
      "from typing import Optional\n\n__all__ = ['cuda']\n__version__ = '2.9.0+cu130'\ncuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n",
      library(10, "sm_90 compute_90"),
    );
    assert.deepEqual(await readTorch(environment), {
      version: "2.9.0+cu130",
      cuda: "13.0",
      archs: ["sm_90", "compute_90"],
    });
  });

  for (const before of [(1 << 20) - 30, (1 << 20) - 1, 1 << 20, (2 << 20) + 1_000])
    test(`finds the list wherever it lies: ${before} bytes into the file`, async () => {
      write("__version__ = '2.1.2'\ncuda = '12.1'\n", library(before, archs));
      assert.deepEqual((await readTorch(environment))?.archs, archs.split(" "));
    });

  test("a build without CUDA has no list, whatever lies there", async () => {
    write("__version__ = '2.1.2'\ndebug = False\ncuda = None\nhip = None\n", library(10, archs));
    assert.deepEqual(await readTorch(environment), { version: "2.1.2", cuda: null, archs: [] });
  });

  test("a list that is not there is told as none", async () => {
    write("__version__ = '2.1.2'\ncuda = '12.1'\n", library(10, "compute_at", "sm_", "compute_inline"));
    assert.deepEqual((await readTorch(environment))?.archs, []);
  });

  test("no torch is no torch", async () => {
    rmSync(torch, { recursive: true });
    assert.equal(await readTorch(environment), null);
  });

  test("a link is not followed, and a pipe is not waited for: packages choose what lies there", async () => {
    writeFileSync(join(environment, "secret"), "__version__ = '1'\ncuda = '1.0'\n");
    symlinkSync(join(environment, "secret"), join(torch, "version.py"));
    assert.equal(await readTorch(environment), null);
    rmSync(join(torch, "version.py"));
    execFileSync("mkfifo", [join(torch, "version.py")]);
    assert.equal(await readTorch(environment), null);
  });
});
