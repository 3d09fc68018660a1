import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
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

  test("names that only begin alike are no folder and its file, whatever stands between them in order", () => {
    assert.deepEqual(pathConflicts(["a", "a-b", "a.txt", "a b/c", "ab/c", "b/a", "b/a0/x", "b/a-/x", "a"]), []);
    assert.deepEqual(pathConflicts(["a", "a-b", "a.txt", "a/c", "a-b/d"]), [
      "a is a file and a/c lies inside it",
      "a-b is a file and a-b/d lies inside it",
    ]);
  });

  test("each path is told once, in the order given, with the nearest file that it lies in", () => {
    assert.deepEqual(pathConflicts(["q/r/s/t", "q/r", "q", "q/r/s/t", "z"]), [
      "q/r is a file and q/r/s/t lies inside it",
      "q is a file and q/r lies inside it",
      "q/r is a file and q/r/s/t lies inside it",
    ]);
  });

  test("it finds what a look at every folder of every path finds", () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^(?:[a.-]{1,2}\/){0,3}[a.-]{1,2}$/), { maxLength: 12 }), (paths) => {
        const inside = paths.filter((path) => paths.some((file) => path.startsWith(`${file}/`)));
        assert.deepEqual(
          pathConflicts(paths).map((says) => says.replace(/^.* is a file and (.*) lies inside it$/, "$1")),
          inside,
        );
      }),
    );
  });

  test("one that conflicts is found among 25,000 deep paths", () => {
    const folder = "d/".repeat(490);
    const paths = Array.from({ length: 25_000 }, (_, n) => `${n}/${folder}${n}`);
    assert.deepEqual(pathConflicts([...paths, "7"]), [`7 is a file and ${paths[7]} lies inside it`]);
  });
});
