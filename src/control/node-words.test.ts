import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MeterReport, ToServer } from "../contract/agent.ts";
import { noIsolation } from "../contract/isolation.ts";
import { replica, request } from "./control.suite.ts";
import { NodeWords, ofDeletedSpace, type Owners } from "./node-words.ts";

/** n1 has p_1 with the call c_1, which is open, and c_old, which has ended; n2 has p_2. */
const owners: Owners = {
  replica: (id) => ({ p_1: "n1", p_2: "n2" })[id],
  nodesOf: async (ids) => new Map(ids.has("p_slow") ? [["p_slow", new Set(["n1"])]] : []),
  openCall: (id) => (id === "c_1" ? { node: "n1", replica: "p_1" } : undefined),
  callNode: async (id) => ({ c_1: "n1", c_old: "n1" })[id],
  release: async (id) => ({ rel_1: { node: "n1", space: "alice/demo" }, rel_2: { node: "n2", space: "bob/own" } })[id],
  wasDeleted: async (space) => space === "alice/gone",
  builder: (build, fence) => (build === "b_1" && fence >= 2 ? "n1" : undefined),
};
const words = new NodeWords(owners);

const report = (over: Partial<Extract<MeterReport, { kind: "attached" }>> = {}): MeterReport => ({
  ...{ kind: "attached", seq: 1, call: "c_1", fence: 1, pid: 7, at: "" },
  ...over,
});
const gone = (slot: string): MeterReport => ({ kind: "worker-gone", seq: 1, slot, fence: 1, at: "" });
const batch = (emitter: string): ToServer => ({ type: "evidence", batch: { emitter, epoch: 1, records: [] } });
const done = (build: string, fence: number): ToServer => ({
  type: "build-step",
  build,
  fence,
  step: "fetch",
  state: "done",
  tookMs: 1,
});

type Said = Exclude<ToServer, { type: "hello" }>;

/** What is told of each kind of message, when n1 says it of its own and n2 says the same. */
const lies: readonly (readonly [what: string, said: ToServer, of: RegExp])[] = [
  ["a heartbeat", { type: "heartbeat", node: "n1", tookGrants: 0, builds: [] }, /^node n1$/],
  ["its cards", { type: "cards", node: "n1", trouble: {} }, /^node n1$/],
  ["its isolation", { type: "isolation", node: "n1", isolation: noIsolation("none") }, /^node n1$/],
  ["what Spaces keep there", { type: "spaces", node: "n1", spaces: [] }, /^node n1$/],
  ["its releases", { type: "releases", node: "n1", releases: [] }, /^node n1$/],
  ["a replica's phase", { type: "replica", status: replica("p_1", "ready") }, /^replica p_1 of node n1$/],
  [
    "a replica that nobody has told of",
    { type: "replica", status: replica("p_9", "ready") },
    /^replica p_9 of alice\/demo, whose release rel_1 is alice\/demo's on node n1$/,
  ],
  [
    "a replica of which only the ledger knows",
    { type: "replica", status: replica("p_slow", "lost", { space: "", release: "" }) },
    /^replica p_slow of node n1$/,
  ],
  ["a call", { type: "schedule", request: request("c_1") }, /^call c_1 of node n1$/],
  [
    "a call that has ended, of a replica that nobody knows any more",
    { type: "schedule", request: request("c_old", { replica: "p_gone" }) },
    /^call c_old of node n1$/,
  ],
  ["a visitor's leave", { type: "left", call: "c_1", replica: "p_1" }, /^call c_1 of node n1$/],
  ["a use of a GPU", { type: "meter", replica: "p_1", report: report() }, /^call c_1 of node n1$/],
  ["a worker's end", { type: "meter", replica: "p_1", report: gone("n1/0/0") }, /^replica p_1 of node n1$/],
  ["a slot that is free", { type: "cleared", replica: "p_1", slot: "n1/0/0", fence: 1 }, /^replica p_1 of node n1$/],
  ["a build", done("b_1", 2), /^build b_1 of node n1$/],
  ["what its agent signs for", batch("agent-n1"), /^emitter agent-n1$/],
  ["what its gateway signs for", batch("gateway-n1"), /^emitter gateway-n1$/],
  ["what a shim of its signs for", batch("shim.p_1"), /^replica p_1 of node n1$/],
  ["what its agent signs for after it lost its counter", batch("agent-n1-0k3x9m2p"), /^emitter agent-n1-0k3x9m2p$/],
  ["what a shim that lost its counter signs for", batch("shim.p_1-0k3x9m2p"), /^replica p_1 of node n1$/],
];

