/** What the table of repositories must do over any database. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SqlRunner } from "../stdx/sql.ts";
import { instant } from "../stdx/time.ts";
import { Catalog } from "./catalog.ts";
import type { RepoRow } from "./repos.ts";
import { settingDefaults } from "./spaces.ts";

const t0 = instant(Date.UTC(2026, 10, 22, 12));
const at = (ms: number) => instant(t0 + ms);
const tiny: RepoRow = {
  ...{ kind: "models", owner: "alice", name: "Tiny", folder: "models/m_1", private: true, gated: "no" },
  ...{ createdAt: t0, createdBy: "alice", changedAt: t0, changedBy: "alice" },
};

export function reposSuite(name: string, openSql: () => Promise<SqlRunner>): void {
  const open = async () => {
    const catalog = await Catalog.open(await openSql(), { wall: () => t0 });
    for (const account of ["alice", "bob"])
      await catalog.accounts.create({ name: account, tier: "free", role: "user", createdAt: t0 });
    return catalog;
  };

  describe(`Repos over ${name}`, () => {
    test("one is made once; a name in other letters is the same, of another kind or owner it is not", async () => {
      const { repos } = await open();
      assert.equal(await repos.create(tiny), true);
      assert.equal(await repos.create({ ...tiny, folder: "models/m_2" }), false);
      assert.equal(await repos.create({ ...tiny, name: "tINY", folder: "models/m_2" }), false);
      assert.equal(await repos.create({ ...tiny, kind: "datasets", folder: "datasets/d_1" }), true);
      assert.equal(await repos.create({ ...tiny, owner: "bob", folder: "models/m_3", createdAt: at(1) }), true);
      assert.deepEqual(
        (await repos.all()).map(({ folder }) => folder),
        ["datasets/d_1", "models/m_1", "models/m_3"],
      );
      assert.deepEqual((await repos.all())[1], tiny);
    });

    test("a folder that was begun is to be removed until its repository is made, and stays so where the name is taken", async () => {
      const { repos } = await open();
      await repos.begin("models/m_1", t0);
      assert.deepEqual(await repos.removals(), ["models/m_1"]);
      await repos.create(tiny);
      assert.deepEqual(await repos.removals(), []);
      await repos.begin("models/m_2", t0);
      await repos.create({ ...tiny, folder: "models/m_2" });
      assert.deepEqual(await repos.removals(), ["models/m_2"]);
    });

    test("a change is of that one alone; a moved one has its folder still", async () => {
      const { repos } = await open();
      await repos.create(tiny);
      await repos.create({ ...tiny, kind: "datasets", folder: "datasets/d_1" });
      assert.equal(await repos.change(tiny, { private: false, changedAt: at(5), changedBy: "bob" }), true);
      assert.equal(await repos.change(tiny, { owner: "bob", name: "other" }), true);
      assert.equal(await repos.change(tiny, { private: true }), false);
      await repos.touch({ ...tiny, owner: "bob", name: "other" }, { at: at(9), by: "alice" });
      const [dataset, model] = await repos.all();
      assert.deepEqual(dataset, { ...tiny, kind: "datasets", folder: "datasets/d_1" });
      assert.deepEqual(model, {
        ...tiny,
        ...{ owner: "bob", name: "other", private: false, changedAt: at(9), changedBy: "alice" },
      });
    });

    test("a name that one had leads to it until it is another's, or the repository is gone; of many the last ones do", async () => {
      const { repos } = await open();
      const named = (name: string) => ({ ...tiny, name });
      const keys = async () => (await repos.aliases()).map(({ key, folder }) => `${key} ${folder}`).toSorted();
      await repos.create(tiny);
      await repos.change(tiny, { name: "TINY", changedAt: at(1) });
      assert.deepEqual(await keys(), [], "the same name in other letters");
      await repos.change(named("TINY"), { owner: "bob", name: "two", changedAt: at(2) });
      await repos.change({ ...tiny, owner: "bob", name: "two" }, { owner: "alice", name: "three", changedAt: at(3) });
      assert.deepEqual(await keys(), ["models/alice/tiny models/m_1", "models/bob/two models/m_1"]);
      await repos.create({ ...tiny, folder: "models/m_2" });
      assert.deepEqual(await keys(), ["models/bob/two models/m_1"], "another has the name");
      await repos.change(named("three"), { owner: "bob", name: "Two", changedAt: at(4) });
      assert.deepEqual(await keys(), ["models/alice/three models/m_1"], "it has its name back");
      for (let n = 0; n < 25; n++)
        await repos.change(n === 0 ? { ...tiny, owner: "bob", name: "Two" } : named(`n${n - 1}`), {
          owner: "alice",
          name: `n${n}`,
          changedAt: at(10 + n),
        });
      const left = await keys();
      assert.equal(left.length, 20);
      assert.ok(left.includes("models/alice/n23 models/m_1") && !left.includes("models/bob/two models/m_1"));
      await repos.remove({ ...named("n24"), folder: "models/m_1" }, at(50));
      assert.deepEqual(await keys(), []);
    });

    test("what is removed is gone at once, its folder is listed until it is off the disk, and its name is free", async () => {
      const { repos } = await open();
      await repos.create(tiny);
      await repos.remove(tiny, at(1));
      assert.deepEqual([await repos.all(), await repos.removals()], [[], ["models/m_1"]]);
      assert.equal(await repos.create({ ...tiny, folder: "models/m_2" }), true);
      await repos.removed("models/m_1");
      assert.deepEqual(await repos.removals(), []);
    });
  });

  describe(`Deleted Spaces over ${name}`, () => {
    test("one is nowhere any more, its secrets are gone, and under its name another is made with its address and nothing else", async () => {
      const { spaces, environments, repos } = await open();
      const made = await spaces.create("alice", "demo", t0, "alice", { private: true, replicas: 3 });
      assert.ok(made.ok);
      await spaces.update("alice/demo", { sdk: "gradio", release: "rel_1", state: "running" });
      const change = {
        kind: "variable",
        space: "alice/demo",
        name: "A",
        action: "set",
        account: "alice",
        at: t0,
      } as const;
      await environments.setVariable(
        { space: "alice/demo", name: "A", value: "1", description: null, updatedAt: t0 },
        change,
      );
      assert.deepEqual(
        [await spaces.wasDeleted("alice/demo", t0), await spaces.wasDeleted("alice/never", t0)],
        [false, false],
      );
      await spaces.remove("alice/demo", at(1));
      assert.equal(await spaces.wasDeleted("alice/demo", t0), true);
      assert.deepEqual(
        [await spaces.get("alice/demo"), await spaces.all(), await environments.variables()],
        [undefined, [], []],
      );
      assert.deepEqual((await spaces.list({ limit: 10 }))?.items, []);
      assert.deepEqual(await repos.removals(), ["alice/demo"]);
      const again = await spaces.create("alice", "demo", at(2), "bob");
      assert.ok(again.ok);
      assert.deepEqual(
        [await spaces.wasDeleted("alice/demo", at(1)), await spaces.wasDeleted("alice/demo", at(2))],
        [true, false],
      );
      const { subdomain, address } = made.space;
      const { sdk, release, state, settings, createdAt, createdBy } = again.space;
      assert.deepEqual(
        {
          sdk,
          release,
          state,
          settings,
          createdAt,
          createdBy,
          subdomain: again.space.subdomain,
          address: again.space.address,
        },
        {
          ...{
            sdk: null,
            release: null,
            state: "no-release",
            settings: settingDefaults,
            createdAt: at(2),
            createdBy: "bob",
          },
          ...{ subdomain, address },
        },
      );
      assert.deepEqual(await spaces.create("alice", "demo", at(3)), { ok: false, refusal: "space-exists" });
    });
  });
}
