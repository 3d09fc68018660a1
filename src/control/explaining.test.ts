import assert from "node:assert/strict";
import { test } from "node:test";
import { by, record } from "../evidence/waybill.suite.ts";
import { worksBeside } from "./explaining.ts";

test("a request's own calls stand before the many requests that its app made of it, and so reach its verdict", () => {
  const join = record("request", [by("edge", "edge.deliver", "failed", { link: "q_stream" })]);
  const made = Array.from({ length: 40 }, (_, i) => `q_made${i}`);
  const beside = worksBeside(join, [{ id: "c_newest" }], ["q_stream", join.id, ...made]);
  assert.deepEqual(beside, ["q_stream", "c_newest", ...made]);
});
