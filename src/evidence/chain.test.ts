import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { chainIn, chainSays, earlierTry, inOrder, isPushOf, leadsOf, pushOf, shortened } from "./chain.ts";
import { by, record } from "./waybill.suite.ts";

const commit = { id: "alice/demo@4f2a9c1d23ef00112233445566778899aabbccdd", kind: "commit" } as const;
const build = record("build", [
  by("server", "build.request", "took", { space: "alice/demo", commit: "4f2a", account: "alice" }),
]);
const upload = record("transfer", [
  by("server", "transfer.verify", "done", { direction: "upload", account: "alice", link: ["q_9", "b_1"] }),
]);
const pushed = record("request", [by("server", "edge.deliver", "done", { account: "alice", link: ["b_1"] })], {
  id: "q_9",
});

describe("the record of a work leads", () => {
  test("from a request to the replica that had it last, from a call to its request and replica", () => {
    const moved = [
      by("edge", "edge.route", "done", { replica: "p_1" }),
      by("edge", "edge.route", "done", { replica: "p_2" }),
    ];
    assert.deepEqual(leadsOf(record("request", moved)), { replica: "p_2" });
    const scheduled = by("scheduler", "gpu.schedule", "took", { replica: "p_1", request: "q_1", link: "q_1" });
    assert.deepEqual(leadsOf(record("call", [scheduled])), { replica: "p_1", request: "q_1" });
  });
  test("from a connection to what opened it, and from a replica over its build to the commit", () => {
    const of = (link: string) => leadsOf(record("connection", [by("gateway", "egress.open", "took", { link })]));
    assert.deepEqual([of("p_1"), of("b_1")], [{ replica: "p_1" }, { build: "b_1" }]);
    assert.deepEqual(leadsOf(record("replica", [by("agent", "replica.start", "took", { link: "b_1" })])), {
      build: "b_1",
    });
    assert.deepEqual(leadsOf(build), { commit: { space: "alice/demo", commit: "4f2a" } });
  });
  test("nowhere by what is no id", () => {
    assert.deepEqual(
      leadsOf(record("request", [by("edge", "edge.route", "done", { replica: 7, link: "nonsense" })])),
      {},
    );
    assert.deepEqual(leadsOf(record("connection", [])), {});
  });
});

describe("a push", () => {
  test("is told by its transfer before its request, with who pushed; what a build fetched is none", () => {
    const fetched = record("transfer", [by("server", "transfer.move", "done", { direction: "download", link: "b_1" })]);
    assert.deepEqual(pushOf([pushed, fetched, upload]), { id: "tr_1", kind: "transfer", by: "alice" });
    assert.deepEqual(pushOf([fetched, pushed]), { id: "q_9", kind: "request", by: "alice" });
    assert.equal(pushOf([fetched]), undefined);
    assert.deepEqual([isPushOf(upload, build), isPushOf(pushed, build), isPushOf(fetched, build)], [true, true, false]);
  });
  test("is that of the first build, of one that is another try", () => {
    const again = record("build", [by("server", "build.request", "took", { link: "b_0" })], { id: "b_1" });
    assert.deepEqual([earlierTry(again), earlierTry(build)], ["b_0", undefined]);
  });
});

test("a chain stands from who asked down to the code, and says what is only likely and who pushed", () => {
  const works = [build, record("replica", []), record("connection", []), record("call", []), record("request", [])];
  const likely = { id: "c_1", says: "the only call" };
  const chain = inOrder(chainIn(works, likely, commit), pushOf([upload]));
  assert.equal(
    chainSays(chain),
    "request q_1 → call c_1 (likely) → connection x_1 → replica p_1 → build b_1 → commit alice/demo@4f2a9c1d23ef → push tr_1 by alice",
  );
  assert.equal(chain[1]?.likely, "the only call");
  assert.equal(shortened(commit.id), "alice/demo@4f2a9c1d23ef");
});

test("one step alone is no chain, and what is told is not its own push beside", () => {
  assert.deepEqual(inOrder(chainIn([record("replica", [])], undefined, undefined), undefined), []);
  const chain = inOrder(chainIn([pushed, build], undefined, commit), pushOf([pushed]));
  assert.deepEqual(
    chain.map(({ kind, id }) => `${kind} ${id}`),
    ["build b_1", `commit ${commit.id}`, "request q_9"],
  );
});
