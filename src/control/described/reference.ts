/** The page `docs/api.md`, of the description. Pure. */
import type { Document, OperationObject, ParameterObject, ResponseObject } from "./document.ts";
import { accesses, type JsonSchema } from "./operation.ts";
import { responsesOf } from "./responses.ts";
import { codeRow, type Code } from "../../evidence/codes.ts";

export function apiReference(document: Document): string {
  const { info, tags, paths, components, "x-elsewhere": elsewhere } = document;
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      route: `${method.toUpperCase()} ${path}`,
      operation,
      responses: responsesOf(document, operation),
    })),
  );
  const chapters = tags.map(({ name, description }) =>
    [
      `## ${name[0]?.toUpperCase()}${name.slice(1)}`,
      description,
      ...routes
        .filter(({ operation }) => operation.tags[0] === name)
        .map(({ route, operation, responses }) => section(route, operation, responses)),
    ].join("\n\n"),
  );
  const types = Object.entries(components.schemas).map(([name, schema]) => typeSection(name, schema));
  return `${[
    opening,
    String(info["description"]),
    who,
    ...chapters,
    ["## Specified elsewhere", elsewhereList(elsewhere)].join("\n\n"),
    ["## Types", "What answers are made of. A name with `?` may be absent.", ...types].join("\n\n"),
    ["## Codes", codeTable(routes.flatMap(({ responses }) => Object.values(responses)))].join("\n\n"),
  ].join("\n\n")}\n`;
}

type Responses = Readonly<Record<string, ResponseObject>>;

const opening = `# The API

Made by \`npm run api-reference\` from the routes' descriptions in \`src/control/described\`, the schemas by which they read what they are sent,
and the types of what they answer; \`npm run check\` says when it is not current. \`GET /api/openapi.json\` gives the same as OpenAPI 3.1
(\`share/openapi.json\`). The command line, the console and the package \`waybill\` are made of this API.`;

const who = `Who may call:

${Object.entries(accesses)
  .map(([name, says]) => `- *${name}*: ${says}`)
  .join("\n")}`;

function section(
  route: string,
  { summary, description, parameters = [], requestBody, ...of }: OperationObject,
  responses: Responses,
): string {
  const says = description.split("\n\n").slice(0, -1);
  // The one that is a reference is said once, above.
  const own = parameters.flatMap((one) => ("$ref" in one || one.in === "path" ? [] : [one]));
  const body = requestBody?.content["application/json"]?.schema;
  return [
    `### ${route}`,
    [summary, ...says, `For *${of["x-access"]}*.`].join(" "),
    ...(own.length > 0 ? [own.map(parameterLine).join("\n")] : []),
    ...(body ? [bodyLines(body, requestBody.required)] : []),
    answerLine(responses),
  ].join("\n\n");
}

function parameterLine({ name, in: where, required, description, schema }: ParameterObject): string {
  const says = [typeOf(schema), ...(required ? ["required"] : []), ...(where === "header" ? ["a header"] : [])].join(
    ", ",
  );
  return `- \`${name}\` (${says})${description === "" ? "" : `: ${description}`}`;
}

function bodyLines(schema: JsonSchema, isRequired: boolean): string {
  const kinds = alternatives(schema);
  const head = isRequired ? "Body:" : "Body, which may be left out:";
  const lists = kinds.map((kind) => fieldLines(kind).join("\n"));
  return `${head}\n\n${lists.join("\n\nor\n\n")}`;
}

function alternatives(schema: JsonSchema): readonly JsonSchema[] {
  const of = schema["oneOf"] ?? schema["anyOf"];
  return Array.isArray(of) ? (of as readonly JsonSchema[]) : [schema];
}

function fieldLines(schema: JsonSchema): readonly string[] {
  const required = (schema["required"] ?? []) as readonly string[];
  return Object.entries((schema["properties"] ?? {}) as Readonly<Record<string, JsonSchema>>).map(([name, of]) => {
    const says = typeof of["description"] === "string" ? `: ${of["description"]}` : "";
    return `- \`${name}${required.includes(name) ? "" : "?"}\` ${typeOf(of)}${says}`;
  });
}

