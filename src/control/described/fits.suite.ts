/**
 * Whether a value is as a schema says: the part of JSON Schema that `tools/answer-schemas.ts` writes, read strictly. A field that no schema
 * names is wrong here, where a client passes over it: fields are added together with their description.
 */
import type { JsonSchema } from "./operation.ts";

type Schemas = Readonly<Record<string, JsonSchema>>;
type Value = Readonly<Record<string, unknown>>;

/** What is wrong, each with its place, as `items.0.id`. */
export function wrongIn(value: unknown, schema: JsonSchema, schemas: Schemas, at = ""): readonly string[] {
  const { $ref: ref, anyOf, enum: words, type, properties, additionalProperties, items } = schema as Known;
  const wrong = (says: string): readonly string[] => [`${at || "it"} ${says}`];
  if (ref !== undefined) {
    const found = schemas[ref.replace(/^.*\//, "")];
    return found ? wrongIn(value, found, schemas, at) : wrong(`is of a type that is not there: ${ref}`);
  }
  if (anyOf !== undefined) {
    const tries = anyOf.map((one) => wrongIn(value, one, schemas, at));
    const [least = []] = tries.toSorted((a, b) => a.length - b.length);
    return tries.some((one) => one.length === 0) ? [] : least;
  }
  if ("const" in schema && value !== schema["const"]) return wrong(`is ${shown(value)}, not ${shown(schema["const"])}`);
  if (words !== undefined && !words.includes(value)) return wrong(`is ${shown(value)}, none of ${shown(words)}`);
  const kinds = type === undefined || typeof type === "string" ? type && [type] : type;
  if (kinds && !kinds.some((kind) => isOf(kind, value))) return wrong(`is ${shown(value)}, not ${kinds.join(" or ")}`);
  if (schema["format"] === "date-time" && typeof value === "string" && !instant.test(value))
    return wrong(`is ${shown(value)}, no instant`);
  if (Array.isArray(value))
    return items === undefined ? [] : value.flatMap((one, n) => wrongIn(one, items, schemas, place(at, n)));
  if (typeof value !== "object" || value === null) return [];
  if (properties === undefined && additionalProperties === undefined) return [];
  return wrongFields(value as Value, schema, schemas, at);
}

/** RFC 3339 in UTC. */
const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/;

interface Known extends JsonSchema {
  readonly $ref?: string;
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly type?: string | readonly string[];
  readonly properties?: Schemas;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema;
  readonly items?: JsonSchema;
}

function wrongFields(
  value: Value,
  { properties = {}, required = [], additionalProperties: others }: Known,
  schemas: Schemas,
  at: string,
): readonly string[] {
  const missing = required.filter((name) => !Object.hasOwn(value, name)).map((name) => `${place(at, name)} is missing`);
  const fields = Object.entries(value).flatMap(([name, one]) => {
    const schema = properties[name] ?? others;
    return schema ? wrongIn(one, schema, schemas, place(at, name)) : [`${place(at, name)} is not described`];
  });
  return [...missing, ...fields];
}

function isOf(kind: string, value: unknown): boolean {
  if (kind === "null") return value === null;
  if (kind === "integer") return Number.isInteger(value);
  if (kind === "array" || Array.isArray(value)) return kind === "array" && Array.isArray(value);
  return value !== null && typeof value === kind;
}

function place(at: string, name: string | number): string {
  return at === "" ? String(name) : `${at}.${name}`;
}

function shown(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 80) ?? "nothing";
}
