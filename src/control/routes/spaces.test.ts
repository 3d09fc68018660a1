import assert from "node:assert/strict";
import { test } from "node:test";
import type { SpaceView } from "../../contract/api.ts";
import { createChecked } from "../described/checked.suite.ts";
import { ControlWorld, outboundOfNodes } from "../control.suite.ts";

test("what a Space may reach outside is told to who may change it, and to nobody else", async () => {
  await using world = await ControlWorld.open();
  const space = await world.space();
  await world.catalog.accounts.create({ name: "bob", tier: "free", role: "user", createdAt: world.clock.wall() });
  const api = createChecked(world.server);
  const told = async (account: string | null): Promise<SpaceView["outbound"]> => {
    const headers =
      account === null ? {} : { authorization: `Bearer ${await world.token(account, ["read", "write"])}` };
    return ((await (await api.request(`/api/spaces/${space}`, { headers })).json()) as SpaceView).outbound;
  };
  assert.equal(await told("alice"), undefined, "no node is there");
  await world.node();
  assert.deepEqual(await told("alice"), outboundOfNodes);
  assert.deepEqual([await told("bob"), await told(null)], [undefined, undefined]);
});
