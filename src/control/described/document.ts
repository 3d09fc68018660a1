/** The description of our own API as OpenAPI 3.1 has it: operations, what they take and answer, and what each may refuse. Pure. */
import { z } from "zod";
import { codeRow, type Code } from "../../evidence/codes.ts";
import { cookieName } from "../../identity/sessions.ts";
import { keyMaxCharacters } from "../keyed.ts";
import { keptMs } from "../request-keys.ts";
import { bodyOf, inputOf, type FieldWords } from "./asked-body.ts";
import type { Bodies } from "./bodies.ts";
import { accesses, tags, type JsonSchema, type Operation, type QueryFields } from "./operation.ts";
import { besides, elsewhere, operations } from "./operations.ts";

/** What `tools/answer-schemas.ts` makes of the types. */
export interface AnswerSchemas {
  /** By the keys of `Answers`. */
  readonly answers: Readonly<Record<string, JsonSchema>>;
  readonly bodies: Readonly<Record<keyof Bodies, FieldWords>>;
  readonly components: Readonly<Record<string, JsonSchema>>;
}

export interface Document {
  readonly openapi: string;
  readonly info: JsonSchema;
  readonly servers: readonly JsonSchema[];
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly responses: Readonly<Record<string, ResponseObject>>;
    readonly parameters: Readonly<Record<string, ParameterObject>>;
    readonly securitySchemes: JsonSchema;
    readonly headers: JsonSchema;
  };
  readonly "x-elsewhere": readonly JsonSchema[];
  /** What each code says and advises. */
  readonly "x-codes": Readonly<Record<string, JsonSchema>>;
}

export interface OperationObject {
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly tags: readonly [string];
  readonly "x-access": keyof typeof accesses;
  /** What else the Hub's clients send in the query is passed over. */
  readonly "x-hubs"?: true;
  readonly security: readonly JsonSchema[];
  readonly parameters?: readonly (ParameterObject | Reference)[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Readonly<Record<string, { schema: JsonSchema }>>;
  };
  readonly responses: Readonly<Record<string, ResponseObject | Reference>>;
}

export interface Reference {
  readonly $ref: string;
}

export interface ParameterObject {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly description: string;
  readonly schema: JsonSchema;
}

export interface ResponseObject {
  readonly description: string;
  readonly headers?: JsonSchema;
  readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>>;
  /** Of a refusal: its codes. */
  readonly "x-codes"?: readonly Code[];
}

const problemType = "application/problem+json";
const problem = { $ref: "#/components/schemas/ProblemAnswer" };
const changing = ["POST", "PUT", "PATCH", "DELETE"];
/** It changes nothing, and takes no key. */
const keyless = "POST /api/gpu/quote";

/** Any route may say these: of what the caller has shown, and of ourselves. */
const ofAll: readonly Code[] = [
  ...(["identity/bad-token", "identity/token-expired", "identity/session-ended", "identity/cross-site"] as const),
  "control/failed",
];
const ofKeys: readonly Code[] = [
  ...(["control/invalid", "route/too-large", "control/key-in-use", "control/key-reused"] as const),
  ...(["control/answer-lost", "control/too-many-keys"] as const),
];

/** What an operation may refuse by, in the order of their names. */
export function codesOf(route: string, { access, body, query, codes = [] }: Operation): readonly Code[] {
  const all: Code[] = [...ofAll, ...codes];
  if (access !== "open") all.push("identity/missing", "identity/forbidden");
  if (body !== undefined) all.push("control/invalid", "route/too-large");
  if (query instanceof z.ZodObject) all.push("control/invalid");
  if (takesKey(route)) all.push(...ofKeys);
  return [...new Set(all)].sort();
}

/** The path as OpenAPI writes it. */
export function pathOf(route: string): string {
  const [, path = ""] = route.split(" ");
  return path.replaceAll(/:(\w+)(?:\{[^/]*?\})?(?=\/|$)/g, "{$1}");
}

