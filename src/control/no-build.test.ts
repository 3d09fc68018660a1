import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { NoBuildReason } from "../contract/api.ts";
import { whyNoBuild, type CommitFacts } from "./no-build.ts";

const room = { waiting: 0, waitingMax: 2, ownerWaiting: 0, ownerWaitingMax: 1 };
const facts: CommitFacts = {
  branch: "main",
  commit: "c2",
  head: "c2",
  changed: true,
  latest: { id: "b_1", commit: "c1", outcome: "ok" },
  running: true,
  paused: null,
  room,
};
const same = { id: "b_1", commit: "c2", outcome: "ok" };

describe("whyNoBuild", () => {
  const cases: readonly (readonly [says: string, change: Partial<CommitFacts>, why: NoBuildReason | undefined])[] = [
    ["a commit on main is built", {}, undefined],
    ["the first commit is built", { latest: null, running: false }, undefined],
    ["one on another branch is not", { branch: "dev", head: "c1" }, "wrong-branch"],
    ["one that main has gone past is not", { head: "c3" }, "superseded"],
    ["one that changed nothing is not, where it runs", { changed: false, latest: same }, "unchanged"],
    [
      "nor where it is being built",
      { changed: false, running: false, latest: { ...same, outcome: null } },
      "unchanged",
    ],
    ["it is built again where it does not run", { changed: false, running: false, latest: same }, undefined],
    ["and where its build failed", { changed: false, latest: { ...same, outcome: "failed" } }, undefined],
    ["one of a paused Space is not", { paused: "Paused by alice: resume it." }, "paused"],
    ["one too many of all is not", { room: { ...room, waiting: 2 } }, "queue-full"],
    ["one too many of its owner is not", { room: { ...room, ownerWaiting: 1 } }, "queue-full"],
    [
      "what needs no build is not refused for want of room",
      { changed: false, latest: same, room: { ...room, waiting: 2 } },
      "unchanged",
    ],
  ];
  for (const [says, change, why] of cases) {
    test(says, () => {
      const no = whyNoBuild({ ...facts, ...change });
      assert.equal(no?.why, why);
      assert.equal(no?.code ?? null, why === "queue-full" ? "build/queue-full" : null);
    });
  }
});
