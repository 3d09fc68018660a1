import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explainSpace } from "./explain.ts";
import * as a from "./waybill.suite.ts";

describe("explainSpace", () => {
  const space = {
    id: "alice/demo",
    since: "2026-11-22T12:00:00.000Z",
    says: "its build failed",
    code: null,
    by: "the app",
    ends: "It ends when its owner restarts it.",
    deadline: null,
    events: [],
    build: null,
    replica: null,
    read: { journal: 1, evidence: 2 },
  };

  test("a failed Space says what its newest replica ended with", () => {
    const replica = a.record("replica", [
      a.by("agent-n1", "replica.exit", "failed", { code: "app/exit", exitCode: 3 }),
    ]);
    const told = explainSpace({ ...space, state: "failing", code: "app/exit", replica });
    assert.equal(told.kind, "space");
    assert.equal(told.verdict?.code, "exit");
    assert.equal(
      told.sentence,
      "alice/demo is failing since 2026-11-22T12:00:00.000Z, by the app. The app's process ended with exit code 3. It ends when its owner restarts it.",
    );
  });

  test("a running Space has no verdict, whatever its last replica ended with", () => {
    const replica = a.record("replica", [
      a.by("agent-n1", "replica.exit", "failed", { code: "app/exit", exitCode: 3 }),
    ]);
    assert.equal(explainSpace({ ...space, state: "running", says: "one replica is ready", replica }).verdict, null);
  });
});

describe("explainSpace, of a state that no work brought about", () => {
  const space = {
    id: "alice/demo",
    since: "2026-11-22T12:00:00.000Z",
    code: null,
    ends: "Only the operator can lift that.",
    deadline: null,
    events: [],
    build: null,
    replica: null,
    read: { journal: 1, evidence: 2 },
  };

  test("a paused Space says by whom, since when, why, and who can lift it, in one go", () => {
    const told = explainSpace({ ...space, state: "paused", by: "admin", says: "too hot" });
    assert.equal(
      told.sentence,
      "alice/demo is paused since 2026-11-22T12:00:00.000Z, by admin. Too hot. Only the operator can lift that.",
    );
    assert.deepEqual([told.outcome, told.verdict], ["ok", null]);
  });

  test("a start of which no word came is proved by the Space's own record of its deadline", () => {
    const code = "route/boot-timeout";
    const { entries } = a.record("space", [a.by("spaces", "space.state", "failed", { code, to: "failing" })]);
    const says = "no word came of replica p_1 in time";
    const told = explainSpace({ ...space, state: "failing", by: "the platform", says, code, events: entries });
    assert.deepEqual(
      [told.verdict?.code, told.verdict?.certainty, told.verdict?.facts],
      ["boot-timeout", "proved", ["spaces/1/1"]],
    );
    assert.match(told.sentence, /nothing more was heard of it.* No word came of replica p_1 in time\./);
  });
});