export function openApi({ components, ...made }: AnswerSchemas, version: string): Document {
  const paths: Record<string, Record<string, OperationObject>> = {};
  for (const [route, operation] of Object.entries(operations)) {
    const [method = ""] = route.split(" ");
    const at = (paths[pathOf(route)] ??= {});
    at[method.toLowerCase()] = described(route, operation, made);
  }
  const ofEach = Object.entries(operations).map(([route, operation]) => codesOf(route, operation));
  return {
    openapi: "3.1.1",
    info: {
      ...{ title: "Waybill", version, summary: "Spaces and ZeroGPU that you run yourself.", description: opening },
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/", description: "The console's address." }],
    tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: components,
      responses: refusalsOf(ofEach),
      parameters: { [keyName]: keyParameter },
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "An access token, `hf_wb…`: docs/identity.md." },
        session: {
          ...{ type: "apiKey", in: "cookie", name: cookieName },
          description: "A browser that is signed in at the console; for its own pages alone.",
        },
      },
      headers,
    },
    "x-elsewhere": [...elsewhere.map(({ routes, ...of }) => ({ ...of, routes: routes.map(written) })), ...besides],
    "x-codes": Object.fromEntries(
      [...new Set(ofEach.flat())].sort().map((code) => {
        const { status, says, owner, retry, next } = codeRow(code);
        return [code, { status, says, owner, retry, next }];
      }),
    ),
  };
}

/** `METHOD /path` as OpenAPI writes paths. */
export function written(route: string): string {
  return `${route.split(" ")[0]} ${pathOf(route)}`;
}

const opening = `All of Waybill's own API, under the console's address.

Times are whole milliseconds, amounts whole GPU milliseconds, instants RFC 3339 in UTC. Fields are added, never renamed: read what you know, and pass over the rest.

A refusal is \`application/problem+json\` (RFC 9457). Its \`boundary\` and \`code\`, joined by a slash, are one of the codes that the operation names; \`next\` says what to do, \`retry\` whether the same again is worth a try. Under paths that are the Hub's it comes as \`application/json\` to who does not accept problems by their name.

A list has \`items\` and \`next\`: pass that as \`page\` for the next page; null is the end.

What changes something takes \`Idempotency-Key\`: the same request with the same key is done once, and answered again for ${keptMs / 3_600_000} hours with \`Idempotent-Replayed: true\`.

Each answer has \`X-Request-Id\`, the caller's own where it sent one, and \`X-Waybill-Id\`, which the audit log has.`;

const keyName = "Idempotency-Key";
const keyParameter: ParameterObject = {
  ...{ name: keyName, in: "header", required: false },
  description: `A string in quotes, of 1 to ${keyMaxCharacters} characters; the same request with the same key is done once.`,
  schema: { type: "string", pattern: `^".{1,${keyMaxCharacters}}"$` },
};

const headers = {
  RateLimit: {
    description: "What is left of each limit (draft-ietf-httpapi-ratelimit-headers-10, section 4).",
    schema: { type: "string" },
  },
  "RateLimit-Policy": { description: "What the limits are (section 3).", schema: { type: "string" } },
  "Retry-After": { description: "Seconds to wait.", schema: { type: "string" } },
};

function described(
  route: string,
  operation: Operation,
  { answers, bodies }: Omit<AnswerSchemas, "components">,
): OperationObject {
  const { tag, access, summary, says, body, isBodyOptional = false, isHubs = false } = operation;
  const ofKey = takesKey(route) ? [{ $ref: `#/components/parameters/${keyName}` }] : [];
  const parameters = [...pathParameters(route), ...asked(operation), ...ofKey];
  return {
    operationId: operationId(route),
    summary,
    description: [says, `For ${accesses[access]}.`].filter((line) => line !== undefined).join("\n\n"),
    tags: [tag],
    "x-access": access,
    ...(isHubs && { "x-hubs": true }),
    security: [...(access === "open" ? [{}] : []), { token: [] }, { session: [] }],
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: {
        required: !isBodyOptional,
        content: {
          "application/json": { schema: bodyOf(route, body, isTyped(route, bodies) ? bodies[route] : undefined) },
        },
      },
    }),
    responses: { ...yes(route, operation, answers), ...refusals(codesOf(route, operation)) },
  };
}

function isTyped(route: string, bodies: AnswerSchemas["bodies"]): route is keyof Bodies {
  return Object.hasOwn(bodies, route);
}

function operationId(route: string): string {
  const [method = "", ...words] = written(route)
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== "" && word !== "api");
  return method.toLowerCase() + words.map((word) => `${word[0]?.toUpperCase()}${word.slice(1)}`).join("");
}

