/** What is kept of a Space, over any database. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SqlRunner } from "../stdx/sql.ts";
import { instant } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";
import { platform } from "../core/spaces/model.ts";
import type { Space, SpaceEvent } from "../core/spaces/model.ts";
import { Catalog } from "./catalog.ts";
import { settingDefaults } from "./spaces.ts";

const space = "alice/demo";
const at = (ms: number): Instant => instant(Date.UTC(2026, 10, 22) + ms);

export function keptSuite(name: string, openSql: () => Promise<SqlRunner>): void {
  const open = async (): Promise<Catalog> => {
    const catalog = await Catalog.open(await openSql(), { wall: () => at(0) });
    await catalog.accounts.create({ name: "alice", tier: "free", role: "user", createdAt: at(0) });
    await catalog.spaces.create("alice", "demo", at(0));
    return catalog;
  };
  const ids = (rows: readonly { readonly id: string }[] | undefined): readonly string[] =>
    (rows ?? []).map(({ id }) => id);

  describe(`What is kept, over ${name}`, () => {
    test("of releases: the newest and those that are pinned can run, the others say when they were removed, then are forgotten", async () => {
      const { kept, releases } = await open();
      for (let n = 1; n <= 14; n += 1) await publish(releases, n);
      assert.deepEqual(ids(await kept.removeReleases(space, { newest: 1, pinned: ["rel_2"], now: at(99) })).length, 12);
      assert.deepEqual(
        await kept.runnable(["rel_1", "rel_2", "rel_13", "rel_14", "rel_x"]),
        new Set(["rel_2", "rel_14"]),
      );
      assert.equal((await releases.get("rel_13"))?.removedAt, at(99));
      assert.equal((await releases.get("rel_14"))?.removedAt, undefined);
      assert.equal((await releases.before(space, { createdAt: at(14) }))?.id, "rel_2");
      // Ten marks for each that is kept: the two oldest are forgotten.
      assert.equal(await releases.get("rel_1"), undefined);
      assert.deepEqual([await releases.get("rel_3"), (await releases.get("rel_4"))?.id], [undefined, "rel_4"]);
      assert.deepEqual(await kept.removeReleases(space, { newest: 1, pinned: [], now: at(100) }).then(ids), ["rel_2"]);
    });

    test("of builds: the newest, the newest that failed, the open ones and those of releases that can run", async () => {
      const { kept, builds, releases } = await open();
      await publish(releases, 1); // of b_1
      for (let n = 1; n <= 9; n += 1) {
        await builds.create({ id: `b_${n}`, space, commit: "c", says: "", queuedAt: at(n) });
        const change = { stage: n === 3 ? "failed" : "done", endedAt: at(n + 1), steps: [], because: ["why"] } as const;
        if (n !== 4)
          await builds.record([
            { build: `b_${n}`, at: at(n), event: "ended", stage: change.stage, actor: "n1", fence: 1, code: null, says: "", deadline: null, change },
          ]); // prettier-ignore
      }
      assert.deepEqual((await kept.trimBuilds(space, { newest: 2, now: at(50) })).toSorted(), [
        "b_2",
        "b_5",
        "b_6",
        "b_7",
      ]);
      const { trimmedAt, stage, because } = (await builds.get("b_5")) ?? {};
      assert.deepEqual([trimmedAt, stage, because], [at(50), "done", []]);
      assert.deepEqual([(await builds.events("b_5")).length, (await builds.events("b_8")).length], [0, 1]);
      assert.deepEqual(
        await kept.logged(["b_1", "b_2", "b_3", "b_4", "b_9", "b_x"]),
        new Set(["b_1", "b_3", "b_4", "b_9"]),
      );
      assert.deepEqual(await kept.trimBuilds(space, { newest: 2, now: at(51) }), []);
    });

    test("of builds that were trimmed: ten rows for each that is kept", async () => {
      const { kept, builds } = await open();
      for (let n = 100; n < 120; n += 1) {
        await builds.create({ id: `b_${n}`, space, commit: "c", says: "", queuedAt: at(n) });
        await builds.update(`b_${n}`, { stage: "done", endedAt: at(n) });
      }
      assert.equal((await kept.trimBuilds(space, { newest: 1, now: at(50) })).length, 19);
      assert.deepEqual(ids(await builds.list(space, 100)).length, 11);
      assert.equal(await builds.get("b_108"), undefined);
    });

    test("of events: the newest, and the newest with a code; their numbers go on", async () => {
      const { kept, spaceEvents } = await open();
      const event = (n: number): SpaceEvent => ({
        v: 1, at: at(n), from: "running", to: "running", reason: { says: `${n}`, code: n <= 3 ? "app/exit" : null },
        actor: platform, deadline: null, ends: "", change: { kind: "nothing" },
      }); // prettier-ignore
      for (let n = 1; n <= 9; n += 1) await spaceEvents.add(idle, [event(n)]);
      await kept.trimEvents(space, 2);
      const left = async (): Promise<readonly number[]> =>
        ((await spaceEvents.list(space, { limit: 100 }))?.items ?? []).map(({ seq }) => seq);
      assert.deepEqual(await left(), [9, 8, 3, 2]);
      await spaceEvents.add(idle, [event(10)]);
      assert.deepEqual(await left(), [10, 9, 8, 3, 2]);
    });

    test("of changes to variables: the newest, and the last that an app would notice", async () => {
      const { kept, environments } = await open();
      const set = (action: "set" | "described"): Promise<number> =>
        environments.setVariable(
          { space, name: "A", value: "1", description: null, updatedAt: at(0) },
          { account: "alice", action },
        );
      for (const action of ["set", "set", "described", "described"] as const) await set(action);
      await kept.trimEvents(space, 1);
      const changes = await environments.changes(space, 100);
      assert.deepEqual(
        changes.map(({ action }) => action),
        ["described", "set"],
      );
    });
  });
}

const idle: Space = {
  id: space,
  state: { name: "stopped", cause: "asked", queuedTo: null, since: at(0), reason: { says: "", code: null }, actor: platform, deadline: null, ends: "" },
  release: null,
  next: null,
  horizon: -1,
  settings: { replicas: settingDefaults.replicas, sleepAfterMs: null, sleepMode: "stop", hardware: null },
}; // prettier-ignore

async function publish(releases: Catalog["releases"], n: number): Promise<void> {
  const manifest = {
    release: `rel_${n}`, space, commit: "c", build: `b_${n}`, sdk: "static", title: "", argv: null, staticFolder: ".", appPort: 7860, builtAt: "",
  } as const; // prettier-ignore
  await releases.create({
    id: `rel_${n}`,
    space,
    build: `b_${n}`,
    commit: "c",
    manifest,
    node: "n1",
    createdAt: at(n),
  });
}
