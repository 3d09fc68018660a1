import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { memorySql } from "../catalog/memory-sql.ts";
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