const parts: Readonly<Record<string, string>> = {
  ...{ owner: "The owner's account.", id: "Its id.", index: "The card's index on its node, from 0 on." },
  ...{ domain: "The host name.", account: "The member's account.", month: "In UTC, as 2026-11." },
  delivery: "The delivery, `dl_…`.",
};
const named: Readonly<Record<string, string>> = {
  ...{ spaces: "The Space's name.", accounts: "The account.", organizations: "The organisation.", pools: "The pool." },
  ...{ nodes: "The node.", tiers: "The tier.", explain: "The Space's name." },
};

function pathParameters(route: string): readonly ParameterObject[] {
  const path = pathOf(route);
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => {
    const description = parts[name] ?? named[path.split("/")[2] ?? ""] ?? "";
    return { name, in: "path", required: true, description, schema: { type: "string" } };
  });
}

function asked({ query = {}, headers: fields = {} }: Operation): readonly ParameterObject[] {
  const isParsed = query instanceof z.ZodObject;
  const inQuery = isParsed ? (query.shape as QueryFields) : query;
  return [
    ...Object.entries(inQuery).map(([name, schema]) => {
      // What a route reads by hand it has a meaning without.
      return parameter(name, { in: "query", required: isParsed && !schema.safeParse(undefined).success, schema });
    }),
    ...Object.entries(fields).map(([name, schema]) => parameter(name, { in: "header", required: false, schema })),
  ];
}

function parameter(
  name: string,
  { schema: of, ...rest }: Pick<ParameterObject, "in" | "required"> & { readonly schema: z.ZodType },
): ParameterObject {
  const { description = "", ...schema } = inputOf(of) as JsonSchema & { readonly description?: string };
  return { name, ...rest, description, schema };
}

function takesKey(route: string): boolean {
  return route !== keyless && changing.includes(route.split(" ")[0] ?? "");
}

function yes(
  route: string,
  { status = 200, later, stream, hasRateLimit = false }: Operation,
  answers: AnswerSchemas["answers"],
): Readonly<Record<string, ResponseObject>> {
  const schema = answers[route] ?? {};
  const each = stream === "either" ? (answers[`${route} line`] ?? {}) : schema;
  const lines = { type: "string", description: "Each line is an answer of its own.", "x-each": each };
  const events = { type: "string", description: "The data of each event is an answer of its own.", "x-each": each };
  const content = {
    ...((stream === undefined || stream === "either") && { "application/json": { schema } }),
    ...((stream === "lines" || stream === "either") && { "application/x-ndjson": { schema: lines } }),
    ...(stream === "lines" && { "text/plain": { schema: { type: "string" } } }),
    ...(stream !== undefined && { "text/event-stream": { schema: events } }),
  };
  const fields = hasRateLimit
    ? { headers: { RateLimit: header("RateLimit"), "RateLimit-Policy": header("RateLimit-Policy") } }
    : {};
  const begun = later && {
    202: { description: later, content: { "application/json": { schema: answers[`${route} 202`] ?? {} } } },
  };
  return { [status]: { description: "Yes.", ...fields, content }, ...begun };
}

function header(name: string): JsonSchema {
  return { $ref: `#/components/headers/${name}` };
}

/** Many operations refuse alike: each set of codes is one component. */
function refusals(codes: readonly Code[]): Readonly<Record<string, Reference>> {
  return Object.fromEntries(
    grouped(codes).map(([status, some]) => [status, { $ref: `#/components/responses/${refusalName(status, some)}` }]),
  );
}

function refusalsOf(all: readonly (readonly Code[])[]): Readonly<Record<string, ResponseObject>> {
  const made = all
    .flatMap(grouped)
    .map(([status, some]) => [refusalName(status, some), refusal(status, some)] as const);
  return Object.fromEntries(made.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function grouped(codes: readonly Code[]): readonly (readonly [status: number, codes: readonly Code[]])[] {
  return [...Map.groupBy(codes, (code) => codeRow(code).status)];
}

function refusalName(status: number, codes: readonly Code[]): string {
  return [status, ...codes.map((code) => code.replace(/^.*\//, ""))].join(".");
}

function refusal(status: number, codes: readonly Code[]): ResponseObject {
  return {
    description: codes.map((code) => `\`${code}\``).join(", "),
    ...((status === 429 || status === 503) && { headers: { "Retry-After": header("Retry-After") } }),
    content: { [problemType]: { schema: problem } },
    "x-codes": codes,
  };
}
