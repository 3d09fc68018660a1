import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { completeMark, sweepEnvironments } from "./environments.ts";

async function builder(environments: number, inUse: readonly number[]) {
  const folder = await mkdtemp(join(tmpdir(), "wb-envs-"));
  const envs = join(folder, "owners", "alice", "envs");
  for (let i = 0; i < environments; i++) {
    await mkdir(join(envs, `e${i}`, "bin"), { recursive: true });
    await writeFile(join(envs, `e${i}${completeMark}`), "");
    await utimes(join(envs, `e${i}${completeMark}`), i, i);
  }
  const release = join(folder, "releases", "rel_abcdefghjkmnpqrs");
  await mkdir(release, { recursive: true });
  await writeFile(join(release, "release.json"), JSON.stringify({ needs: inUse.map((i) => join(envs, `e${i}`)) }));
  return {
    envs,
    sweep: () => sweepEnvironments(envs, folder, join(envs, "e1")),
    left: async () => (await readdir(envs)).filter((name) => !name.endsWith(completeMark)).sort(),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

test("environments that no release names go, the oldest first; those in use, the one being made and the newest three stay", async () => {
  await using one = await builder(8, [0, 3]);
  assert.deepEqual((await one.sweep()).toSorted(), ["e2", "e4"]);
  assert.deepEqual(await one.left(), ["e0", "e1", "e3", "e5", "e6", "e7"]);
  assert.deepEqual(await one.sweep(), []);
});

test("an environment that was cut off goes before complete ones", async () => {
  await using one = await builder(6, []);
  await rm(join(one.envs, `e5${completeMark}`));
  assert.deepEqual((await one.sweep()).toSorted(), ["e0", "e5"]);
});

test("many are removed over several builds", async () => {
  await using one = await builder(20, []);
  assert.equal((await one.sweep()).length, 8);
  assert.equal((await one.sweep()).length, 8);
  assert.deepEqual(await one.left(), ["e1", "e17", "e18", "e19"]);
});
