import assert from "node:assert/strict";
import { test } from "node:test";
import { explain } from "../explain.ts";
import * as a from "../waybill.suite.ts";

test("a request of which only its GPU call is recorded is not nothing, and nobody is blamed", () => {
  const call = { id: "c_1", kind: "call", outcome: "ok", code: null, sentence: "The function ran." } as const;
  const { outcome, sentence, verdict, links } = explain(a.record("request", [], { links: [call] }));
  assert.deepEqual([outcome, verdict?.certainty, links.length], ["unknown", "unknown", 1]);
  assert.match(sentence, /its own record is not there/);
});
