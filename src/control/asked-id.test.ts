import assert from "node:assert/strict";
import { test } from "node:test";
import { repoName } from "../hub/repo-name.ts";
import { askedId } from "./asked-id.ts";

test("what is asked for is known by its form", () => {
  const demo = repoName("spaces", "alice", "demo");
  const tiny = repoName("datasets", "alice", "tiny");
  const sha = "4f2a9c14f2a9c14f2a9c14f2a9c14f2a9c14f2a9";
  const asked = {
    q_1: { of: "id", id: "q_1" },
    n1: { of: "id", id: "n1" },
    "alice/demo": { of: "repository", repo: demo },
    "spaces/alice/demo": { of: "repository", repo: demo },
    "spaces/alice/demo/17": { of: "repository", repo: demo },
    "datasets/alice/tiny": { of: "repository", repo: tiny },
    "alice/demo@4f2a9c1": { of: "commit", repo: demo, commit: "4f2a9c1" },
    [`datasets/alice/tiny@${sha}`]: { of: "commit", repo: tiny, commit: sha },
    "alice/demo#3": { of: "discussion", repo: demo, num: 3 },
    "datasets/alice/tiny/discussions/3": { of: "discussion", repo: tiny, num: 3 },
    "journal/48213/2": { of: "place", name: "journal", first: 48213, second: 2 },
    "shim.p_1/1/3": { of: "place", name: "shim.p_1", first: 1, second: 3 },
    "edge-1/1/17.3": { of: "place", name: "edge-1", first: 1, second: 17 },
    "n1/0/1": { of: "place", name: "n1", first: 0, second: 1 },
  };
  for (const [text, expected] of Object.entries(asked)) assert.deepEqual(askedId(text), expected, text);
});

test("what has no form of ours names nothing", () => {
  for (const text of [
    "",
    "a/b/c/d",
    "alice/demo@main",
    "alice/demo#last",
    "models/tiny",
    "edge/1/2.",
    "edge/1.2/3",
    "/",
    "a//b",
    "x".repeat(401),
  ])
    assert.deepEqual(askedId(text), { of: "nothing" }, text);
});
