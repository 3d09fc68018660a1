/**
 * Schemas of what the API answers, out of the types that the parts share: `Answers` in `src/control/described`. The compiler says what
 * a type comes to; here that becomes a schema of JSON, a type with a name a component with that name, its comments the description. Beside
 * it the words of `Bodies`, what is sent.
 */
import { join } from "node:path";
import { API, SymbolFlags, TypeFlags } from "typescript/unstable/sync";
import type { Checker, Project, Symbol, Type } from "typescript/unstable/sync";
import type { FieldWords } from "../src/control/described/asked-body.ts";
import type { AnswerSchemas } from "../src/control/described/document.ts";
import type { JsonSchema } from "../src/control/described/operation.ts";

const root = join(import.meta.dirname, "..");
/** It includes everything that `src/control` has. */
const config = join(root, "src", "control", "tsconfig.json");
const tables = join(root, "src", "control", "described");
/** Of all of `stdx`, `contract` and others: names that say nothing in a document. */
const noNames = /^(?:__type|__object|Readonly|Partial|Pick|Omit|Record|Array|ReadonlyArray)$/;

/** The API's numbers are whole; these alone are not. */
const fractions = new Set(["unitCostUSD", "processors"]);
/** What its texts of such names say is an instant. */
const instants = /^(?:at|since|until|deadline|asOf|completeTo|readTo)$|(?:[a-z]At|[a-z]Since|[a-z]Until)$/;

export function answerSchemas(): AnswerSchemas {
  const api = new API({ cwd: root });
  try {
    const project = api.updateSnapshot({ openProject: config }).getProject(config);
    if (project === undefined) throw new Error(`the compiler opens no project ${config}`);
    return new Schemas(project).all();
  } finally {
    api.close();
  }
}

class Schemas {
  readonly #project: Project;
  readonly #checker: Checker;
  readonly #components = new Map<string, { readonly type: Type; schema: JsonSchema }>();

  constructor(project: Project) {
    this.#project = project;
    this.#checker = project.checker;
  }

  all(): AnswerSchemas {
    const answers: Record<string, JsonSchema> = {};
    for (const property of this.#table("answers.ts", "Answers"))
      answers[property.name] = this.#of(this.#typeOf(property), property.name);
    const bodies = this.#table("bodies.ts", "Bodies").map(
      (body) => [body.name, this.#words(this.#typeOf(body))] as const,
    );
    const sorted = [...this.#components].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      answers,
      bodies: Object.fromEntries(bodies) as AnswerSchemas["bodies"],
      components: Object.fromEntries(sorted.map(([name, { schema }]) => [name, schema])),
    };
  }

  /** The fields of the interface of that name. */
  #table(file: string, name: string): readonly Symbol[] {
    const path = join(tables, file);
    const source = this.#project.program.getSourceFile(path);
    const module = source && this.#checker.getSymbolAtLocation(source);
    const symbol = module && this.#checker.getExportsOfModule(module).find((one) => one.name === name);
    if (symbol === undefined) throw new Error(`${path} exports no ${name}`);
    return this.#checker.getPropertiesOfType(this.#checker.getDeclaredTypeOfSymbol(symbol));
  }

