/** The description of the API as it lies in the repository: for those who write it anew, and for the test that says whether it is current. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openApi } from "../src/control/described/document.ts";
import { apiReference } from "../src/control/described/reference.ts";
import { answerSchemas } from "./answer-schemas.ts";

/** Path → text. */
export function apiPages(): Readonly<Record<string, string>> {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "..", "package.json"), "utf8")) as {
    version: string;
  };
  const document = openApi(answerSchemas(), version);
  return { "share/openapi.json": `${JSON.stringify(document, null, 1)}\n`, "docs/api.md": apiReference(document) };
}
