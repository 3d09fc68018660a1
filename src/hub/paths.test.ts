import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { linkProblem, pathConflicts, pathProblem } from "./paths.ts";

describe("pathProblem", () => {
  for (const path of [
    "README.md",
    "a/b/c.txt",
    ".gitignore",
    ".github/x",
    "ü/ñ 1\"'.txt",
    "a.git/b",
    "...",
    "x".repeat(255),
  ]) {
    test(`takes ${JSON.stringify(path.slice(0, 20))}`, () => assert.equal(pathProblem(path), undefined));
  }
  for (const path of [
    "",
    "/etc/passwd",
    "../up",
    "a/../b",
    "a/..",
    "./a",
    "a//b",
    "a/",
    ".git/config",
    "a/.GIT/hooks/x",
    ".git",
    ".git.",
    ".git ",
    "git~1",
    ".g\u200cit/config",
    ".git::$INDEX_ALLOCATION",
    "a\0b",
    "a\nb",
    "a\\b",
    "x".repeat(256),
    "a/".repeat(600) + "b",
    "\ud800",
  ]) {
    test(`refuses ${JSON.stringify(path.slice(0, 30))}`, () => assert.equal(typeof pathProblem(path), "string"));
  }
});

describe("linkProblem", () => {
  for (const [path, target, taken] of [
    ["a", "b", true],
    ["a", "b/c", true],
    ["d/a", "../b", true],
    ["d/a", "../../b", false],
    ["a", "..", false],
    ["a", "/etc/passwd", false],
    ["a", "b/../..", false],
    ["d/e/a", "../b/../../x", false],
    ["a", "./b", true],
  ] as const) {
    test(`a link ${path} → ${target} is ${taken ? "taken" : "refused"}`, () =>
      assert.equal(linkProblem(path, target) === undefined, taken));
  }
});

describe("pathConflicts", () => {
  test("a file cannot also be a folder; names that differ by case are two", () => {
    assert.deepEqual(pathConflicts(["a/b/c", "a/b", "x", "X"]), ["a/b is a file and a/b/c lies inside it"]);
  });
});
