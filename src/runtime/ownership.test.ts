import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { giveTree } from "./ownership.ts";

const isRoot = process.getuid?.() === 0;
const uid = 65_533;

describe("giveTree", { skip: isRoot ? false : "only root gives files away" }, () => {
  test("gives a folder and what is in it, and nothing that a link in it or in its place leads to", async () => {
    const folder = await mkdtemp(join(tmpdir(), "wb-give-"));
    try {
      await mkdir(join(folder, "other"));
      await mkdir(join(folder, "given"));
      await writeFile(join(folder, "given", "a"), "");
      await symlink("../other", join(folder, "given", "out"));
      await symlink("other", join(folder, "instead"));
      await giveTree(join(folder, "given"), uid);
      await assert.rejects(giveTree(join(folder, "instead"), uid), /is no folder/);
      const owners = [];
      for (const name of ["given", "given/a", "other"]) owners.push((await stat(join(folder, name))).uid);
      assert.deepEqual(owners, [uid, uid, 0]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
