import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, test } from "node:test";
import { commitBytes, ControlWorld, replica } from "./control.suite.ts";

const author = "alice";
const commit = (world: ControlWorld, name: string, files: Readonly<Record<string, string>>) =>
  world.commits.commit({ owner: "alice", name, bytes: commitBytes(files), author });

describe("a commit", () => {
  test("starts a build; the same again is that build while it goes on", async () => {
    await using world = await ControlWorld.open();
    const first = await commit(world, "demo", { "README.md": "1" });
    assert.ok(first.ok && first.build !== null);
    const again = await commit(world, "demo", { "README.md": "1" });
    assert.ok(again.ok);
    assert.deepEqual([again.commit, again.build, again.noBuild], [first.commit, first.build, null]);
  });

  test("on another branch, and one that the branch has gone past, start none, and say so under an id of their own", async () => {
    await using world = await ControlWorld.open();
    const first = await commit(world, "demo", { "README.md": "1" });
    assert.ok(first.ok);
    const landed = { space: "alice/demo", branch: "main", head: first.commit, changed: true, account: author };
    const none = async (change: Partial<typeof landed>) =>
      (await world.commits.landed({ ...landed, commit: first.commit, ...change })).noBuild;
    const noBuilds = [await none({ branch: "dev" }), await none({ head: "c2" })];
    assert.deepEqual(
      noBuilds.map((no) => no?.why),
      ["wrong-branch", "superseded"],
    );
    for (const no of noBuilds) {
      const entry = world.drafts.find(({ work }) => work === no?.id);
      assert.deepEqual([entry?.hop, entry?.mark, entry?.facts["noBuild"]], ["build.request", "done", no?.why]);
    }
    assert.equal(await none({}), null);
  });

  test("whose SDK no builder serves says so in its build's first line, with those that are served", async () => {
    await using world = await ControlWorld.open();
    await world.node();
    const done = await commit(world, "demo", { "README.md": "---\nsdk: gradio\n---\n" });
    assert.ok(done.ok && done.build !== null);
    const [first] = (await world.builds.log(done.build)).read(1, 1).lines;
    assert.match(first?.text ?? "", /^queued 1st of 1, no builder serves sdk gradio; here are node; gives up at /);
  });

  test("that main is moved back to is built although it was built before, once", async () => {
    await using world = await ControlWorld.open();
    const one = await commit(world, "demo", { "README.md": "1" });
    const two = await commit(world, "demo", { "README.md": "2" });
    assert.ok(one.ok && two.ok);
    const repository = world.repositories.repositoryOf("alice/demo");
    execFileSync("git", ["-C", repository, "update-ref", "refs/heads/main", one.commit]);
    await world.commits.catchUp("alice/demo", author);
    await world.commits.recover(new AbortController().signal);
    const builds = await world.catalog.builds.list("alice/demo", 10);
    assert.deepEqual(
      builds.map((build) => build.commit),
      [one.commit, two.commit, one.commit],
    );
  });

  test("that came while the Space was paused is built by the restart that lifts the pause", async () => {
    await using world = await ControlWorld.open();
    const one = await commit(world, "demo", { "README.md": "1" });
    await world.release("rel_1", 1);
    await world.node([replica("p_1", "ready")]);
    const actor = { kind: "owner", account: "alice" } as const;
    await world.spaces.pause("alice/demo", { actor, by: "owner", why: null });
    const two = await commit(world, "demo", { "README.md": "2" });
    assert.ok(one.ok && two.ok);
    assert.equal(two.noBuild?.why, "paused");
    assert.deepEqual(await world.server.restart("alice/demo", { factory: false, actor }), { ok: true });
    const [newest] = await world.catalog.builds.list("alice/demo", 1);
    assert.equal(newest?.commit, two.commit);
  });

  test("that finds no room is refused with a code before anything is stored", async () => {
    await using world = await ControlWorld.open();
    for (const name of ["a", "b", "c"]) assert.ok((await commit(world, name, { "README.md": "1" })).ok);
    const refused = await commit(world, "d", { "README.md": "1" });
    assert.ok(!refused.ok);
    assert.equal(refused.code, "build/queue-full");
    assert.match(refused.says, /^3 builds of this owner wait, and no more may\. Nothing was stored\.$/);
    assert.equal(world.spaces.get("alice/d"), undefined);
    const entry = world.drafts.find(({ work }) => work === refused.waybill);
    assert.deepEqual([entry?.mark, entry?.facts["code"]], ["refused", "build/queue-full"]);
  });
});
