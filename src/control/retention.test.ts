import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import type { Actor } from "../core/spaces/model.ts";
import { ControlWorld, replica } from "./control.suite.ts";
import { Retention } from "./retention.ts";

const alice: Actor = { kind: "owner", account: "alice" };
const space = "alice/demo";
const kept = { releases: 2, builds: 2, events: 3 };

/** A Space with releases rel_1 to rel_5, of which rel_5 runs; two are kept beside what is used. */
async function opened(): Promise<ControlWorld> {
  const world = await ControlWorld.open({ kept });
  await world.space();
  for (let n = 1; n <= 5; n += 1) await world.release(`rel_${n}`, n);
  const node = await world.node();
  node.say({ type: "replica", status: replica("p_5", "ready", { release: "rel_5" }) });
  await world.settled();
  return world;
}

async function removed(world: ControlWorld): Promise<readonly string[]> {
  const page = await world.spaces.releases(space, undefined, 100);
  return page?.items.flatMap(({ id, removedAt }) => (removedAt === undefined ? [] : id)) ?? [];
}

describe("releases beside the newest", () => {
  test("go, on the node too, and a way back to one says that it was removed and what to do", async () => {
    await using world = await opened();
    const node = await world.node([replica("p_5", "ready", { release: "rel_5" })]);
    world.retention.soon(space);
    await world.retention.settled();
    assert.deepEqual(await removed(world), ["rel_3", "rel_2", "rel_1"]);
    assert.deepEqual(
      node.of("remove-releases").map(({ releases }) => releases.toSorted()),
      [["rel_1", "rel_2", "rel_3"]],
    );
    const back = await world.spaces.rollBack(space, alice, "rel_2");
    assert.ok(!back.ok);
    assert.deepEqual(
      [back.code, /was removed at .* the newest 2 .* Push commit 0 again/.test(back.says)],
      ["control/not-found", true],
    );
    assert.deepEqual(await world.spaces.rollBack(space, alice, undefined), { ok: true, release: "rel_4" });
  });

  test("stay while they run, or are to run, or a replica has them", async () => {
    await using world = await opened();
    const node = await world.node([
      replica("p_5", "ready", { release: "rel_5" }),
      replica("p_2", "ready", { release: "rel_2" }),
    ]);
    assert.deepEqual(await world.spaces.rollBack(space, alice, "rel_1"), { ok: true, release: "rel_1" });
    world.retention.soon(space);
    await world.retention.settled();
    assert.deepEqual(await removed(world), ["rel_3"]);
    assert.ok(node.of("start-replica").some(({ spec }) => spec.release === "rel_1"));
  });

  test("are removed or gone back to, never both, in whatever order the two come", async () => {
    const step = fc.constantFrom("sweep", "rel_1", "rel_2", "rel_3", "rel_4", "before");
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 6 }), async (steps) => {
        await using world = await opened();
        const node = world.nodes.all.length;
        assert.equal(node, 1);
        const done = await Promise.all(
          steps.map(async (one) => {
            if (one === "sweep") return void (await world.spaces.removeReleases(space));
            return world.spaces.rollBack(space, alice, one === "before" ? undefined : one);
          }),
        );
        const gone = await removed(world);
        const last = done.flatMap((one) => (one?.ok === true ? one.release : [])).at(-1);
        const view = await world.spaces.view(space);
        for (const release of [last, view?.release])
          assert.ok(release === undefined || release === null || !gone.includes(release));
      }),
      { numRuns: 60 },
    );
  });

  test("that a node has and the catalog does not go too, unless their build has not ended", async () => {
    await using world = await opened();
    const node = await world.node([replica("p_5", "ready", { release: "rel_5" })]);
    const open = await world.builds.request({ space, commit: "c", account: "alice" });
    node.say({
      type: "releases",
      node: "n1",
      releases: [
        { release: "rel_5", build: "b_0" },
        { release: "rel_lost", build: "b_gone" },
        { release: "rel_cut", build: null },
        { release: "rel_new", build: open.id },
      ],
    });
    await world.settled();
    assert.deepEqual(node.of("remove-releases")[0]?.releases, ["rel_lost", "rel_cut"]);
  });
});

describe("a sweep", () => {
  test("that is asked for while the one before it ends is done, at whatever step of that", async () => {
    await using world = await opened();
    for (let steps = 0; steps < 20; steps += 1) {
      const swept: string[] = [];
      const collect = async (one: string): Promise<void> => {
        swept.push(one);
        if (one === space) void askAfter(steps);
      };
      await using retention = new Retention({
        ...world,
        kept,
        repositories: { collect },
        send: () => true,
        onFailure: (what, error) => assert.fail(`${what}: ${String(error)}`),
      });
      const asked = Promise.withResolvers<void>();
      const askAfter = async (left: number): Promise<void> => {
        for (let n = 0; n < left; n += 1) await Promise.resolve();
        retention.soon("alice/other");
        asked.resolve();
      };
      retention.soon(space);
      await asked.promise;
      await retention.settled();
      assert.deepEqual(swept, [space, "alice/other"], `${steps} steps after`);
    }
  });
});
