import assert from "node:assert/strict";
import { test } from "node:test";
import type { WorkKind } from "./entry.ts";
import { relationOf, type Relation } from "./relations.ts";
import { by, record } from "./waybill.suite.ts";

const work = (kind: WorkKind, id: string, facts = {}) =>
  record(kind, [by("server", "edge.accept", "took", facts)], { id });

test("what began what follows from the kinds of two works, both ways", () => {
  const pairs: readonly (readonly [WorkKind, WorkKind, Relation])[] = [
    ["request", "call", "made"],
    ["call", "connection", "made"],
    ["connection", "build", "made-by"],
    ["replica", "build", "made-by"],
    ["build", "request", "made-by"],
    ["call", "replica", "served-by"],
  ];
  for (const [own, other, relation] of pairs) assert.equal(relationOf(work(own, "1"), work(other, "2")), relation);
});

test("a pack that was pushed made a build, and a build made what it fetched", () => {
  const build = work("build", "b_1");
  assert.equal(relationOf(build, work("transfer", "tr_1", { direction: "upload", link: "b_1" })), "made-by");
  assert.equal(relationOf(build, work("transfer", "tr_1", { direction: "download", link: "b_1" })), "made");
});

test("of two of one kind the one that names the other is its next try", () => {
  const first = work("build", "b_1");
  const again = work("build", "b_2", { link: "b_1" });
  assert.deepEqual([relationOf(again, first), relationOf(first, again)], ["follows", "followed-by"]);
  assert.equal(relationOf(first, work("build", "b_3")), undefined);
});

test("of two requests one made the other only where its token was passed on", () => {
  const outer = work("request", "q_1");
  const inner = record("request", [by("edge", "identity.resolve", "done", { link: "q_1" })], { id: "q_2" });
  assert.deepEqual([relationOf(outer, inner), relationOf(inner, outer)], ["made", "made-by"]);
  const join = record("request", [by("edge", "edge.deliver", "done", { link: "q_1" })], { id: "q_3" });
  assert.equal(relationOf(join, outer), undefined);
});
