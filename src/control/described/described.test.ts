/** The description of the API: complete, and as its format has it. Whether it is current says `npm run check`. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { createApi } from "../app.ts";
import { ControlWorld } from "../control.suite.ts";
import type { Document } from "./document.ts";
import { alsoAs, elsewhere, operations } from "./operations.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const document = JSON.parse(read("share/openapi.json")) as Document;
const all = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, path, operation })),
);

describe("the description of the API", () => {
  test("has each route under /api/ once, or names where it is specified, and no other", async () => {
    await using world = await ControlWorld.open();
    const routes = createApi(world.server).routes.map(({ method, path }) => `${method} ${path}`);
    const ours = [...Object.keys(operations), ...Object.keys(alsoAs)];
    const others = elsewhere.flatMap((one) => one.routes);
    const named = [...ours, ...others];
    assert.equal(new Set(named).size, named.length);
    assert.deepEqual(
      named.filter((route) => !routes.includes(route)),
      [],
    );
    const ofApi = new Set(routes.filter((route) => / \/api\//.test(route)));
    assert.deepEqual(
      [...ofApi].filter((route) => !named.includes(route)),
      [],
    );
  });

  test("is valid by OpenAPI's own schema", async () => {
    const checked = await new Validator().validate(JSON.parse(read("share/openapi.json")) as Record<string, unknown>);
    assert.deepEqual([checked.valid, checked.errors], [true, undefined]);
  });

  test("says of each operation what it does, under a name of its own, and of each parameter what it is", () => {
    const ids = all.map(({ operation }) => operation.operationId);
    assert.equal(new Set(ids).size, ids.length);
    for (const { name, path, operation } of all) {
      assert.match(operation.summary, /^[A-Z].*\.$/, name);
      const parameters = (operation.parameters ?? []).flatMap((one) => ("$ref" in one ? [] : [one]));
      for (const one of parameters)
        assert.ok(one.description !== "" || one.schema["description"], `${name} ${one.name}`);
      const inPath = parameters.filter((one) => one.in === "path").map((one) => `{${one.name}}`);
      assert.deepEqual(inPath, path.match(/\{\w+\}/g) ?? [], name);
    }
  });

  test("is what the API gives to everybody", async () => {
    await using world = await ControlWorld.open();
    const answer = await createApi(world.server).request("/api/openapi.json");
    assert.equal(answer.headers.get("content-type"), "application/json");
    assert.deepEqual(await answer.json(), document);
  });
});
