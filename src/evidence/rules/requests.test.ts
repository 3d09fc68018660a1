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

test("a request that was tried again, and reached nobody then, is told by the attempt that the app took", () => {
  const again = { ...a.handed, facts: { ...a.handed.facts, number: 18, connection: "edge/1/18" } };
  const refused = a.by("shim-p_1", "app.take", "failed", {
    channel: "edge/1",
    number: 18,
    connection: 18,
    connected: false,
    acceptedBytes: 0,
    returnedBytes: 0,
    final: true,
    code: "route/connect-refused",
  });
  const shim = { state: "closed", connected: true, acceptedBytes: 812, returnedBytes: 0 };
  const ends = [
    a.asked("app.respond", "route/reset-midway", shim),
    a.take({ connected: true, acceptedBytes: 812 }),
    a.deliver("route/reset-midway", 502),
  ];
  const { verdict } = explain(a.handedRequest([again, refused, ...ends]));
  assert.deepEqual([verdict?.code, verdict?.certainty], ["reset-midway", "proved"]);
  assert.match(verdict?.sentence ?? "", /^The request was delivered to the app's socket/);
});

test("of a visitor who was shown how their Space woke up it is said, and how that ended", () => {
  const accepted = a.by("edge", "edge.accept", "took", { method: "GET", path: "/", host: "alice-demo.localhost" });
  const shown = a.by("edge", "edge.wake", "took", { page: "waking", space: "alice/demo", status: 503, ms: 1_100 });
  const page = { page: "waking", pageAfterMs: 1_100, status: 503, answeredBy: "edge" };
  const told = (...ends: Parameters<typeof a.record>[1]) => explain(a.record("request", [accepted, shown, ...ends]));
  const opened = told(
    a.by("edge", "edge.wake", "done", { space: "alice/demo", ms: 3_000 }),
    a.by("edge", "edge.deliver", "done", { ...page, ms: 3_000 }),
  );
  assert.deepEqual([opened.outcome, opened.verdict], ["ok", null]);
  assert.match(opened.sentence, /^The Space was asleep: its visitor was shown a page while it started, for 3\b/);
  const code = "app/not-listening";
  const failed = told(
    a.by("edge", "edge.wake", "failed", { code, space: "alice/demo", ms: 9_000 }),
    a.by("edge", "edge.deliver", "refused", { ...page, code }),
  );
  assert.deepEqual([failed.outcome, failed.verdict?.owner, failed.verdict?.code], ["refused", "app", "not-listening"]);
  const left = told(a.by("edge", "edge.deliver", "failed", { ...page, code: "route/visitor-left" }));
  assert.match(left.sentence, /closed the connection while it was shown how the Space woke up/);
});
