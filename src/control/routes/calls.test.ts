/** Lists of calls, and what calls of functions cost: who is told what. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CallView, FunctionView, Page } from "../../contract/api.ts";
import { terms } from "../../core/ledger.suite.ts";
import { seconds } from "../../stdx/time.ts";
import { createApi } from "../app.ts";
import { ControlWorld, replica } from "../control.suite.ts";

interface Asker {
  readonly world: ControlWorld;
  ask(path: string, token?: string): Promise<Response>;
}

async function api(): Promise<Asker> {
  const world = await ControlWorld.open();
  await world.space();
  await world.release("rel_1", 1);
  await world.node([replica("p_1", "ready")]);
  const app = createApi(world.server);
  const ask: Asker["ask"] = async (path, token) =>
    app.request(
      `http://127.0.0.1:7070${path}`,
      token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
    );
  return { world, ask };
}

describe("calls of a Space", () => {
  test("are everybody's for who may write to it, and one's own for others", async () => {
    const { world, ask } = await api();
    await using _ = world;
    await world.catalog.accounts.create({ name: "bob", tier: "free", role: "user", createdAt: world.clock.wall() });
    for (const [call, account] of [
      ["c_1", "alice"],
      ["c_2", "bob"],
    ] as const)
      await world.engine.submit({ type: "schedule", terms: terms(call, { account }) });
    const [alice, bob] = [await world.token("alice", ["read"]), await world.token("bob", ["read"])];
    const listed = async (query: string, token: string): Promise<readonly string[]> => {
      const answer = await ask(`/api/calls?space=alice/demo${query}`, token);
      return ((await answer.json()) as Page<CallView>).items.map(({ id }) => id);
    };
    assert.deepEqual(await listed("", alice), ["c_2", "c_1"]);
    assert.deepEqual(await listed("&account=alice", alice), ["c_1"]);
    assert.deepEqual(await listed("", bob), ["c_2"]);
    for (const [path, token, status] of [
      ["/api/calls?space=alice/demo", undefined, 401],
      ["/api/calls?space=alice/demo&account=alice", bob, 403],
      ["/api/calls?space=alice/none", alice, 404],
    ] as const)
      assert.equal((await ask(path, token)).status, status, path);
  });

  test("are priced by function: what a call of each holds, and usually costs, to who may know of the Space", async () => {
    const { world, ask } = await api();
    await using _ = world;
    const none = await ask("/api/spaces/alice/demo/functions");
    assert.deepEqual(await none.json(), { items: [], next: null });
    await world.engine.submit({ type: "schedule", terms: terms("c_1", { declaredMs: seconds(20), size: "xlarge" }) });
    const { items } = (await (await ask("/api/spaces/alice/demo/functions")).json()) as Page<FunctionView>;
    assert.deepEqual(items, [{ endpoint: "/run", size: "xlarge", declaredMs: 20_000, heldMs: 40_000, usual: null }]);
    assert.equal((await ask("/api/spaces/alice/none/functions")).status, 404);
  });
});
