import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { coverOf, hostCommand } from "./stage.ts";

describe("what stands in the way of a Space's own user", () => {
  const closed =
    (...folders: string[]) =>
    (folder: string) =>
      !folders.includes(folder);

  test("nothing, where others may enter every folder above", () => {
    assert.deepEqual(coverOf(["/srv/data/replica"], closed()), { folders: [], binds: [] });
  });

  test("the outermost closed folder is covered, and all below it that is needed is bound back", () => {
    const needs = ["/root/.local/node/replicas/p_1", "/root/python/3.10", "/usr/lib/x"];
    const covered = coverOf(needs, closed("/root", "/root/.local", "/root/.local/node"));
    assert.deepEqual(covered, { folders: ["/root"], binds: ["/root/.local/node/replicas/p_1", "/root/python/3.10"] });
  });

  test("what lies within another needed folder comes back with it", () => {
    const covered = coverOf(["/root/a", "/root/a/b", "/root/ab"], closed("/root"));
    assert.deepEqual(covered.binds, ["/root/a", "/root/ab"]);
  });

  test("an agent that is not root changes no user and covers nothing", () => {
    const command = hostCommand({ hostUid: null, needs: ["/x"], cgroup: null }, ["true"]);
    assert.deepEqual(command, ["unshare", "--user", "--map-root-user", "--net", "--mount", "--", "true"]);
  });
});
