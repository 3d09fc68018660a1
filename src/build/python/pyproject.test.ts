import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readProject } from "./pyproject.ts";

describe("readProject", () => {
  test("finds the dependencies of [project], whatever their quotes, extras and comments", () => {
    const toml = `[build-system]
requires = ["hatchling"]

[project]
name = "app"
dependencies = [
  "gradio[oauth]>=6", # the page
  'numpy<3',
  # "not-this",
]

[project.optional-dependencies]
dev = ["pytest"]

[tool.other]
dependencies = ["nor-this"]
`;
    assert.deepEqual(readProject(toml), { kind: "project", dependencies: "gradio[oauth]>=6\nnumpy<3" });
  });

  test("a project that names none, and a file of tools' settings alone", () => {
    assert.deepEqual(readProject('[project]\nname = "app"\n'), { kind: "project", dependencies: "" });
    assert.deepEqual(readProject("[tool.ruff]\nline-length = 100\n"), { kind: "none" });
  });

  test("what was written for another tool is told by its name", () => {
    assert.deepEqual(readProject('[tool.poetry.dependencies]\npython = "^3.10"\n'), {
      kind: "foreign",
      tool: "poetry",
    });
  });
});
