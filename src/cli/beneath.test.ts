import assert from "node:assert/strict";
import { test } from "node:test";
import { hopThatBegan } from "../evidence/nesting.ts";
import type { Explanation, Link } from "../evidence/verdict.ts";
import { beneathOf, ifTold } from "./beneath.ts";

const work = (id: string, kind: Explanation["kind"], links: readonly Link[] = []): Explanation => ({
  ...{ id, kind, outcome: "ok", sentence: "", verdict: null, entries: [], gaps: [], links },
  read: { journal: 1, evidence: 1 },
});
const made = (id: string, kind: Link["kind"]): Link => ({ id, kind, relation: "made" });

test("a work that another began stands under the hop that began it, and those that serve it or follow it under none", () => {
  assert.equal(hopThatBegan("request", made("c_1", "call")), "app.take");
  assert.equal(hopThatBegan("build", made("p_1", "replica")), "replica.start");
  assert.equal(hopThatBegan("call", { id: "x_1", kind: "connection", likely: "the only call" }), "app.run");
  assert.equal(hopThatBegan("connection", { id: "c_1", kind: "call", likely: "the only call" }), undefined);
  assert.equal(hopThatBegan("call", { id: "q_1", kind: "request", relation: "made-by" }), undefined);
});

test("what works began is followed down, each work once, and what is not told is left out", async () => {
  const likely = { id: "x_1", kind: "connection", likely: "the only call" } as const;
  const works = new Map([
    ["c_1", work("c_1", "call", [{ id: "q_1", kind: "request", relation: "made-by" }, likely])],
    ["x_1", work("x_1", "connection", [])],
  ]);
  const asked: string[] = [];
  const found = await beneathOf(
    work("q_1", "request", [made("c_1", "call"), made("c_1", "call"), made("c_9", "call")]),
    async (id) => {
      asked.push(id);
      return works.get(id);
    },
  );
  assert.deepEqual(asked, ["c_1", "x_1", "c_9"]);
  assert.deepEqual(
    found.map(({ hop, explanation, beneath }) => [
      hop,
      explanation.id,
      beneath.map((one) => [one.hop, one.explanation.id, one.likely]),
    ]),
    [["app.take", "c_1", [["app.run", "x_1", "the only call"]]]],
  );
});

test("many works are asked for up to a bound", async () => {
  const links = Array.from({ length: 100 }, (_, i) => made(`c_${i}`, "call"));
  const found = await beneathOf(work("q_1", "request", links), async (id) => work(id, "call"));
  assert.equal(found.length, 20);
});

test("only a refusal to tell is passed over", async () => {
  const failing = (status: number) =>
    Promise.reject(Object.assign(new Error("no"), { name: "ApiError", problem: { status } }));
  assert.equal(await ifTold(failing(403)), undefined);
  await assert.rejects(ifTold(failing(503)));
  await assert.rejects(ifTold(Promise.reject(new Error("no line"))));
});
