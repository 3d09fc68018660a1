import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { readCudaCode, type CudaCode, type Source } from "./code.ts";
import { libraryBytes, writeLibrary, type MadeLibrary } from "./library.suite.ts";

describe("the code for cards in a shared object", () => {
  let folder: string;
  before(() => (folder = mkdtempSync(join(tmpdir(), "waybill-cuda-"))));
  after(() => rmSync(folder, { recursive: true }));

  async function read(bytes: Uint8Array, signal?: AbortSignal): Promise<CudaCode | null> {
    const path = join(folder, "library.so");
    writeFileSync(path, bytes);
    await using file = await open(path);
    return await readCudaCode(file, signal);
  }
  const made = (library: MadeLibrary): Promise<CudaCode | null> => read(libraryBytes(library));

  test("is told of Ada, Hopper and Blackwell, of one card only, of a family, and as PTX", async () => {
    const archs = [
      "sm_89",
      "sm_90",
      "sm_90a",
      "sm_100a",
      "sm_100f",
      "sm_120",
      "compute_90",
      "compute_90a",
      "compute_100f",
    ];
    assert.deepEqual((await made({ containers: [archs.toReversed()] }))?.archs, archs);
  });

  test("is that of all containers together, each once", async () => {
    const containers = [["sm_80", "compute_80"], ["sm_80", "sm_90a"], ["sm_75"]];
    assert.deepEqual((await made({ containers }))?.archs, ["sm_75", "sm_80", "sm_90a", "compute_80"]);
  });

  test("tells its CUDA by its PTX, else by the runtime that it is linked with", async () => {
    const cuda = async (library: Omit<MadeLibrary, "containers">, arch = "compute_80"): Promise<unknown> =>
      (await made({ containers: [[arch]], ...library }))?.cuda;
    assert.equal(await cuda({ isa: "8.7", needed: ["libcudart.so.12"] }), "12.8");
    assert.equal(
      await cuda({ isa: "9.9", needed: ["libtorch.so", "libcudart.so.13"] }),
      "13",
      "PTX of no known version",
    );
    assert.equal(await cuda({ needed: ["libcudart.so.12"] }, "sm_80"), "12");
    assert.equal(await cuda({ needed: ["libcudart-d0da41ae.so.11.0"] }, "sm_80"), "11", "as it is in a repaired wheel");
    assert.equal(await cuda({}, "sm_80"), null);
  });

  test("is null where there is none, and in what is no library", async () => {
    assert.equal(await made({ containers: [] }), null);
    assert.equal(await read(Buffer.from("#!/bin/sh\n")), null);
    assert.equal(await read(Buffer.alloc(0)), null);
    const bits32 = libraryBytes({ containers: [["sm_90"]] });
    bits32[4] = 1;
    assert.equal(await read(bits32), null);
  });

  test("that is damaged ends the reading and breaks nothing, wherever it is cut or overwritten", async () => {
    const whole = libraryBytes({
      containers: [
        ["sm_80", "sm_90"],
        ["sm_90", "compute_90"],
      ],
      needed: ["libcudart.so.12"],
    });
    for (let length = 0; length < whole.length; length += 7) await read(whole.subarray(0, length));
    for (let at = 0; at + 8 < whole.length; at += 3) {
      const broken = Buffer.from(whole);
      broken.fill(0xff, at, at + 8);
      await read(broken);
    }
  });

  test("after a gap in the section is found", async () => {
    const bytes = libraryBytes({ containers: [["sm_80"], ["sm_90"], ["sm_120"]], codeBytes: 128 });
    bytes.fill(0, 64 + 16 + 64 + 128, 64 + 2 * (16 + 64 + 128)); // the second container
    assert.deepEqual((await read(bytes))?.archs, ["sm_80", "sm_120"]);
  });

  test("of two gigabytes is read by its headers alone", async () => {
    const path = join(folder, "large.so");
    const archs = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"];
    // As many containers as libtorch_cuda.so has.
    const size = writeLibrary(path, { containers: Array.from({ length: 1_500 }, () => archs), codeBytes: 240_000 });
    assert.ok(size > 2e9, String(size));
    await using file = await open(path);
    let bytes = 0;
    const counting: Source = {
      async read(...args) {
        const result = await file.read(...args);
        bytes += result.bytesRead;
        return result;
      },
    };
    assert.deepEqual((await readCudaCode(counting))?.archs, archs);
    assert.ok(bytes < 2 << 20, `${bytes} bytes were read`);
  });

  test("is given up when its time is over", async () => {
    await assert.rejects(read(libraryBytes({ containers: [["sm_90"]] }), AbortSignal.abort(new Error("late"))), /late/);
  });
});