function answerLine(responses: Responses): string {
  const yes = Object.entries(responses).filter(([, { "x-codes": codes }]) => codes === undefined);
  const no = Object.values(responses).flatMap(({ "x-codes": codes = [] }) => codes);
  const kinds = yes.map(([status, { content }]) => {
    const forms = Object.entries(content).map(([type, { schema }]) => {
      const each = schema["x-each"] as JsonSchema | undefined;
      const of = each ? `each a ${typeOf(each)}` : typeOf(schema);
      return type === "application/json" ? of : `\`${type}\`, ${of}`;
    });
    return `${status}: ${[...new Set(forms)].join("; ")}`;
  });
  const own = no.filter((code) => !always.has(code));
  const refused = own.length === 0 ? "" : ` Refuses by ${own.map((code) => `\`${code}\``).join(", ")}.`;
  return `Answers ${kinds.join(", or ")}.${refused}`;
}

/** Said once, at the end of the page. */
const always: ReadonlySet<Code> = new Set<Code>([
  ...(["identity/bad-token", "identity/token-expired", "identity/session-ended", "identity/cross-site"] as const),
  ...(["control/failed", "control/key-in-use", "control/key-reused", "control/answer-lost"] as const),
  "control/too-many-keys",
]);

function typeSection(name: string, schema: JsonSchema): string {
  const says = typeof schema["description"] === "string" ? [schema["description"]] : [];
  const kinds = alternatives(schema).filter((kind) => kind["properties"] !== undefined);
  const isPlain = kinds.length === 0 || kinds.length !== alternatives(schema).length;
  const { description: _, ...bare } = schema;
  const body = isPlain ? [typeOf(bare)] : [kinds.map((kind) => fieldLines(kind).join("\n")).join("\n\nor\n\n")];
  return [`### ${name}`, ...says, ...body].join("\n\n");
}

/** In as few characters as say it. */
function typeOf(schema: JsonSchema): string {
  const {
    $ref: ref,
    type,
    items,
    properties,
    additionalProperties,
    pattern: _,
  } = schema as {
    readonly $ref?: string;
    readonly type?: string | readonly string[];
    readonly items?: JsonSchema;
    readonly properties?: Readonly<Record<string, JsonSchema>>;
    readonly additionalProperties?: JsonSchema | boolean;
    readonly pattern?: string;
  };
  if (ref !== undefined) {
    const name = ref.replace(/^.*\//, "");
    return `[${name}](#${name.toLowerCase()})`;
  }
  const some = schema["oneOf"] ?? schema["anyOf"];
  if (Array.isArray(some)) return (some as readonly JsonSchema[]).map(typeOf).join(" or ");
  if (Array.isArray(schema["enum"])) return (schema["enum"] as readonly unknown[]).map(value).join(" or ");
  if ("const" in schema) return value(schema["const"]);
  if (items !== undefined) return `list of ${typeOf(items)}`;
  const orNull = Array.isArray(type) && type.includes("null") ? " or null" : "";
  if (properties !== undefined) return `{ ${fields(schema)} }${orNull}`;
  if (typeof additionalProperties === "object") return `{ name: ${typeOf(additionalProperties)} }${orNull}`;
  const plain = Array.isArray(type) ? type.join(" or ") : typeof type === "string" ? type : "anything";
  return `${plain}${bounds(schema)}`;
}

function fields(schema: JsonSchema): string {
  const required = (schema["required"] ?? []) as readonly string[];
  return Object.entries((schema["properties"] ?? {}) as Readonly<Record<string, JsonSchema>>)
    .map(([name, of]) => `${name}${required.includes(name) ? "" : "?"}: ${typeOf(of)}`)
    .join(", ");
}

function bounds({ minimum, maximum }: JsonSchema): string {
  const isSaid = (bound: unknown): bound is number =>
    typeof bound === "number" && Math.abs(bound) < Number.MAX_SAFE_INTEGER;
  if (isSaid(minimum) && isSaid(maximum)) return ` of ${minimum} to ${maximum}`;
  if (isSaid(minimum)) return ` from ${minimum} on`;
  return isSaid(maximum) ? ` up to ${maximum}` : "";
}

function value(of: unknown): string {
  return of === null ? "null" : `\`${JSON.stringify(of).replaceAll('"', "")}\``;
}

function elsewhereList(elsewhere: Document["x-elsewhere"]): string {
  return elsewhere
    .map((one) => {
      const { what, specified, routes = [] } = one as { what: string; specified: string; routes?: readonly string[] };
      const list = routes.map((route) => `\`${route}\``).join(", ");
      return `- ${what}: ${specified}${list === "" ? "" : `. ${list}`}`;
    })
    .join("\n");
}

function codeTable(responses: readonly ResponseObject[]): string {
  const codes = responses.flatMap((one) => one["x-codes"] ?? []);
  const rows = [...new Set(codes)].sort().map((code) => {
    const { status, says, next } = codeRow(code);
    return `| \`${code}\` | ${status} | ${says} | ${next} |`;
  });
  const always_ = [...always].map((code) => `\`${code}\``).join(", ");
  return [
    `Every route may refuse by ${always_}: of what the caller has shown, of its key, of a fault of ours.`,
    ["| Code | Status | What happened | What to do |", "|---|---|---|---|", ...rows].join("\n"),
  ].join("\n\n");
}
