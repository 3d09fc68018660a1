import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { link, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { sweepCaches } from "./caches.ts";

const kib = 1024;

/** An owner's folder with files of 64 KiB, each last read in the year 2100 and so many days. */
async function store(files: Readonly<Record<string, number>>) {
  const folder = await mkdtemp(join(tmpdir(), "wb-caches-"));
  for (const [path, day] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), Buffer.alloc(64 * kib, "x"));
    await utimes(join(folder, path), 4_102_444_800 + day * 86_400, 0);
  }
  return {
    folder,
    sweep: (maxKib: number) => sweepCaches(folder, maxKib * kib),
    left: () => Object.keys(files).filter((path) => existsSync(join(folder, path))),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

describe("an owner's package caches", () => {
  test("lose what was used longest ago, whole entry by whole entry, until they are within their bound", async () => {
    await using one = await store({
      "uv/archive-v0/old/a/METADATA": 1,
      "uv/archive-v0/old/a/lib.so": 1,
      "uv/archive-v0/read/METADATA": 2,
      "uv/archive-v0/read/lib.so": 9,
      "npm/_cacache/content-v2/sha512/aa/bb/one": 3,
      "npm/_cacache/content-v2/sha512/aa/bb/two": 8,
      "npm/yarn/v6/npm-x-1.0.0/package.json": 4,
      "npm/yarn/v6/npm-x-1.0.0/index.js": 4,
    });
    assert.deepEqual(await one.sweep(320), { bytes: 320 * kib, freed: 192 * kib });
    assert.deepEqual(one.left(), [
      "uv/archive-v0/read/METADATA",
      "uv/archive-v0/read/lib.so",
      "npm/_cacache/content-v2/sha512/aa/bb/two",
      "npm/yarn/v6/npm-x-1.0.0/package.json",
      "npm/yarn/v6/npm-x-1.0.0/index.js",
    ]);
    assert.deepEqual(await one.sweep(150), { bytes: 128 * kib, freed: 192 * kib });
    assert.deepEqual(one.left(), ["uv/archive-v0/read/METADATA", "uv/archive-v0/read/lib.so"]);
  });

  test("keep what an environment has too: it would free nothing", async () => {
    await using one = await store({ "uv/archive-v0/linked/lib.so": 1, "uv/archive-v0/alone/lib.so": 2 });
    await mkdir(join(one.folder, "envs"));
    await link(join(one.folder, "uv/archive-v0/linked/lib.so"), join(one.folder, "envs", "lib.so"));
    assert.deepEqual(await one.sweep(0), { bytes: 0, freed: 64 * kib });
    assert.deepEqual(one.left(), ["uv/archive-v0/linked/lib.so"]);
  });

  test("are not looked for behind a link that a command left in their place", async () => {
    await using one = await store({ "envs/python/bin/python": 1, "uv/archive-v0/a/lib.so": 1 });
    await symlink(join(one.folder, "envs"), join(one.folder, "npm"));
    await one.sweep(0);
    assert.deepEqual(one.left(), ["envs/python/bin/python"]);
  });

  test("that are not there have nothing", async () => {
    await using one = await store({});
    assert.deepEqual(await one.sweep(0), { bytes: 0, freed: 0 });
  });
});
