import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { memorySql } from "../catalog/memory-sql.ts";
import { callOf } from "../core/views.ts";
import { settingMaxCount, settingMaxMs } from "../core/policy.ts";
import { ControlWorld, replica, request } from "./control.suite.ts";

describe("the list of calls", () => {
  test("goes on after the database refused a batch once: what was missed is read back from the journal", async () => {
    const sql = memorySql();
    let refuse = false;
    const flaky = {
      ...sql,
      transaction: (...args: Parameters<typeof sql.transaction>) =>
        refuse ? Promise.reject(new Error("busy")) : sql.transaction(...args),
    };
    await using world = await ControlWorld.open({ sql: flaky });
    await world.server.calls.follow();
    const node = await world.node([replica("p_1", "ready")]);
    const schedule = async (call: string): Promise<void> => {
      node.say({ type: "schedule", request: request(call) });
      await world.settled();
    };
    await schedule("c_1");
    refuse = true;
    await schedule("c_2");
    assert.equal((await world.server.calls.get("c_2"))?.stage, undefined);
    refuse = false;
    assert.equal((await world.server.calls.get("c_2"))?.stage, "queued");
    await schedule("c_3");
    const listed = await world.server.calls.list({ account: "alice", page: undefined, limit: 10 });
    assert.deepEqual(
      listed.items.map(({ id }) => id),
      ["c_3", "c_2", "c_1"],
    );
  });

  test("a call is its function's, by name or number, where the app has told that it has such a one", async () => {
    await using world = await ControlWorld.open();
    const told = { ...replica("p_1", "ready"), functions: { 0: "render", 7: "zoom" } };
    const node = await world.node([told]);
    const endpoints: unknown[] = [];
    for (const [n, asksFor] of ["/zoom", "7", "3", "/strange", "constructor", null].entries()) {
      world.asksFor = asksFor;
      node.say({ type: "schedule", request: request(`c_${n}`) });
      await world.settled();
      endpoints.push(await world.engine.read((state) => callOf(state, `c_${n}`)?.terms.endpoint));
    }
    assert.deepEqual(endpoints, ["/zoom", "/zoom", null, null, null, null]);
  });

  test("takes in at its start what the process before it had not", async () => {
    const sql = memorySql();
    await using world = await ControlWorld.open({ sql });
    const node = await world.node([replica("p_1", "ready")]);
    node.say({ type: "schedule", request: request("c_1") });
    await world.settled();
    await world.server.calls.follow();
    assert.equal((await world.server.calls.get("c_1"))?.stage, "granted");
  });
});

test("what the ledger does not take of a pool's settings is told, with what it takes, and changes nothing", async () => {
  await using world = await ControlWorld.open();
  const { server } = world;
  const before = await server.ledger.pool("main");
  assert.deepEqual(await server.ledger.setPool("main", { queueMax: settingMaxCount + 1 }), {
    ok: false,
    code: "control/invalid",
    says: "A setting of pool main is beyond what the ledger takes.",
    next: `A length is at most ${settingMaxMs} ms, a count at most ${settingMaxCount}.`,
  });
  assert.deepEqual(await server.ledger.pool("main"), before);
  assert.equal(await server.ledger.setPool("none", { queueMax: 1 }), undefined);
  assert.deepEqual(await server.ledger.setPool("main", { queueMax: 7 }), { ...before, queueMax: 7 });
});