describe("NodeWords", () => {
  for (const [what, said, of] of lies)
    test(`${what} is for its own node to say, and for no other`, async () => {
      assert.equal(await words.foreignIn("n1", said as Said), undefined);
      assert.match(String(await words.foreignIn("n2", said as Said)), of);
    });

  test("what is said of an own call in another's, or a made-up, name is refused too", async () => {
    const said: readonly Said[] = [
      { type: "schedule", request: request("c_new", { replica: "p_2" }) },
      { type: "schedule", request: request("q_1") },
      { type: "left", call: "c_1", replica: "p_2" },
      { type: "meter", replica: "p_other", report: report() },
      { type: "meter", replica: "p_1", report: gone("n2/0/0") },
      { type: "cleared", replica: "p_1", slot: "n10/0/0", fence: 1 },
    ];
    for (const one of said) assert.notEqual(await words.foreignIn("n1", one), undefined, JSON.stringify(one));
  });

  test("a replica of another Space than its release, or of a release that was never built, is no node's", async () => {
    const said = (release: string, space: string) =>
      words.foreignIn("n2", { type: "replica", status: replica("p_9", "ready", { release, space }) });
    assert.equal(await said("rel_2", "bob/own"), undefined);
    assert.match(String(await said("rel_2", "alice/demo")), /is bob\/own's on node n2$/);
    assert.match(String(await said("rel_none", "bob/own")), /is not there$/);
  });

  test("a replica of a Space that was deleted is nobody else's; one whose release is another's is all the same", async () => {
    const said = (release: string) =>
      words.foreignIn("n2", { type: "replica", status: replica("p_9", "ready", { release, space: "alice/gone" }) });
    assert.equal(await said("rel_none"), ofDeletedSpace);
    assert.match(String(await said("rel_1")), /is alice\/demo's on node n1$/);
  });

  test("a hello is compared with what the ledger has in one look, however many of its replicas nobody has told of", async () => {
    const looks: ReadonlySet<string>[] = [];
    const nodesOf: Owners["nodesOf"] = (ids) => (looks.push(ids), owners.nodesOf(ids));
    const unknown = Array.from({ length: 100 }, (_, n) => replica(`p_${n + 10}`, "ready"));
    const lost = replica("p_slow", "lost", { space: "", release: "" });
    const told = [replica("p_1", "ready"), ...unknown, replica("p_2", "ready"), lost];
    const foreign = await new NodeWords({ ...owners, nodesOf }).replicas("n1", told);
    assert.deepEqual(
      foreign.flatMap((of) => of ?? []),
      ["replica p_2 of node n2"],
    );
    assert.deepEqual(
      looks.map((ids) => [ids.size, ids.has("p_1")]),
      [[101, false]],
    );
  });

  test("nobody signs for the server, the edge or what no shim is called", async () => {
    for (const name of ["server", "edge", "scheduler", "agent-n10", "p_1", "x.p_1"])
      assert.notEqual(await words.foreignIn("n1", batch(name) as Said), undefined, name);
  });

  test("what comes late is no lie: a build that was taken from its builder, a call and a replica that nobody knows any more", async () => {
    const said: readonly Said[] = [
      done("b_1", 1) as Said,
      { type: "left", call: "c_gone", replica: "p_gone" },
      { type: "meter", replica: "p_gone", report: report({ call: "c_gone" }) },
      { type: "replica", status: replica("p_gone", "lost", { space: "", release: "" }) },
      batch("shim.p_gone") as Said,
    ];
    for (const one of said) assert.equal(await words.foreignIn("n2", one), undefined, JSON.stringify(one));
  });
});
