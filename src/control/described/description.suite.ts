/** Holds what the API answers against its description. It loads nothing of the server: every test's process has it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Document, OperationObject } from "./document.ts";
import { wrongIn } from "./fits.suite.ts";
import { responsesOf } from "./responses.ts";

interface Place {
  readonly pattern: RegExp;
  readonly literals: number;
  readonly methods: Document["paths"][string];
}

/** What whoever stands before the API says in its place: the edge, where no server answers or too much is asked. */
const others = /^(?:route|capacity)$/;
const jsonTypes = ["application/json", "application/problem+json"];

export class Description {
  readonly #document: Document;
  readonly #places: readonly Place[];

  constructor(document: Document) {
    this.#document = document;
    this.#places = Object.entries(document.paths)
      .map(([path, methods]) => ({
        pattern: patternOf(path),
        literals: path.replaceAll(/\{\w+\}/g, "").length,
        methods,
      }))
      .sort((a, b) => b.literals - a.literals);
  }

  /** As it lies in the repository. */
  static read(): Description {
    const file = join(import.meta.dirname, "..", "..", "..", "share", "openapi.json");
    return new Description(JSON.parse(readFileSync(file, "utf8")) as Document);
  }

  /** Fails where the answer is not as it is described; what is described elsewhere passes. Its body can still be read. */
  async hold({ method, url }: Pick<Request, "method" | "url">, answer: Response): Promise<void> {
    const { pathname, searchParams } = new URL(url);
    const operation = this.#operation(method, pathname);
    if (operation === undefined) return;
    const wrong = await this.#wrong(operation, [...searchParams.keys()], answer);
    if (wrong.length === 0) return;
    const says = `${method} ${pathname}: ${answer.status}, which is not as share/openapi.json has it: ${wrong.join("; ")}`;
    // Whoever asked may take the error for a connection that broke.
    console.error(says);
    throw new Error(says);
  }

  async #wrong(operation: OperationObject, query: readonly string[], answer: Response): Promise<readonly string[]> {
    const { status } = answer;
    const type = answer.headers.get("content-type")?.split(";")[0] ?? "";
    const said = responsesOf(this.#document, operation)[status];
    if (!jsonTypes.includes(type)) {
      const isSaid = said !== undefined && type in said.content;
      return isSaid ? [] : [`answers with ${type || "no type"}`];
    }
    const value: unknown = JSON.parse(await answer.clone().text());
    if (status >= 400) return this.#wrongRefusal(value, said?.["x-codes"] ?? []);
    const schema = said?.content["application/json"]?.schema;
    if (schema === undefined) return ["it has no such status"];
    const names = (operation.parameters ?? []).map((one) => ("name" in one ? one.name : ""));
    const unasked = operation["x-hubs"] ? [] : query.filter((name) => !names.includes(name));
    const unknown = unasked.map((name) => `nothing is said of ?${name}=`);
    return [...unknown, ...wrongIn(value, schema, this.#document.components.schemas)];
  }

  #wrongRefusal(value: unknown, codes: readonly string[]): readonly string[] {
    const { ProblemAnswer: schema = {}, ...rest } = this.#document.components.schemas;
    const { boundary, code } = value as { readonly boundary?: string; readonly code?: string };
    if (boundary !== undefined && others.test(boundary)) return [];
    const isSaid = codes.includes(`${boundary}/${code}`);
    return [...(isSaid ? [] : [`refuses by ${boundary}/${code}`]), ...wrongIn(value, schema, rest)];
  }

  #operation(method: string, path: string): OperationObject | undefined {
    const place = this.#places.find(({ pattern }) => pattern.test(path));
    return place?.methods[method.toLowerCase()];
  }
}

/** The last part of what takes any id may have slashes in it. */
function patternOf(path: string): RegExp {
  const escaped = path.replaceAll(/[.+*?^$()|[\]\\]/g, String.raw`\$&`);
  const part = /^\/api\/(?:explain|works)\//.test(path) && path.endsWith("{id}") ? ".+" : "[^/]+";
  return new RegExp(`^${escaped.replaceAll(/\{id\}$/g, part).replaceAll(/\{\w+\}/g, "[^/]+")}$`);
}
