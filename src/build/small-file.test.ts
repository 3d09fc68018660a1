import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readSmall } from "./small-file.ts";

async function appFolder() {
  const folder = await mkdtemp(join(tmpdir(), "wb-small-"));
  const app = join(folder, "app");
  await mkdir(join(app, "deps"), { recursive: true });
  await writeFile(join(app, "deps", "all.txt"), "gradio");
  await writeFile(join(folder, "secret"), "KEY=value");
  return { folder, app, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

describe("readSmall", () => {
  test("reads a file of the app's, also by a link within it; what is not there, or no file, is nothing", async () => {
    await using one = await appFolder();
    await symlink("deps/all.txt", join(one.app, "requirements.txt"));
    assert.equal(await readSmall(one.app, "requirements.txt"), "gradio");
    assert.equal(await readSmall(one.app, "deps"), undefined);
    assert.equal(await readSmall(one.app, "pyproject.toml"), undefined);
  });

  test("reads nothing through a link that leaves the app, by its last part or an earlier one", async () => {
    await using one = await appFolder();
    await symlink("../secret", join(one.app, "requirements.txt"));
    await symlink("..", join(one.app, "up"));
    assert.equal(await readSmall(one.app, "requirements.txt"), undefined);
    assert.equal(await readSmall(one.app, "up/secret"), undefined);
  });

  test("refuses one that is no page of text", async () => {
    await using one = await appFolder();
    await writeFile(join(one.app, "README.md"), Buffer.alloc((1 << 20) + 1));
    await assert.rejects(readSmall(one.app, "README.md"), { code: "build/config-invalid" });
  });
});
