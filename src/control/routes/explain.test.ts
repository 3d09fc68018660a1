import assert from "node:assert/strict";
import { test } from "node:test";
import { createChecked } from "../described/checked.suite.ts";
import { ControlWorld } from "../control.suite.ts";

test("a private Space of others costs its explanation no other work than none does: neither is looked into", async () => {
  await using world = await ControlWorld.open();
  await world.catalog.accounts.create({ name: "bob", tier: "free", role: "user", createdAt: world.clock.wall() });
  await world.server.spaces.ensure("alice", "closed", "alice", { private: true });
  const token = await world.token("bob", ["read"]);
  const explained: string[] = [];
  const { server } = world;
  server.explain = async (id) => void explained.push(id);
  const api = createChecked(server);
  for (const name of ["closed", "absent"])
    for (const path of [`/api/explain/alice/${name}`, `/w/alice%2F${name}`]) {
      const { status } = await api.request(path, { headers: { authorization: `Bearer ${token}` } });
      assert.equal(status, 404, path);
    }
  assert.deepEqual(explained, []);
});
