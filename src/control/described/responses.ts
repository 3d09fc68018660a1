/** What an operation of the description answers with each status; its refusals stand there once for all that refuse alike. */
import type { Document, OperationObject, ResponseObject } from "./document.ts";

export function responsesOf(
  { components }: Pick<Document, "components">,
  { responses }: OperationObject,
): Readonly<Record<string, ResponseObject>> {
  return Object.fromEntries(
    Object.entries(responses).map(([status, one]) => {
      if (!("$ref" in one)) return [status, one];
      const found = components.responses[one.$ref.replace(/^.*\//, "")];
      if (found === undefined) throw new Error(`there is no ${one.$ref}`);
      return [status, found];
    }),
  );
}