  /** Of all kinds where it is a union. */
  #words(type: Type): FieldWords {
    const kinds = type.isUnionType() ? type.getTypes() : [type];
    const fields = kinds.flatMap((kind) => this.#checker.getPropertiesOfType(kind));
    return Object.fromEntries(fields.map((field) => [field.name, this.#said(field).description ?? ""]));
  }

  #typeOf(symbol: Symbol): Type {
    const type = this.#checker.getTypeOfSymbol(symbol);
    if (type === undefined) throw new Error(`${symbol.name} has no type`);
    return type;
  }

  /** `where`: for the message of what cannot be said in JSON. */
  #of(type: Type, where: string): JsonSchema {
    const name = this.#nameOf(type);
    if (name === undefined) return this.#plain(type, where);
    const known = this.#components.get(name);
    if (known !== undefined && known.type.id !== type.id) throw new Error(`${where}: two types are called ${name}`);
    if (known === undefined) {
      const component = { type, schema: {} as JsonSchema };
      this.#components.set(name, component);
      const says = this.#said(type.getAliasSymbol() ?? type.getSymbol());
      component.schema = { ...says, ...this.#plain(type, name) };
    }
    return { $ref: `#/components/schemas/${name}` };
  }

  /** What our parts call it; undefined of what has no name, or one that means nothing outside. */
  #nameOf(type: Type): string | undefined {
    const alias = type.getAliasSymbol();
    const symbol = alias ?? (type.flags & TypeFlags.Object ? type.getSymbol() : undefined);
    if (symbol === undefined || noNames.test(symbol.name) || this.#checker.isArrayLikeType(type)) return undefined;
    const isOurs = symbol.declarations.some(({ path }) => !path.includes("node_modules") && !path.includes("/lib."));
    if (!isOurs || (symbol.flags & (SymbolFlags.Interface | SymbolFlags.TypeAlias)) === 0) return undefined;
    const given = alias
      ? type.getAliasTypeArguments()
      : type.isTypeReference()
        ? this.#checker.getTypeArguments(type)
        : [];
    const names = given.map((argument) => this.#nameOf(argument));
    if (names.includes(undefined)) return undefined;
    return names.length === 0 ? symbol.name : `${symbol.name}Of${names.join("And")}`;
  }

  #plain(type: Type, where: string): JsonSchema {
    const { flags } = type;
    if (type.isErrorType()) throw new Error(`${where}: its type is not found`);
    if (flags & (TypeFlags.Any | TypeFlags.Unknown)) return {};
    if (flags & TypeFlags.Null) return { type: "null" };
    if (type.isLiteralType()) return { const: type.value };
    if (flags & TypeFlags.String) return { type: "string" };
    if (flags & TypeFlags.TemplateLiteral) return { type: "string" };
    if (flags & TypeFlags.Number) return { type: "number" };
    if (flags & TypeFlags.Boolean) return { type: "boolean" };
    if (type.isUnionType()) return this.#union(type.getTypes(), where);
    if (this.#checker.isTupleType(type)) return this.#tuple(type, where);
    if (this.#checker.isArrayLikeType(type)) return this.#array(type, where);
    if (flags & (TypeFlags.Object | TypeFlags.Intersection)) return this.#object(type, where);
    throw new Error(`${where}: ${this.#checker.typeToString(type)} is nothing that JSON has`);
  }

  #union(types: readonly Type[], where: string): JsonSchema {
    const some = types.filter(({ flags }) => (flags & TypeFlags.Undefined) === 0);
    const isNullable = some.some(({ flags }) => flags & TypeFlags.Null);
    const words = some.filter((one) => one.isLiteralType()).map((one) => one.value as string | number | boolean);
    const isEither = words.includes(true) && words.includes(false);
    const rest = some.filter((one) => !one.isLiteralType() && (one.flags & TypeFlags.Null) === 0);
    const kinds = rest.map((one) => this.#of(one, where));
    if (isEither) kinds.push({ type: "boolean" });
    const values = isEither ? words.filter((word) => typeof word !== "boolean") : words;
    if (values.length > 0) kinds.push(values.length === 1 ? { const: values[0] } : { enum: values });
    const [only] = kinds;
    if (kinds.length === 1 && only !== undefined) {
      if (!isNullable) return only;
      if (typeof only["type"] === "string" && only["enum"] === undefined)
        return { ...only, type: [only["type"], "null"] };
      if (Array.isArray(only["enum"])) return { enum: [...only["enum"], null] };
    }
    if (isNullable) kinds.push({ type: "null" });
    return kinds.length === 1 && kinds[0] ? kinds[0] : { anyOf: kinds };
  }

  #tuple(type: Type, where: string): JsonSchema {
    const items = type.isTypeReference() ? this.#checker.getTypeArguments(type) : [];
    return {
      type: "array",
      prefixItems: items.map((item) => this.#of(item, where)),
      minItems: items.length,
      maxItems: items.length,
    };
  }

  #array(type: Type, where: string): JsonSchema {
    const [item] = type.isTypeReference() ? this.#checker.getTypeArguments(type) : [];
    if (item === undefined) throw new Error(`${where}: an array of nothing that is named`);
    return { type: "array", items: this.#of(item, where) };
  }

  #object(type: Type, where: string): JsonSchema {
    const properties: Record<string, JsonSchema> = {};
    const required: string[] = [];
    for (const property of this.#checker.getPropertiesOfType(type)) {
      const of = this.#typeOf(property);
      // Of one kind of a union, to say that another kind alone has it.
      if (of.flags & TypeFlags.Undefined) continue;
      const isUndefinable = of.isUnionType() && of.getTypes().some(({ flags }) => flags & TypeFlags.Undefined);
      properties[property.name] = {
        ...byName(property.name, this.#of(of, `${where}.${property.name}`)),
        ...this.#said(property),
      };
      if ((property.flags & SymbolFlags.Optional) === 0 && !isUndefinable) required.push(property.name);
    }
    const [others] = this.#checker.getIndexInfosOfType(type);
    return {
      type: "object",
      ...(Object.keys(properties).length > 0 && { properties }),
      ...(required.length > 0 && { required }),
      ...(others && { additionalProperties: this.#of(others.valueType, where) }),
    };
  }

  #said(symbol: Symbol | undefined): { readonly description?: string } {
    const text = symbol && this.#checker.getDocumentationCommentOfSymbol(symbol).trim();
    return text ? { description: text.replaceAll(/\s*\n\s*/g, " ") } : {};
  }
}

/** What a name says beyond its type. */
function byName(name: string, schema: JsonSchema): JsonSchema {
  const { type } = schema;
  const kinds = Array.isArray(type) ? (type as readonly string[]) : [type];
  if (kinds.includes("string") && instants.test(name)) return { ...schema, format: "date-time" };
  if (!kinds.includes("number") || fractions.has(name)) return schema;
  return {
    ...schema,
    type: Array.isArray(type) ? kinds.map((kind) => (kind === "number" ? "integer" : kind)) : "integer",
  };
}
