/** A route's body: as the schema has it that parses it, with the words of the type that callers have for it. */
import { z } from "zod";
import type { JsonSchema } from "./operation.ts";

/** What each field of a body means; "" where the type says nothing. */
export type FieldWords = Readonly<Record<string, string>>;

/** As it is sent: before what the schema makes of it. */
export function inputOf(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return rest;
}

/** Fails where the two have not the same fields: one of them is not true. */
export function bodyOf(route: string, body: z.ZodType, words: FieldWords | undefined): JsonSchema {
  const schema = inputOf(body);
  if (words === undefined) return schema;
  const parsed = [...new Set(kindsOf(schema).flatMap((kind) => Object.keys(propertiesOf(kind))))].sort().join(", ");
  const typed = Object.keys(words).sort().join(", ");
  if (parsed !== typed) throw new Error(`${route} parses ${parsed}; its type has ${typed}`);
  const told = kindsOf(schema).map((kind) => ({ ...kind, properties: withWords(propertiesOf(kind), words) }));
  const word = (["oneOf", "anyOf"] as const).find((one) => one in schema);
  return word === undefined ? (told[0] ?? schema) : { ...schema, [word]: told };
}

function kindsOf(schema: JsonSchema): readonly JsonSchema[] {
  return (schema["oneOf"] ?? schema["anyOf"] ?? [schema]) as readonly JsonSchema[];
}

function propertiesOf(schema: JsonSchema): Readonly<Record<string, JsonSchema>> {
  return (schema["properties"] ?? {}) as Readonly<Record<string, JsonSchema>>;
}

function withWords(properties: Readonly<Record<string, JsonSchema>>, words: FieldWords): Record<string, JsonSchema> {
  return Object.fromEntries(
    Object.entries(properties).map(([name, of]) => [name, words[name] ? { description: words[name], ...of } : of]),
  );
}
