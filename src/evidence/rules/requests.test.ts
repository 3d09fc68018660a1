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

test("a loop that only a header tells of is likely: any client can write it; one that our own token counted is proved", () => {
  const accepted = a.by("edge", "edge.accept", "took", { method: "GET", path: "/", host: "alice-demo.localhost" });
  const certainty = (hop: "edge.route" | "identity.resolve"): string | undefined => {
    const code = "route/loop";
    const ends = [
      a.by("edge", hop, "refused", { code }),
      a.by("edge", "edge.deliver", "refused", { code, status: 502 }),
    ];
    const { verdict } = explain(a.record("request", [accepted, ...ends]));
    assert.equal(verdict?.code, "loop");
    return verdict?.certainty;
  };
  assert.deepEqual([certainty("edge.route"), certainty("identity.resolve")], ["likely", "proved"]);
});
