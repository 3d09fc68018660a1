import assert from "node:assert/strict";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createBuilder, type BuildTools } from "./builder.ts";

const id = "rel_abcdefghjkmnpqrs";

test("a release whose environment a later build has made into a link is given to no replica", async () => {
  for (const replaced of [["envs", "e0"], ["envs"]]) {
    const folder = await mkdtemp(join(tmpdir(), "wb-builder-"));
    const owner = join(folder, "owners", "alice");
    await mkdir(join(owner, "envs", "e0"), { recursive: true });
    await mkdir(join(folder, "releases", id), { recursive: true });
    const needs = [join(owner, "envs", "e0"), "/usr"];
    await writeFile(join(folder, "releases", id, "release.json"), JSON.stringify({ needs }));
    const builder = createBuilder({ folder } as BuildTools);
    assert.ok(await builder.release(id));
    await rename(join(owner, ...replaced), join(folder, "elsewhere"));
    await symlink(join(folder, "elsewhere"), join(owner, ...replaced));
    await assert.rejects(builder.release(id), /e0 leads to .*elsewhere.*: a build's command has replaced it/);
    await rm(folder, { recursive: true });
  }
});
