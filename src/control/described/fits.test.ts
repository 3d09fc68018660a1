import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Document } from "./document.ts";
import { wrongIn } from "./fits.suite.ts";
import type { JsonSchema } from "./operation.ts";

const schemas: Readonly<Record<string, JsonSchema>> = {
  Card: {
    type: "object",
    properties: {
      name: { type: "string" },
      drain: { anyOf: [{ $ref: "#/components/schemas/Drain" }, { type: "null" }] },
      kind: { enum: ["mig", "cooperative", null] },
      slots: { type: ["integer", "null"] },
      since: { type: "string", format: "date-time" },
      beside: { type: "array", items: { $ref: "#/components/schemas/Card" } },
    },
    required: ["name", "drain"],
  },
  Drain: { type: "object", properties: { of: { const: "card" } }, required: ["of"] },
  Counts: { type: "object", additionalProperties: { type: "number" } },
};
const wrong = (value: unknown, name = "Card"): readonly string[] =>
  wrongIn(value, { $ref: `#/components/schemas/${name}` }, schemas);

describe("an answer beside its schema", () => {
  test("fits where each field is as it says, and what may be absent is", () => {
    assert.deepEqual(wrong({ name: "a", drain: null }), []);
    assert.deepEqual(wrong({ name: "a", drain: { of: "card" }, kind: null, beside: [{ name: "b", drain: null }] }), []);
    assert.deepEqual(wrong({ a: 1 }, "Counts"), []);
  });

  test("is wrong by a field that is missing, that is none, or that is another, each by its place", () => {
    assert.deepEqual(wrong({ drain: null }), ["name is missing"]);
    assert.deepEqual(wrong({ name: "a", drain: null, more: 1 }), ["more is not described"]);
    assert.deepEqual(wrong({ name: 1, drain: null }), ["name is 1, not string"]);
    assert.deepEqual(wrong({ name: "a", drain: { of: "node" } }), ['drain.of is "node", not "card"']);
    assert.deepEqual(wrong({ name: "a", drain: null, kind: "sliced" }), [
      'kind is "sliced", none of ["mig","cooperative",null]',
    ]);
    assert.deepEqual(wrong({ name: "a", drain: null, beside: [{ name: "b" }] }), ["beside.0.drain is missing"]);
    assert.deepEqual(wrong({ a: "1" }, "Counts"), ['a is "1", not number']);
    assert.deepEqual(wrong({ name: "a", drain: null, slots: 1.5, since: "yesterday" }), [
      "slots is 1.5, not integer or null",
      'since is "yesterday", no instant',
    ]);
    assert.deepEqual(wrong({ name: "a", drain: null, slots: null, since: "2026-11-30T12:00:00.000Z" }), []);
    assert.deepEqual(wrong([], "Card"), ["it is [], not object"]);
  });

  test("is read by every word that the schemas of the API have", () => {
    const file = join(import.meta.dirname, "..", "..", "..", "share", "openapi.json");
    const { components } = JSON.parse(readFileSync(file, "utf8")) as Document;
    const words = new Set<string>();
    const read = (schema: unknown): void => {
      if (Array.isArray(schema)) return schema.forEach(read);
      if (typeof schema !== "object" || schema === null) return;
      for (const [word, of] of Object.entries(schema)) {
        words.add(word);
        if (word === "properties") Object.values(of as object).forEach(read);
        else if (["items", "anyOf", "additionalProperties"].includes(word)) read(of);
      }
    };
    Object.values(components.schemas).forEach(read);
    const known = [
      "$ref",
      "additionalProperties",
      "anyOf",
      "const",
      "description",
      "enum",
      "format",
      "items",
      "properties",
    ];
    assert.deepEqual([...words].toSorted(), [...known, "required", "type"]);
  });
});
