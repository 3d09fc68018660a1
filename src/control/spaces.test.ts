import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ControlWorld, replica } from "./control.suite.ts";
import type { TestNode } from "./control.suite.ts";

const stopped = (node: TestNode): string[] => node.of("stop-replica").map((order) => order.replica);

/** A world in which rel_1 runs as p_1, and rel_2 is published. */
async function running(): Promise<{
  world: ControlWorld;
  node: TestNode;
  say: (...statuses: ReturnType<typeof replica>[]) => Promise<void>;
}> {
  const world = await ControlWorld.open();
  await world.space();
  await world.release("rel_1", 1);
  await world.release("rel_2", 2);
  await world.release("rel_3", 3);
  const node = await world.node();
  const say = async (...statuses: ReturnType<typeof replica>[]): Promise<void> => {
    for (const status of statuses) node.say({ type: "replica", status });
    await world.settled();
  };
  await say(replica("p_1", "ready"));
  return { world, node, say };
}

const of = (release: string) => ({ release });

describe("a new release", () => {
  test("takes over when it listens, and only then is the one before it stopped", async () => {
    const { world, node, say } = await running();
    await using _ = world;
    await say(replica("p_2", "starting", of("rel_2")));
    assert.deepEqual(stopped(node), []);
    await say(replica("p_2", "ready", of("rel_2")));
    assert.deepEqual([stopped(node), (await world.spaces.view("alice/demo"))?.release], [["p_1"], "rel_2"]);
  });

  test("on its way is left alone when a replica of the current one is started again", async () => {
    const { world, node, say } = await running();
    await using _ = world;
    await say(
      replica("p_2", "starting", of("rel_2")),
      replica("p_1", "exited"),
      replica("p_1b", "starting"),
      replica("p_1b", "ready"),
    );
    assert.deepEqual(stopped(node), []);
  });

  test("that ends before it listens takes nothing down", async () => {
    const { world, node, say } = await running();
    await using _ = world;
    await say(replica("p_2", "starting", of("rel_2")), replica("p_2", "exited", of("rel_2")));
    assert.deepEqual(stopped(node), []);
    const { state } = (await world.spaces.view("alice/demo")) ?? {};
    assert.equal(state, "running");
  });

  test("takes over also while the build of a later commit waits", async () => {
    const { world, node, say } = await running();
    await using _ = world;
    world.spaces.onBuild(await world.builds.request({ space: "alice/demo", commit: "1", account: "alice" }));
    await say(replica("p_2", "ready", of("rel_2")));
    assert.deepEqual([stopped(node), (await world.spaces.view("alice/demo"))?.release], [["p_1"], "rel_2"]);
  });
});

describe("an earlier release", () => {
  test("whose app its agent started again after a later one took over is stopped, and does not come back", async () => {
    const { world, node, say } = await running();
    await using _ = world;
    await say(
      replica("p_1", "exited"),
      replica("p_2", "ready", of("rel_2")),
      replica("p_1b", "starting"),
      replica("p_1b", "ready"),
    );
    assert.deepEqual([stopped(node), (await world.spaces.view("alice/demo"))?.release], [["p_1b"], "rel_2"]);
  });

  test("that is all that answers goes on: two reports of one hello do not stop each other", async () => {
    const { world, node, say } = await running();
    await using _ = world;
    await say(replica("p_1", "ready"), replica("p_1", "ready"));
    assert.deepEqual(stopped(node), []);
  });

  test("is started by its node's hello though a later one, cut off in its start, may still come", async () => {
    const { world, say } = await running();
    await using _ = world;
    await say(replica("p_1", "exited"));
    const back = await world.node([replica("p_2", "starting", of("rel_2"))]);
    assert.deepEqual(
      back.of("start-replica").map(({ spec }) => spec.release),
      ["rel_1"],
    );
  });
});

describe("Spaces", () => {
  test("two that make the same Space at once know one", async () => {
    await using world = await ControlWorld.open();
    const [one, other] = await Promise.all([world.spaces.ensure("alice", "new"), world.spaces.ensure("alice", "new")]);
    assert.ok(one.ok && other.ok);
    assert.deepEqual(one.space, other.space);
    assert.deepEqual([world.spaces.count, world.addresses], [1, [one.space.address]]);
  });

  test("two changes of different settings at once are both kept", async () => {
    await using world = await ControlWorld.open();
    const id = await world.space();
    await Promise.all([
      world.spaces.set(id, { hardware: "cpu-basic" }),
      world.spaces.set(id, { "sleep-after": "65s" }),
      world.spaces.set(id, { "on-leave": "stop" }),
    ]);
    const { settings } = (await world.catalog.spaces.get(id)) ?? {};
    assert.deepEqual(
      [settings?.hardware, settings?.["sleep-after"], settings?.["on-leave"]],
      ["cpu-basic", "65s", "stop"],
    );
  });

  test("a replica of a Space that is not in the catalog is stopped", async () => {
    await using world = await ControlWorld.open();
    const node = await world.node([replica("p_9", "ready", { space: "alice/gone" })]);
    assert.deepEqual(stopped(node), ["p_9"]);
  });

  test("strangers see that a Space runs and where, and nothing of its builds, replicas and logs", async () => {
    const { world } = await running();
    await using _ = world;
    const seen = await world.spaces.publicView("alice/demo");
    assert.deepEqual(
      [seen?.state, seen?.says, seen?.build, seen?.release, seen?.replicas],
      ["running", "it runs", null, null, []],
    );
    assert.doesNotMatch(JSON.stringify(seen), /p_1|rel_1/);
  });
});
