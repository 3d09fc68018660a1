import { describe, test } from "node:test";
import assert from "node:assert/strict";
import type { ReplicaStatus } from "../contract/agent.ts";
import { Replicas } from "./replicas.ts";

const status = (replica: string, phase: ReplicaStatus["phase"], over: Partial<ReplicaStatus> = {}): ReplicaStatus => ({
  replica,
  space: "alice/demo",
  release: "rel_1",
  phase,
  socket: null,
  startedAt: 0,
  ...over,
});
const known = (replica: string, phase: ReplicaStatus["phase"], node = "n1") => ({
  node,
  pool: "main",
  status: status(replica, phase),
});

describe("Replicas", () => {
  test("a later report of a replica replaces the earlier one and keeps its place", () => {
    const replicas = new Replicas();
    replicas.set(known("p_1", "starting"));
    replicas.set(known("p_2", "starting"));
    replicas.set(known("p_1", "ready"));
    assert.deepEqual(
      replicas.of("alice/demo").map(({ status: { replica, phase } }) => [replica, phase]),
      [
        ["p_1", "ready"],
        ["p_2", "starting"],
      ],
    );
  });

  test("those that ended are remembered, so that the Space can say why it is down, but not for ever", () => {
    const replicas = new Replicas();
    for (let n = 0; n < 9; n++) replicas.set(known(`p_${n}`, "exited"));
    assert.deepEqual(
      replicas.of("alice/demo").map((each) => each.status.replica),
      ["p_4", "p_5", "p_6", "p_7", "p_8"],
    );
    assert.deepEqual(replicas.livingOf("alice/demo"), []);
  });

  test("living ones are never forgotten", () => {
    const replicas = new Replicas();
    replicas.set(known("p_live", "ready"));
    for (let n = 0; n < 9; n++) replicas.set(known(`p_${n}`, "lost"));
    assert.equal(replicas.livingOf("alice/demo").length, 1);
  });

  test("names the replicas of a node, the ended ones too", () => {
    const replicas = new Replicas();
    replicas.set(known("p_1", "ready"));
    replicas.set(known("p_2", "exited"));
    replicas.set(known("p_3", "ready", "n2"));
    assert.deepEqual(replicas.on("n1"), ["p_1", "p_2"]);
  });
});
