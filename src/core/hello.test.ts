import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seconds } from "../stdx/time.ts";
import { card, hello, ledger, types } from "./ledger.suite.ts";
import type { Ledger } from "./ledger.suite.ts";
import type { Event } from "./model.ts";
import { nodesOfReplicas } from "./views.ts";

const hour = 3_600;

/** What an hour records in which the node does this each second. */
function recordsOfAnHour(it: Ledger, eachSecond: () => readonly Event[]): number {
  const before = it.records.length;
  for (let second = 0; second < hour; second++) {
    it.wait(1_000);
    eachSecond();
  }
  return it.records.length - before;
}

describe("a hello", () => {
  test("each second for an hour makes no more records than a connection that holds", () => {
    const [flapping, steady] = [ledger(), ledger()];
    const records = recordsOfAnHour(flapping, () => flapping.do(hello()));
    assert.equal(
      records,
      recordsOfAnHour(steady, () => steady.do({ type: "hear-node", node: "n1" })),
    );
    assert.equal(records, hour / 5);
  });

  test("L17: is a record while a call of the node has a lease: its report is given time from then on", () => {
    const it = ledger();
    it.schedule("c_1");
    it.wait(1_000);
    assert.deepEqual(types(it.do(hello())), ["node-joined"]);
    assert.equal(it.state.nodes.get("n1")?.joinedAt, it.now);
  });

  test("is a record where it says anything else than before, and after the node or the writer was away", () => {
    const joined = ["node-joined"];
    const it = ledger();
    assert.deepEqual(types(it.do(hello([card(0, 4)]))), joined, "other slots");
    assert.deepEqual(types(it.do(hello([card(0, 4)]))), []);
    it.do({ type: "start-writer", epoch: 2 });
    assert.deepEqual(types(it.do(hello([card(0, 4)]))), joined, "another epoch");
    it.wait(seconds(60));
    it.tick();
    assert.equal(it.state.nodes.get("n1")?.stage, "lost");
    assert.deepEqual(types(it.do(hello([card(0, 4)]))), joined, "it was lost");
  });
});

test("what nodes have of replicas is a waiting call, a running one or a worker on a slot", () => {
  const it = ledger([card(0, 2)]);
  it.schedule("idle", { replica: "p_warm" });
  it.schedule("runs", { replica: "p_runs" });
  it.attach("idle");
  it.end("idle", 10, { workerAlive: true });
  it.schedule("waits", { replica: "p_waits", size: "xlarge" });
  const found = nodesOfReplicas(it.state, new Set(["p_warm", "p_runs", "p_waits", "p_none"]));
  const n1 = new Set(["n1"]);
  assert.deepEqual(found, new Map(["p_runs", "p_waits", "p_warm"].map((replica) => [replica, n1])));
});
