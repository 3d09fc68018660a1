import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { noPackage, parsePackage, startCommand, startProblem } from "./package-json.ts";

describe("parsePackage", () => {
  test("a missing, a broken and a wrong file are said in words", () => {
    for (const [text, says] of [
      [undefined, /there is no package\.json/],
      ["{", /not JSON/],
      ["[]", /not an object/],
    ] as const) {
      const parsed = parsePackage(text);
      assert.match(parsed.ok ? "" : parsed.problem, says);
    }
  });

  test("names all packages that an install would bring, once", () => {
    const parsed = parsePackage(
      '{"dependencies":{"a":"1"},"devDependencies":{"b":"1","a":"1"},"scripts":{"start":"x","n":1}}',
    );
    assert.deepEqual(parsed, { ok: true, app: { ...noPackage, scripts: { start: "x" }, dependencies: ["a", "b"] } });
  });

  test("tells the manager, the Node and the workspaces that it names, and whether an install runs scripts of its own", () => {
    const parsed = parsePackage(
      '{"packageManager":"pnpm@10.1.0","engines":{"node":">=20"},"workspaces":["a"],"scripts":{"prepare":"x"}}',
    );
    assert.deepEqual(parsed.ok && parsed.app, {
      scripts: { prepare: "x" },
      dependencies: [],
      packageManager: "pnpm@10.1.0",
      runsAtInstall: true,
      hasWorkspaces: true,
      wantsNode: ">=20",
    });
  });

  test("an empty start script is a missing one", () => {
    assert.match(startProblem({ ...noPackage, scripts: { start: " " } }) as string, /no `start` script/);
    assert.equal(startProblem({ ...noPackage, scripts: { start: "node x" } }), undefined);
  });
});

describe("startCommand", () => {
  for (const [script, last] of [
    ["node server.js", "exec node server.js"],
    ["./bin/app --port 1", "exec ./bin/app --port 1"],
    ["node a.js && node b.js", "node a.js && node b.js"],
    ["PORT=1 node a.js", "PORT=1 node a.js"],
    ["cd sub", "cd sub"],
    ["node -e 'x'", "node -e 'x'"],
  ] as const) {
    test(`${script} runs as: ${last}`, () => {
      assert.deepEqual(startCommand(script), ["sh", "-c", `export PATH="$PWD/node_modules/.bin:$PATH"\n${last}`]);
    });
  }
});
