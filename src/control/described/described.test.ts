/** The description of the API: complete, and as its format has it. Whether it is current says `npm run check`. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { createApi } from "../app.ts";
import { ControlWorld } from "../control.suite.ts";
import { problemOf } from "../../http/index.ts";
import { Description } from "./description.suite.ts";
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

  test("holds an answer by its status, its form, its fields, its code and what was asked, and nothing that is specified elsewhere", async () => {
    const description = Description.read();
    const held = async (line: string, status: number, body: unknown, type = "application/json"): Promise<string> => {
      const [method = "", path = ""] = line.split(" ");
      const answer = new Response(JSON.stringify(body), { status, headers: { "content-type": type } });
      const request = { method, url: `http://localhost${path}` };
      return description.hold(request, answer).then(
        () => "as described",
        (error: Error) => error.message.replace(/^.* has it: /, ""),
      );
    };
    const no = problemOf("control/not-found");
    const problem = { ...no, error: no.detail };
    assert.deepEqual(
      {
        tiers: await held("GET /api/tiers", 200, { tiers: [] }),
        field: await held("GET /api/tiers", 200, { tiers: [], more: 1 }),
        status: await held("GET /api/tiers", 201, { tiers: [] }),
        form: await held("GET /api/tiers", 200, { tiers: [] }, "text/html"),
        query: await held("GET /api/tiers?colour=red", 200, { tiers: [] }),
        problem: await held("GET /api/pools/main", 404, problem, "application/problem+json"),
        code: await held("GET /api/tiers", 404, problem, "application/problem+json"),
        edge: await held("GET /api/tiers", 503, { ...problem, boundary: "route", code: "control-down" }),
        slashes: await held("GET /api/explain/n1/0/1", 404, problem),
        elsewhere: await held("GET /api/models", 200, "anything"),
      },
      {
        ...{ tiers: "as described", field: "more is not described", status: "it has no such status" },
        ...{ form: "answers with text/html", query: "nothing is said of ?colour=", problem: "as described" },
        ...{ code: "refuses by control/not-found", edge: "as described", slashes: "as described" },
        elsewhere: "as described",
      },
    );
  });
});
