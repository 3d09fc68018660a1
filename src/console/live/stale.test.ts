import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Change } from "../../contract/changes.ts";
import { madeOldBy } from "./stale.ts";

const paths = [
  "/api/spaces?form=views",
  "/api/spaces/alice/demo",
  "/api/spaces/alice/demo/builds",
  "/api/spaces/bob/other",
  "/api/builds/b_1",
  "/api/works/b_1",
  "/api/works/c_1",
  "/api/works/c_2",
  "/api/calls",
  "/api/calls?space=alice%2Fdemo",
  "/api/quota",
  "/api/gpu/queue",
  "/api/status",
  "/api/whoami-v2",
];

const old = (change: Change): readonly string[] =>
  paths.filter(madeOldBy(change)).map((path) => path.replace("/api/", ""));

describe("what an event makes old", () => {
  test("a call: itself and the lists that have it, and the queue and the quota where those changed", () => {
    const calls = [{ id: "c_1", space: "alice/demo" }];
    assert.deepEqual(old({ type: "ledger", index: 7, calls, queue: false, quota: false }), [
      "works/c_1",
      "calls",
      "calls?space=alice%2Fdemo",
    ]);
    assert.deepEqual(old({ type: "ledger", index: 7, calls: [], queue: true, quota: true }), [
      "quota",
      "gpu/queue",
      "status",
    ]);
    assert.deepEqual(old({ type: "ledger", index: 7, calls: null, queue: false, quota: false }), [
      "works/c_1",
      "works/c_2",
      "calls",
      "calls?space=alice%2Fdemo",
    ]);
  });

  test("a Space: itself and the list of all, and of more than are listed every one", () => {
    assert.deepEqual(old({ type: "spaces", spaces: ["alice/demo"] }), [
      "spaces?form=views",
      "spaces/alice/demo",
      "status",
    ]);
    assert.ok(old({ type: "spaces", spaces: null }).includes("spaces/bob/other"));
  });

  test("a build: itself, its story, its Space", () => {
    assert.deepEqual(old({ type: "builds", builds: [{ id: "b_1", space: "alice/demo" }] }), [
      ...["spaces?form=views", "spaces/alice/demo", "spaces/alice/demo/builds", "builds/b_1", "works/b_1"],
    ]);
  });

  test("a beginning that goes on where it was: all that no record of the ledger tells; another one: all there is", () => {
    assert.deepEqual(old({ type: "begun", index: 7, all: true }).length, paths.length);
    const left = old({ type: "begun", index: 7, all: false });
    assert.ok(left.includes("spaces/alice/demo") && left.includes("whoami-v2"));
    assert.ok(!left.includes("calls") && !left.includes("quota"));
  });
});
