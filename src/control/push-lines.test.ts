import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { BuildView } from "../contract/api.ts";
import { endLines, logText } from "./push-lines.ts";

const build: BuildView = {
  id: "b_1",
  space: "alice/app",
  commit: "a".repeat(40),
  stage: "done",
  outcome: "ok",
  code: null,
  says: "built and running",
  account: "alice",
  since: "2026-01-01T00:00:00.000Z",
  deadline: null,
  by: "builder n1",
  builder: "n1",
  attempts: 1,
  priority: 0,
  waiting: null,
  replacedBy: null,
  retryOf: null,
  queuedAt: "2026-01-01T00:00:00.000Z",
  queuedMs: 0,
  tookMs: 0,
  logLines: 1,
  steps: [],
  because: [],
  release: "rel_1",
  limits: null,
};
const story = { page: "http://h/w/b_1", addresses: ["http://alice-app.localhost:1"], runs: false };

describe("logText", () => {
  test("what an app prints is plain on a stranger's terminal: no colours, no overwritten line, no end", () => {
    assert.equal(logText({ stream: "out", text: "10 %\r\u001b[31mred\u001b[0m\u0007" }), "  | red ");
    assert.equal(logText({ stream: "note", text: "x".repeat(500) }).length, 401);
  });
});

describe("endLines", () => {
  test("a build that went well ends with the Space's addresses", () =>
    assert.deepEqual(endLines(build, null, { ...story, runs: true }), [
      "alice/app runs:",
      "  http://alice-app.localhost:1",
    ]));

  test("one that went well and was not started says why", () =>
    assert.deepEqual(endLines({ ...build, says: "built, and not started: it is paused" }, null, story), [
      "alice/app: built, and not started: it is paused",
    ]));

  test("one that failed says why where no verdict is there yet, and that the release before it still runs", () => {
    const failed: BuildView = {
      ...build,
      outcome: "failed",
      code: "build/step-failed",
      says: "install failed",
      because: ["line 3"],
    };
    assert.deepEqual(endLines(failed, null, { ...story, runs: true }), [
      "error[build/step-failed]: install failed",
      "  because   line 3",
      "  explain   http://h/w/b_1   or: waybill explain b_1",
      "  The release before it still runs.",
    ]);
  });

  test("one that goes on says where to look", () =>
    assert.deepEqual(endLines({ ...build, stage: "building", outcome: null }, null, story), [
      "build b_1 is building; http://h/w/b_1 tells how it goes on.",
    ]));
});
