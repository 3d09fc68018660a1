/**
 * `npm run api-reference`: writes `share/openapi.json` and `docs/api.md` from the routes' descriptions and the types of what they answer.
 * `-- --check`: says whether they are current, as `npm run check` does.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openApi } from "../src/control/described/document.ts";
import { apiReference } from "../src/control/described/reference.ts";
import { answerSchemas } from "./answer-schemas.ts";

const root = join(import.meta.dirname, "..");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
const document = openApi(answerSchemas(), version);
const pages = { "share/openapi.json": `${JSON.stringify(document, null, 1)}\n`, "docs/api.md": apiReference(document) };

for (const [path, text] of Object.entries(pages)) {
  if (!process.argv.includes("--check")) writeFileSync(join(root, path), text);
  else if (readFileSync(join(root, path), "utf8") !== text) {
    console.error(`${path} is not current: npm run api-reference`);
    process.exitCode = 1;
  }
}
