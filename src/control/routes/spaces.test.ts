import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SpaceView } from "../../contract/api.ts";
import { createChecked } from "../described/checked.suite.ts";
import { ControlWorld, outboundOfNodes, replica } from "../control.suite.ts";

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

describe("what a Space keeps to", () => {
  async function opened() {
    const world = await ControlWorld.open();
    const space = await world.space();
    const api = createChecked(world.server);
    const set = async (reach: string, account = "alice") => {
      const authorization = `Bearer ${await world.token(account, ["read", "write"])}`;
      const init = { method: "PATCH", headers: { authorization, "content-type": "application/json" } };
      const body = JSON.stringify({ reach });
      const answer = await api.request(`/api/spaces/${space}/settings`, { ...init, body });
      const told = (await answer.json()) as { readonly reach?: string; readonly detail?: string };
      return { status: answer.status, reach: told.reach, detail: told.detail };
    };
    return { world, space, set, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
  }

  test("is set by who may change it, told to the nodes on which it runs, and to one that comes back", async () => {
    await using here = await opened();
    const { world, space, set } = here;
    await world.release("rel_1", 0);
    const node = await world.node([replica("p_1", "ready")]);
    const heard = (): unknown => node.of("reach").at(-1)?.reach;
    assert.equal(heard(), "all");
    assert.deepEqual(await set("Api.example.com, *.example.com:443"), {
      ...{ status: 200, reach: "api.example.com, *.example.com:443", detail: undefined },
    });
    assert.equal(heard(), "api.example.com, *.example.com:443");
    await world.catalog.accounts.create({ name: "bob", tier: "free", role: "user", createdAt: world.clock.wall() });
    assert.ok((await set("all", "bob")).status >= 403);
    const again = await world.node([replica("p_1", "ready")], undefined, 2);
    assert.deepEqual(again.of("reach"), [{ type: "reach", space, reach: "api.example.com, *.example.com:443" }]);
  });

  test("is nothing that the operator refuses anyway, unless the platform itself answers to it", async () => {
    await using here = await opened();
    assert.equal((await here.set("api.example.com:22")).status, 200, "no node is there that says what it lets out");
    await here.world.node();
    const { status, detail } = await here.set("api.example.com:22");
    assert.equal(status, 400);
    assert.match(
      detail ?? "",
      /api\.example\.com:22 is not what the operator allows, by the rule "allow only port 443": leave it out, or ask/,
    );
    assert.match((await here.set("not a name!")).detail ?? "", /"name!" is no name that can be reached/);
    const ours = `alice-demo.${here.world.server.appsDomain}:7070`;
    assert.equal((await here.set(ours)).reach, ours);
  });
});
