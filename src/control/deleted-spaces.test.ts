import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Actor } from "../core/spaces/model.ts";
import { ControlWorld, replica, type TestNode } from "./control.suite.ts";

const alice: Actor = { kind: "owner", account: "alice" };
const space = "alice/demo";
const remove = (world: ControlWorld): Promise<void> => world.spaces.remove(space, alice, async () => undefined);
const told = (node: TestNode): readonly unknown[] => node.of("remove-space").map((order) => order.space);

async function opened(): Promise<{ readonly world: ControlWorld; readonly madeAt: number }> {
  const world = await ControlWorld.open();
  await world.space();
  await world.release("rel_1", 1);
  const madeAt = world.spaces.get(space)?.createdAt;
  assert(madeAt !== undefined);
  return { world, madeAt };
}

describe("a node hears of a Space that was deleted", () => {
  test("at once: its releases go, and what it kept", async () => {
    const { world, madeAt } = await opened();
    await using _ = world;
    const node = await world.node([replica("p_1", "ready")]);
    await remove(world);
    assert.deepEqual(
      node.of("remove-releases").map(({ releases }) => releases),
      [["rel_1"]],
    );
    assert.deepEqual(told(node), [{ space, madeAt }]);
  });

  test("when it comes back, as often as it says that it has something of it", async () => {
    const { world, madeAt } = await opened();
    await using _ = world;
    await remove(world);
    const node = await world.node();
    const spaces = [
      { space, madeAt },
      { space, madeAt: null },
    ];
    for (let n = 0; n < 2; n += 1) {
      node.say({ type: "spaces", node: "n1", spaces });
      await world.settled();
    }
    assert.deepEqual(told(node), [...spaces, ...spaces]);
  });

  test("of the life that is over, and not of one that was made under its name since", async () => {
    const { world, madeAt } = await opened();
    await using _ = world;
    await remove(world);
    world.clock.wallMs += 10_000;
    await world.space();
    const again = world.spaces.get(space)?.createdAt ?? 0;
    assert.ok(again > madeAt);
    const node = await world.node();
    const spaces = [again, madeAt, null].map((at) => ({ space, madeAt: at }));
    node.say({ type: "spaces", node: "n1", spaces });
    await world.settled();
    assert.deepEqual(told(node), [{ space, madeAt }]);
  });

  test("what is of a Space that was never here stays: the database may be another's", async () => {
    const { world } = await opened();
    await using _ = world;
    const node = await world.node();
    node.say({ type: "spaces", node: "n1", spaces: [{ space: "bob/elsewhere", madeAt: 1 }] });
    await world.settled();
    assert.deepEqual(told(node), []);
  });

  test("a replica of the life that is over ends likewise, also where a Space was made under its name since", async () => {
    const { world, madeAt } = await opened();
    await using _ = world;
    await remove(world);
    world.clock.wallMs += 10_000;
    await world.space();
    const node = await world.node([replica("p_1", "ready", { release: "rel_gone", startedAt: madeAt + 1 })]);
    assert.deepEqual([node.of("stop-replica").length, world.counted], [1, []]);
    await world.node([replica("p_2", "ready", { release: "rel_gone", startedAt: world.clock.wallMs + 1 })]);
    assert.equal(world.counted.length, 1, "one that was started later is none of that life");
  });

  test("its replica that the server was killed before it could end is ended, and is no word of another's", async () => {
    const { world } = await opened();
    await using _ = world;
    await remove(world);
    const node = await world.node([replica("p_1", "ready", { release: "rel_gone" })]);
    assert.deepEqual(
      node.of("stop-replica").map((order) => order.replica),
      ["p_1"],
    );
    node.say({ type: "replica", status: replica("p_1", "stopped", { release: "rel_gone" }) });
    await world.settled();
    assert.deepEqual([world.counted, world.failures], [[], []]);
    assert.equal(world.replicas.get("p_1"), undefined);
  });
});
